# The daily commands; `.ci/run` is all of them.

# Run the broker.
run *arguments:
    cargo run --release -- {{arguments}}

# Unit, property and black-box tests.
test *filter:
    cargo test {{filter}}

# Kill -9 the broker so many times while it works, and look for what was lost.
kill times="100":
    LEVERET_KILLS={{times}} cargo test --test it kill:: -- --nocapture

# Formatting, lints and documentation, as CI wants them.
check:
    cargo fmt --all -- --check
    cargo clippy --all-targets -- -D warnings
    RUSTDOCFLAGS='-D warnings' cargo doc --no-deps
    cargo deny check bans licenses sources

# Client libraries against the release build: all of them, or those named.
conformance *clients:
    conformance/run {{clients}}

# CPU per message, rates and memory.
bench *arguments:
    cargo bench --bench throughput -- {{arguments}}

# Instructions of single pieces, against the recorded ones; `just micro --record` records.
micro *arguments:
    cargo bench --bench micro -- {{arguments}}

# The figures of docs/performance.md, for this leveret and, if its process is named, for a RabbitMQ on port 5672.
performance rabbitmq_pid="":
    cargo bench --bench throughput -- --repeat 3 --into docs/performance.md --name leveret
    [ -z "{{rabbitmq_pid}}" ] || cargo bench --bench throughput -- --repeat 3 --url amqp://127.0.0.1:5672 --pid {{rabbitmq_pid}} --into docs/performance.md --name rabbitmq

# What a message costs Leveret and the RabbitMQ on port 5672, in turn, at the top of docs/performance.md.
ratios rabbitmq_pid:
    cargo build --release
    cargo bench --bench throughput -- --compare amqp://127.0.0.1:5672 target/release/leveret --pid-a {{rabbitmq_pid}} --lead free --on-disk --scenario autoack,ack-each-1000,durable-1000,fanout-1-10,queues-10x10x10 --repeat 2 --into docs/performance.md --name ratios

# One fuzz target (frames, methods, tables, session, http, store, configuration, definitions) for a while.
fuzz target seconds="3600":
    cargo +nightly fuzz run {{target}} -- -max_total_time={{seconds}} -max_len=4096
