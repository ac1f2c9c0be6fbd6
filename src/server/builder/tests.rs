use super::*;

#[test]
fn what_is_served_beside_amqp_is_above_it() {
    let above = |port, ports| above(Listen::Localhost(port), ports).port();
    let http = [5672, 5673, 0, 60_000].map(|port| above(port, HTTP_PORTS_ABOVE));
    assert_eq!(http, [15_672, 15_673, 0, 0]);
    assert_eq!([5672, 0].map(|port| above(port, PROMETHEUS_PORTS_ABOVE)), [15_692, 0]);
}
