use super::*;
use crate::broker::ids::ConsumerId;
use crate::broker::sink::Delivery;
use crate::error::ReplyCode;
use crate::table::Table;

/// Remembers what it is told.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<Notice>>);

impl Sink for Told {
    fn room_bytes(&self) -> usize {
        0
    }
    fn reply(&self, _: Delivery) {}
    fn starve(&self, _: ConsumerId) {}
    fn deliver(&self, _: &mut Vec<Delivery>) {}
    fn notify(&self, notice: Notice) {
        self.0.lock().push(notice);
    }
}

fn spec(id: u64, user: &str, vhost: &str) -> ConnectionSpec {
    ConnectionSpec {
        id: ConnectionId(id),
        peer: Endpoint { host: "127.0.0.1".to_owned(), port: 41_000 },
        local: Endpoint { host: "127.0.0.1".to_owned(), port: 5672 },
        user: user.into(),
        vhost: vhost.into(),
        user_provided_name: None,
        auth_mechanism: "PLAIN",
        encryption: None,
        client_properties: EncodedTable::default(),
        channel_max: 2047,
        frame_max: 131_072,
        heartbeat: 60,
        connected_at_ms: 0,
    }
}

fn register(registry: &Arc<Registry>, spec: ConnectionSpec, sink: Arc<Told>) -> Registration {
    registry.register(spec, ConnectionLimits::default(), Arc::default(), sink).unwrap()
}

#[test]
fn what_connections_and_channels_take_is_counted_while_they_are_there() {
    let registry = Arc::new(Registry::default());
    let said: Table = [("product", "x".repeat(60_000))].into_iter().collect();
    let spec = ConnectionSpec { client_properties: (&said).into(), ..spec(1, "guest", "/") };
    let registration = register(&registry, spec, Arc::default());
    let without_channel = registry.taken.bytes();
    assert!(without_channel > 60_000);
    let channel = registration.open_channel(opening(1, 1), ChannelLimits::default()).unwrap();
    assert!(registry.taken.bytes() > without_channel);
    drop(channel);
    assert_eq!(registry.taken.bytes(), without_channel);
    drop(registration);
    assert_eq!(registry.taken.bytes(), 0);
}

#[test]
fn a_connection_is_listed_as_long_as_it_is_registered() {
    let registry = Arc::new(Registry::default());
    let registration = register(&registry, spec(1, "guest", "/"), Arc::default());
    assert_eq!(registration.info().spec.name(), "127.0.0.1:41000 -> 127.0.0.1:5672");
    assert_eq!((registry.connection_count(), registry.connection(ConnectionId(1)).is_some()), (1, true));
    drop(registration);
    assert_eq!((registry.connection_count(), registry.connection(ConnectionId(1)).is_some()), (0, false));
    let churn = registry.churn.read();
    assert_eq!((churn.connection_created, churn.connection_closed), (1, 1));
}

#[test]
fn a_channel_number_that_is_opened_again_stays_listed() {
    let registry = Arc::new(Registry::default());
    let registration = register(&registry, spec(1, "guest", "/"), Arc::default());
    let first = registration.open_channel(opening(1, 7), ChannelLimits::default()).unwrap();
    let second = registration.open_channel(opening(2, 7), ChannelLimits::default()).unwrap();
    drop(first);
    let listed: Vec<_> = registration.info().channels().iter().map(|channel| channel.id).collect();
    assert_eq!(listed, [ChannelId(2)]);
    drop(second);
    assert_eq!(registration.info().channel_count(), 0);
}

#[test]
fn those_who_are_concerned_are_asked_to_close() {
    let registry = Arc::new(Registry::default());
    let sinks = [Arc::<Told>::default(), Arc::default(), Arc::default()];
    let users = [("a", "/"), ("b", "/"), ("a", "v")];
    let _registrations: Vec<_> = (1..)
        .zip(&sinks)
        .zip(users)
        .map(|((id, sink), (user, vhost))| register(&registry, spec(id, user, vhost), Arc::clone(sink)))
        .collect();
    let error = AmqpError::connection_forced("user 'a' is deleted");
    assert_eq!(registry.close_where(|connection| &*connection.spec.user == "a", &error), 2);
    let told: Vec<_> = sinks.iter().map(|sink| sink.0.lock().len()).collect();
    assert_eq!(told, [1, 0, 1]);
    assert!(matches!(&sinks[0].0.lock()[0], Notice::Close(error) if error.code == ReplyCode::ConnectionForced));
}

fn opening(id: u64, number: u16) -> ChannelOpening {
    ChannelOpening { id: ChannelId(id), number, at_ms: 0 }
}
