//! The stories, told by amqprs. It has no recovery of its own, so `reconnect` connects again by hand.

mod client;
mod consuming;
mod dying;
mod failing;
mod harness;
mod publishing;
mod topology;

use std::process::ExitCode;
use std::time::Duration;

use harness::{tell, Story};

macro_rules! stories {
    ($($name:literal => $theme:ident::$body:ident),+ $(,)?) => {
        [$(Story {
            name: $name,
            body: |t| Box::pin($theme::$body(t)),
            deadline: Duration::from_secs(240),
        }),+]
    };
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let stories = stories! {
        "declare" => topology::declare,
        "bind" => topology::bind,
        "publish-consume" => publishing::publish_consume,
        "confirms" => publishing::confirms,
        "mandatory-return" => publishing::mandatory_return,
        "prefetch" => consuming::prefetch,
        "nack-requeue" => consuming::nack_requeue,
        "dead-letter" => dying::dead_letter,
        "ttl" => dying::ttl,
        "priorities" => consuming::priorities,
        "rpc-direct-reply-to" => consuming::rpc_direct_reply_to,
        "exclusive-auto-delete" => topology::exclusive_auto_delete,
        "large-body" => publishing::large_body,
        "cancel-notification" => consuming::cancel_notification,
        "errors" => failing::errors,
        "heartbeat-loss" => failing::heartbeat_loss,
        "reconnect" => failing::reconnect,
        "channels-1000" => failing::channels_1000,
        "tx" => publishing::tx,
        "headers-and-properties" => publishing::headers_and_properties,
        "exchange-to-exchange" => topology::exchange_to_exchange,
        "get" => consuming::get,
    };
    ExitCode::from(u8::from(tell(&stories).await > 0))
}
