//! Negotiation of limits (reference: 1.4); what is refused in silence is in `silence.rs`.

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::connection::AMQPMethod;

use crate::broker::TestBroker;

/// reference: 1.4, what the server proposes
#[tokio::test]
async fn the_server_proposes_2047_channels_128_kib_and_60_seconds() {
    let broker = TestBroker::start().await;
    let connection = broker.connect_with().start().await;
    let AMQPClass::Connection(AMQPMethod::Tune(tune)) = connection.expect((10, 30)).await else { unreachable!() };
    assert_eq!((tune.channel_max, tune.frame_max, tune.heartbeat), (2047, 131_072, 60));
}

/// reference: 1.4, accepted values
#[tokio::test]
async fn smaller_limits_and_any_heartbeat_are_accepted() {
    let broker = TestBroker::start().await;
    for channel_max in [1, 2, 2047] {
        broker.connect_with().channel_max(channel_max).open().await.close().await;
    }
    for frame_max in [8192, 8193, 131_071, 131_072] {
        broker.connect_with().frame_max(frame_max).open().await.close().await;
    }
    for heartbeat in [0, 1, 600, 65535] {
        broker.connect_with().heartbeat(heartbeat).open().await.close().await;
    }
}

/// reference: 1.4 and 1.6, channel-max counts open channels; their numbers are free
#[tokio::test]
async fn channel_max_limits_the_count_of_channels_and_not_their_numbers() {
    let broker = TestBroker::start().await;
    let connection = broker.connect_with().channel_max(2).open().await;
    let high = connection.channel(65535).await;
    connection.channel(2048).await;
    // A closed one makes room.
    high.close().await;
    connection.channel(7).await;
    let third = connection.unopened_channel(8);
    third.send(amq_protocol::protocol::channel::Open {}).await;
    let text = "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)";
    connection.expect_close(530, text, (0, 0)).await;
}

/// reference: 1.6, user channel limit; it is set over the management interface
#[tokio::test]
async fn the_channel_limit_of_a_user_refuses_with_530() {
    let user = crate::broker::unique("user");
    let broker = crate::broker::Setup::default().user(&user, "secret").start().await;
    broker.administrator().limit_user(&user, "max-channels", 1);
    let connection = broker.connect_with().user(&user, "secret").open().await;
    connection.channel(1).await;
    connection.unopened_channel(2).send(amq_protocol::protocol::channel::Open {}).await;
    let text = format!(
        "NOT_ALLOWED - number of channels opened for user '{user}' has reached the maximum allowed user limit of 1"
    );
    connection.expect_close(530, &text, (0, 0)).await;
}
