//! `/consumers`.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::Answer;
use super::api::Api;
use super::channels;
use super::listing::{self, Listed};
use super::refusal::Refusal;
use super::request::Request;
use super::values;
use crate::broker::ids::ChannelId;
use crate::broker::queue::{ConsumerSnapshot, ConsumerState, QueueHandle};
use crate::broker::registry::{ChannelInfo, ConnectionInfo};
use crate::broker::vhost::Vhost;

/// Who consumes from what.
#[derive(Debug, Serialize)]
pub(super) struct ConsumerObject {
    consumer_tag: Arc<str>,
    ack_required: bool,
    active: bool,
    activity_status: &'static str,
    arguments: Map<String, Value>,
    exclusive: bool,
    prefetch_count: u16,
    consumer_timeout: Option<u64>,
    queue: QueueName,
    channel_details: Option<ChannelDetails>,
    #[serde(skip)]
    user: Arc<str>,
}

#[derive(Debug, Serialize)]
struct QueueName {
    name: Arc<str>,
    vhost: Arc<str>,
}

/// A channel, as other objects name it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ChannelDetails {
    name: String,
    number: u16,
    node: String,
    user: Arc<str>,
    connection_name: String,
    peer_host: String,
    peer_port: u16,
}

impl Listed for ConsumerObject {
    fn name(&self) -> &str {
        &self.consumer_tag
    }

    /// By its tag, its queue or its channel.
    fn is_called(&self, is_wanted: &dyn Fn(&str) -> bool) -> bool {
        let channel = self.channel_details.as_ref().map(|channel| &*channel.name);
        is_wanted(&self.consumer_tag) || is_wanted(&self.queue.name) || channel.is_some_and(is_wanted)
    }

    fn vhost(&self) -> &str {
        &self.queue.vhost
    }
}

/// All channels that are open, by identity.
#[derive(Debug)]
pub(super) struct ChannelsById(HashMap<ChannelId, (Arc<ConnectionInfo>, Arc<ChannelInfo>)>);

impl ChannelsById {
    pub(super) fn of(api: &Api) -> Self {
        let connections = api.broker.node().registry.connections();
        let channels = connections.iter().flat_map(|connection| {
            connection.channels().into_iter().map(move |channel| (channel.id, (Arc::clone(connection), channel)))
        });
        Self(channels.collect())
    }

    fn details(&self, id: ChannelId, api: &Api) -> Option<ChannelDetails> {
        let (connection, channel) = self.0.get(&id)?;
        let spec = &connection.spec;
        Some(ChannelDetails {
            name: channels::name(connection, channel),
            number: channel.number,
            node: api.node().to_owned(),
            user: Arc::clone(&spec.user),
            connection_name: spec.name(),
            peer_host: spec.peer.host.clone(),
            peer_port: spec.peer.port,
        })
    }
}

/// The consumers of a queue.
pub(super) fn of_queue(channels: &ChannelsById, vhost: &Vhost, queue: &QueueHandle, api: &Api) -> Vec<ConsumerObject> {
    queue.consumers().into_iter().map(|consumer| object(channels, vhost, queue, consumer, api)).collect()
}

fn object(
    channels: &ChannelsById,
    vhost: &Vhost,
    queue: &QueueHandle,
    consumer: ConsumerSnapshot,
    api: &Api,
) -> ConsumerObject {
    let channel_details = channels.details(consumer.channel, api);
    ConsumerObject {
        consumer_tag: consumer.consumer_tag,
        ack_required: consumer.ack_required,
        active: consumer.state != ConsumerState::Waiting,
        activity_status: match consumer.state {
            ConsumerState::Up => "up",
            ConsumerState::SingleActive => "single_active",
            ConsumerState::Waiting => "waiting",
            ConsumerState::Blocked => "blocked",
        },
        arguments: values::object(consumer.raw_arguments.fields()),
        exclusive: consumer.exclusive,
        prefetch_count: consumer.prefetch_count,
        // RabbitMQ shows a time where none counts, too: for queues and consumers that nothing is waited for from.
        consumer_timeout: consumer.timeout_ms.or_else(|| api.broker.node().settings.consumer_timeout.ms()),
        queue: QueueName { name: Arc::clone(&queue.spec.name), vhost: Arc::clone(&vhost.name) },
        user: channel_details.as_ref().map(|channel| Arc::clone(&channel.user)).unwrap_or_default(),
        channel_details,
    }
}

/// The consumers that were started on a channel.
pub(super) fn of_channel(api: &Api, connection: &ConnectionInfo, channel: &ChannelInfo) -> Vec<ConsumerObject> {
    let Some(vhost) = api.broker.vhost(&connection.spec.vhost) else { return Vec::new() };
    let channels = ChannelsById::of(api);
    let queues = vhost.queues();
    let consumers = queues.iter().flat_map(|queue| {
        let own = queue.consumers().into_iter().filter(|consumer| consumer.channel == channel.id);
        own.map(|consumer| object(&channels, &vhost, queue, consumer, api)).collect::<Vec<_>>()
    });
    consumers.collect()
}

/// All consumers that the caller may see.
fn seen(request: &Request<'_>, vhosts: Vec<Arc<Vhost>>) -> Result<Vec<ConsumerObject>, Refusal> {
    let channels = ChannelsById::of(request.api);
    let caller = request.caller()?;
    let mut items = Vec::new();
    for vhost in vhosts {
        let queues = vhost.queues();
        items.extend(queues.iter().flat_map(|queue| of_queue(&channels, &vhost, queue, request.api)));
    }
    items.retain(|consumer| caller.is_monitor() || *consumer.user == *caller.name());
    Ok(items)
}

/// `GET /consumers`, `/consumers/{vhost}`.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(listing::array(request, seen(request, request.vhosts()?)?))
}

/// `GET /leveret/consumers`, `/leveret/consumers/{vhost}`: with pages and filters, which RabbitMQ's list has not.
pub(super) fn pages(request: &Request<'_>) -> Result<Answer, Refusal> {
    listing::paged(request, seen(request, request.vhosts()?)?)
}
