// Only names the module whose tests install takes; they are built in a copy of it.
module conformance/rabbit-hole

go 1.25

require github.com/michaelklishin/rabbit-hole/v2 v2.12.0
