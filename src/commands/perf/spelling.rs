//! PerfTest's flags with one dash and several letters, which are long flags here.

use std::ffi::OsString;

/// Each such flag.
const FLAGS: [(&str, &str); 9] = [
    ("-ad", "--auto-delete"),
    ("-qa", "--queue-args"),
    ("-qq", "--quorum-queue"),
    ("-qp", "--queue-pattern"),
    ("-qpf", "--queue-pattern-from"),
    ("-qpt", "--queue-pattern-to"),
    ("-ms", "--use-millis"),
    ("-pmessages", "--pmessages"),
    ("-cmessages", "--cmessages"),
];

/// The arguments of a command line, of which the second may be `perf`, as the library for command lines reads them.
pub(in crate::commands) fn spelled_out(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if arguments.get(1).is_none_or(|command| command != "perf") {
        return arguments;
    }
    for argument in arguments.iter_mut().skip(2) {
        if let Some((_, long)) = FLAGS.iter().find(|(short, _)| argument == *short) {
            *argument = OsString::from(long);
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(line: &str) -> String {
        let words = spelled_out(line.split(' ').map(OsString::from).collect());
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flags_of_perf_test_are_long_ones() {
        assert_eq!(
            spelled("leveret perf -ad false -qa a=1 -x 2"),
            "leveret perf --auto-delete false --queue-args a=1 -x 2"
        );
        assert_eq!(spelled("leveret peek -qa"), "leveret peek -qa");
    }
}
