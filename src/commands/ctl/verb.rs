//! What a verb is, which tools have it, and the table of all verbs.

use super::arguments::Invocation;
use super::failure::Failure;
use super::output::Output;
use super::{
    cluster, definitions, features, health, limits, listings, logs, needless, node, parameters, permissions, plugins,
    policies, queues, report, runtime, status, tls, unserved, users, vhosts, waiting,
};

/// One of RabbitMQ's tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Tool {
    Ctl,
    Diagnostics,
    Plugins,
    Queues,
    Streams,
    Upgrade,
}

impl Tool {
    /// The name by which it is called.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ctl => "rabbitmqctl",
            Self::Diagnostics => "rabbitmq-diagnostics",
            Self::Plugins => "rabbitmq-plugins",
            Self::Queues => "rabbitmq-queues",
            Self::Streams => "rabbitmq-streams",
            Self::Upgrade => "rabbitmq-upgrade",
        }
    }
}

/// Tools that have a verb.
pub(super) type Tools = &'static [Tool];
pub(super) const CTL: Tools = &[Tool::Ctl];
pub(super) const DIAGNOSTICS: Tools = &[Tool::Diagnostics];
pub(super) const BOTH: Tools = &[Tool::Ctl, Tool::Diagnostics];

/// A long option of one verb.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switch {
    pub(super) name: &'static str,
    /// Its letter, if it has one.
    pub(super) letter: Option<char>,
    pub(super) takes_value: bool,
}

/// An option with a value.
pub(super) const fn value(name: &'static str) -> Switch {
    Switch { name, letter: None, takes_value: true }
}

/// An option without one.
pub(super) const fn flag(name: &'static str) -> Switch {
    Switch { name, letter: None, takes_value: false }
}

/// What a verb says before it is done.
pub(super) type Banner = fn(&Invocation) -> Option<String>;
/// What is looked at before anything is said or done.
pub(super) type Checked = fn(&Invocation) -> Result<(), Failure>;
/// What a verb does.
pub(super) type Done = fn(&Invocation) -> Result<Output, Failure>;

/// Something that a tool can do.
#[derive(Debug)]
pub(super) struct Verb {
    pub(super) name: &'static str,
    pub(super) tools: Tools,
    pub(super) about: &'static str,
    /// Its arguments, as help has them.
    pub(super) usage: &'static str,
    /// How many arguments it takes at least and at most.
    pub(super) arguments: (usize, usize),
    pub(super) switches: &'static [Switch],
    pub(super) check: Checked,
    pub(super) banner: Banner,
    pub(super) run: Done,
}

/// As many arguments as are given.
pub(super) const ANY: usize = usize::MAX;

impl Verb {
    pub(super) const fn new(name: &'static str, tools: Tools, about: &'static str, run: Done) -> Self {
        let (check, banner): (Checked, Banner) = (|_| Ok(()), |_| None);
        Self { name, tools, about, usage: "", arguments: (0, 0), switches: &[], check, banner, run }
    }

    pub(super) const fn takes(self, least: usize, most: usize, usage: &'static str) -> Self {
        Self { arguments: (least, most), usage, ..self }
    }

    pub(super) const fn switches(self, switches: &'static [Switch]) -> Self {
        Self { switches, ..self }
    }

    pub(super) const fn says(self, banner: Banner) -> Self {
        Self { banner, ..self }
    }

    pub(super) const fn checks(self, check: Checked) -> Self {
        Self { check, ..self }
    }
}

/// Every verb, by subject: the headings of help.
pub(super) const VERBS: &[(&str, &[Verb])] = &[
    ("Nodes", node::VERBS),
    ("While the broker runs", runtime::VERBS),
    ("Waiting", waiting::VERBS),
    ("Users", users::VERBS),
    ("Access Control", permissions::VERBS),
    ("Monitoring, observability and health checks", health::VERBS),
    ("Status", status::VERBS),
    ("Log", logs::VERBS),
    ("Report", report::VERBS),
    ("Cluster", cluster::VERBS),
    ("Lists", listings::VERBS),
    ("Parameters", parameters::VERBS),
    ("Policies", policies::VERBS),
    ("Virtual hosts", vhosts::VERBS),
    ("Limits", limits::VERBS),
    ("Queues and connections", queues::VERBS),
    ("Feature flags", features::VERBS),
    ("Definitions", definitions::VERBS),
    ("Plugins", plugins::VERBS),
    ("TLS", tls::VERBS),
    ("Nothing to do in this broker", needless::VERBS),
    ("Not served by this broker", unserved::VERBS),
];

/// All verbs of a tool.
pub(super) fn of(tool: Tool) -> impl Iterator<Item = &'static Verb> {
    VERBS.iter().flat_map(|(_, verbs)| verbs.iter()).filter(move |verb| verb.tools.contains(&tool))
}

/// The verb of this name.
pub(super) fn find(tool: Tool, name: &str) -> Option<&'static Verb> {
    of(tool).find(|verb| verb.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verbs of RabbitMQ 4.3's tools, as their help has them.
    const OF_RABBITMQ: &str = include_str!("verbs.txt");

    #[test]
    fn every_verb_of_rabbitmqs_tools_is_known() {
        let tools = [Tool::Ctl, Tool::Diagnostics, Tool::Plugins, Tool::Queues, Tool::Streams, Tool::Upgrade];
        let is_known = |line: &&str| {
            let (tool, name) = line.split_once(' ').unwrap();
            let tool = tools.into_iter().find(|known| known.name() == tool).unwrap();
            find(tool, name).is_some()
        };
        let unknown: Vec<_> = OF_RABBITMQ.lines().filter(|line| !is_known(line)).collect();
        assert_eq!(unknown, [""; 0]);
    }

    #[test]
    fn a_tool_has_each_verb_once() {
        for tool in [Tool::Ctl, Tool::Diagnostics, Tool::Plugins, Tool::Queues, Tool::Streams, Tool::Upgrade] {
            let mut names: Vec<_> = of(tool).map(|verb| verb.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{}: {names:?}", tool.name());
        }
    }
}
