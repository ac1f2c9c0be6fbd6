//! The lines of a run, in PerfTest's words.

use super::meter::{Measured, Quantiles};
use super::plan::Unit;

/// One line an interval.
pub(super) fn line(
    id: &str,
    elapsed_ms: u64,
    interval_ms: u64,
    measured: &Measured,
    has_confirms: bool,
    unit: Unit,
) -> String {
    let a_second = |count: u64| rate(count, interval_ms);
    let mut line = format!(
        "id: {id}, time {}.{:03} s, sent: {} msg/s",
        elapsed_ms / 1000,
        elapsed_ms % 1000,
        a_second(measured.sent)
    );
    if measured.returned > 0 {
        line += &format!(", returned: {} msg/s", a_second(measured.returned));
    }
    if has_confirms {
        line += &format!(
            ", confirmed: {} msg/s, nacked: {} msg/s",
            a_second(measured.confirmed),
            a_second(measured.nacked)
        );
    }
    line += &format!(", received: {} msg/s", a_second(measured.received));
    line += &latency("consumer", measured.consumer_latency, unit);
    line += &latency("confirm", measured.confirm_latency, unit);
    line
}

fn latency(of: &str, quantiles: Option<Quantiles>, unit: Unit) -> String {
    let Some(Quantiles(values)) = quantiles else { return String::new() };
    let values = values.map(|value| value.to_string()).join("/");
    format!(", min/median/75th/95th/99th {of} latency: {values} {}", unit.name())
}

/// The two last lines.
pub(super) fn summary(id: &str, elapsed_ms: u64, sent: u64, received: u64) -> String {
    let (sent, received) = (rate(sent, elapsed_ms), rate(received, elapsed_ms));
    format!("id: {id}, sending rate avg: {sent} msg/s\nid: {id}, receiving rate avg: {received} msg/s")
}

fn rate(count: u64, ms: u64) -> u64 {
    count.saturating_mul(1000).checked_div(ms).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEASURED: Measured = Measured {
        sent: 2_000,
        received: 1_000,
        returned: 0,
        confirmed: 1_500,
        nacked: 0,
        consumer_latency: Some(Quantiles([1, 2, 3, 4, 5])),
        confirm_latency: None,
    };

    #[test]
    fn lines_are_those_of_perf_test() {
        assert_eq!(
            line("t", 12_034, 2_000, &MEASURED, false, Unit::Microseconds),
            "id: t, time 12.034 s, sent: 1000 msg/s, received: 500 msg/s, \
             min/median/75th/95th/99th consumer latency: 1/2/3/4/5 µs"
        );
        let confirmed =
            Measured { returned: 2, consumer_latency: None, confirm_latency: Some(Quantiles([9; 5])), ..MEASURED };
        assert_eq!(
            line("t", 1_000, 1_000, &confirmed, true, Unit::Milliseconds),
            "id: t, time 1.000 s, sent: 2000 msg/s, returned: 2 msg/s, confirmed: 1500 msg/s, nacked: 0 msg/s, received: 1000 msg/s, \
             min/median/75th/95th/99th confirm latency: 9/9/9/9/9 ms"
        );
        assert_eq!(
            summary("t", 2_000, 100, 50),
            "id: t, sending rate avg: 50 msg/s\nid: t, receiving rate avg: 25 msg/s"
        );
        assert_eq!(summary("t", 0, 100, 50), "id: t, sending rate avg: 0 msg/s\nid: t, receiving rate avg: 0 msg/s");
    }
}
