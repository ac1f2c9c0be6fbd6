//! Where a broker listens, of which the configuration may say only a part.

use crate::config::{Listen, Settings};

/// RabbitMQ's port.
const AMQP_PORT: u16 = 5672;
/// How far RabbitMQ's port of the management API, 15672, is above that of AMQP.
const HTTP_PORTS_ABOVE: u16 = 10_000;
/// How far RabbitMQ's port of the metrics, 15692, is above that of AMQP.
const PROMETHEUS_PORTS_ABOVE: u16 = 10_020;
/// How far RabbitMQ's port of AMQP, 5672, is above that of AMQP with TLS.
const AMQP_PORTS_ABOVE_AMQPS: u16 = 1;

/// All places to listen.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ListenPlaces {
    pub(super) amqp: Vec<Listen>,
    pub(super) amqps: Vec<Listen>,
    pub(super) http: Vec<Listen>,
    pub(super) https: Vec<Listen>,
    pub(super) prometheus: Vec<Listen>,
    pub(super) prometheus_tls: Vec<Listen>,
}

impl ListenPlaces {
    /// Those that the configuration asks for. As in RabbitMQ, HTTP is spoken with TLS alone where only a place with TLS is named;
    /// AMQP is spoken without TLS, too, unless that is switched off.
    pub(super) fn of(configured: &Settings) -> Self {
        let everywhere = configured.listen_everywhere;
        let usual = if everywhere { Listen::Everywhere(AMQP_PORT) } else { Listen::Localhost(AMQP_PORT) };
        let amqps = configured.amqps_listen.clone();
        let amqp = match configured.amqp_listen.as_slice() {
            _ if configured.no_amqp => Vec::new(),
            [] => vec![usual],
            given => given.to_vec(),
        };
        // What HTTP is above of, where it was not said where that is served. For all machines the ports are RabbitMQ's own, whatever
        // that of AMQP: who publishes ports of a container knows no others.
        let base = match amqp.as_slice() {
            _ if everywhere => vec![usual],
            [] => above(&amqps, AMQP_PORTS_ABOVE_AMQPS),
            given => given.to_vec(),
        };
        let beside = |is_off: bool, plain: &[Listen], secured: &[Listen], ports| match (plain, secured) {
            _ if is_off => (Vec::new(), Vec::new()),
            ([], []) => (above(&base, ports), Vec::new()),
            (plain, secured) => (plain.to_vec(), secured.to_vec()),
        };
        let (http, https) =
            beside(configured.no_http, &configured.http_listen, &configured.https_listen, HTTP_PORTS_ABOVE);
        let (prometheus, prometheus_tls) = beside(
            configured.no_prometheus,
            &configured.prometheus_listen,
            &configured.prometheus_tls_listen,
            PROMETHEUS_PORTS_ABOVE,
        );
        Self { amqp, amqps, http, https, prometheus, prometheus_tls }
    }
}

/// The same places so many ports above, or on free ports.
fn above(places: &[Listen], ports: u16) -> Vec<Listen> {
    let above = |place: &Listen| {
        place.with_port(match place.port() {
            0 => 0,
            port => port.checked_add(ports).unwrap_or(0),
        })
    };
    places.iter().map(above).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(set: impl FnOnce(&mut Settings)) -> ListenPlaces {
        let mut settings = Settings::default();
        set(&mut settings);
        ListenPlaces::of(&settings)
    }

    #[test]
    fn without_a_word_it_listens_on_this_machine() {
        let expected = ListenPlaces {
            amqp: vec![Listen::Localhost(5672)],
            http: vec![Listen::Localhost(15_672)],
            prometheus: vec![Listen::Localhost(15_692)],
            ..ListenPlaces::default()
        };
        assert_eq!(places(|_| {}), expected);
    }

    #[test]
    fn a_container_listens_for_all_machines_unless_a_place_is_named() {
        let container = places(|settings| settings.listen_everywhere = true);
        assert_eq!(
            (container.amqp, container.http),
            (vec![Listen::Everywhere(5672)], vec![Listen::Everywhere(15_672)])
        );
        let named = places(|settings| {
            settings.listen_everywhere = true;
            settings.amqp_listen = vec![Listen::Localhost(1)];
        });
        assert_eq!((named.amqp, named.http), (vec![Listen::Localhost(1)], vec![Listen::Everywhere(15_672)]));
    }

    #[test]
    fn with_tls_alone_http_has_rabbitmqs_ports_too() {
        let secured = places(|settings| {
            settings.no_amqp = true;
            settings.amqps_listen = vec![Listen::Everywhere(5671)];
        });
        assert_eq!((secured.amqp, secured.http), (vec![], vec![Listen::Everywhere(15_672)]));
        assert_eq!(secured.prometheus, [Listen::Everywhere(15_692)]);
    }

    #[test]
    fn http_is_spoken_with_tls_alone_where_only_that_is_named() {
        let secured = places(|settings| {
            settings.https_listen = vec![Listen::Everywhere(15_671)];
            settings.prometheus_tls_listen = vec![Listen::Everywhere(15_691)];
        });
        assert_eq!((secured.http, secured.prometheus), (vec![], vec![]));
        let both = places(|settings| {
            settings.http_listen = vec![Listen::Localhost(1)];
            settings.https_listen = vec![Listen::Localhost(2)];
        });
        assert_eq!((both.http, both.https), (vec![Listen::Localhost(1)], vec![Listen::Localhost(2)]));
    }

    #[test]
    fn what_is_switched_off_is_not_served_with_tls_either() {
        let off = places(|settings| {
            (settings.no_http, settings.no_prometheus) = (true, true);
            settings.https_listen = vec![Listen::Everywhere(1)];
            settings.prometheus_tls_listen = vec![Listen::Everywhere(2)];
        });
        assert_eq!((off.http, off.https, off.prometheus, off.prometheus_tls), (vec![], vec![], vec![], vec![]));
    }

    #[test]
    fn ports_above_the_last_one_are_free_ones() {
        let high = places(|settings| settings.amqp_listen = vec![Listen::Localhost(60_000)]);
        assert_eq!((high.http, high.prometheus), (vec![Listen::Localhost(0)], vec![Listen::Localhost(0)]));
        let free = places(|settings| settings.amqp_listen = vec![Listen::Localhost(0)]);
        assert_eq!(free.http, [Listen::Localhost(0)], "whoever wants any port does not want 10000");
    }
}
