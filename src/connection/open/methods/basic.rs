//! Class `basic`, but for publishing, settling and consuming (behaviour reference 5.2, 5.5 and 5.7).

use super::consume::Consume;
use crate::auth::{Access, Resource};
use crate::broker::deprecated::DeprecatedFeature;
use crate::broker::profile::Permission;
use crate::broker::queue::{QueueHandle, Return};
use crate::broker::settler::DeliveryOutcome;
use crate::connection::aside::aside;
use crate::connection::effort::TURN_EFFORT;
use crate::connection::open::Open;
use crate::connection::open::deliver::delivered_properties;
use crate::error::AmqpError;
use crate::impossible::impossible;
use crate::protocol::command::{BasicMethod, Reply};
use crate::protocol::fast::{self, SettlementKind};

pub(super) fn dispatch(open: &mut Open, channel: u16, method: BasicMethod, now_ms: u64) -> Result<(), AmqpError> {
    let settle = |open: &mut Open, tag, kind| open.settle(channel, tag, kind, now_ms);
    match method {
        BasicMethod::Qos { prefetch_size, prefetch_count, global } => {
            open.basic_qos(channel, prefetch_size, prefetch_count, global, now_ms)
        }
        BasicMethod::Consume { queue, consumer_tag, no_ack, exclusive, no_wait, arguments, .. } => {
            let consume = Consume { queue, consumer_tag, no_ack, exclusive, no_wait, arguments };
            open.basic_consume(channel, consume, now_ms)
        }
        BasicMethod::Cancel { consumer_tag, no_wait } => open.basic_cancel(channel, &consumer_tag, no_wait, now_ms),
        BasicMethod::Get { queue, no_ack } => open.basic_get(channel, queue, no_ack, now_ms),
        BasicMethod::Ack { delivery_tag, multiple } => settle(open, delivery_tag, SettlementKind::Ack { multiple }),
        BasicMethod::Reject { delivery_tag, requeue } => settle(open, delivery_tag, SettlementKind::Reject { requeue }),
        BasicMethod::Nack { delivery_tag, multiple, requeue } => {
            settle(open, delivery_tag, SettlementKind::Nack { multiple, requeue })
        }
        BasicMethod::Recover { requeue } => {
            open.basic_recover(channel, requeue, now_ms)?;
            open.reply(channel, &Reply::BasicRecoverOk);
            Ok(())
        }
        BasicMethod::RecoverAsync { requeue } => open.basic_recover(channel, requeue, now_ms),
        // The answer to a cancellation by the broker: nothing waits for it.
        BasicMethod::CancelOk { .. } => Ok(()),
        BasicMethod::Publish { .. } => {
            impossible!("a basic.publish came without its content");
            Ok(())
        }
    }
}

impl Open {
    fn basic_qos(
        &mut self,
        number: u16,
        prefetch_size: u32,
        prefetch_count: u16,
        global: bool,
        now_ms: u64,
    ) -> Result<(), AmqpError> {
        if prefetch_size != 0 {
            return Err(AmqpError::not_implemented(format!("prefetch_size!=0 ({prefetch_size})")));
        }
        if global {
            let by = || format!("basic.qos of {}", self.registration.info().spec.for_people());
            self.node.deprecated.note(DeprecatedFeature::GlobalQos, by);
        }
        let is_shared = global && self.node.settings.profile().global_qos == Permission::Permitted;
        if is_shared {
            // What is on its way has no tag yet, and counts all the same.
            self.encode_everything(now_ms);
        }
        if let Some(channel) = self.channels.get_mut(number) {
            if is_shared {
                let used = u32::try_from(channel.unacked.consumed_count()).unwrap_or(u32::MAX);
                channel.credit.set(u32::from(prefetch_count), used);
            } else {
                channel.prefetch_count = prefetch_count;
            }
        }
        self.reply(number, &Reply::BasicQosOk);
        if is_shared {
            self.resume_channel(number, now_ms);
        }
        Ok(())
    }

    fn basic_get(&mut self, number: u16, queue: String, no_ack: bool, now_ms: u64) -> Result<(), AmqpError> {
        let queue = self.queue_name(number, queue)?;
        self.may(Access::Read, Resource::Queue(&queue))?;
        let queue = self.vhost.queue(&queue, self.id)?;
        refuse_get(&queue)?;
        let sink = self.sink();
        let Some(channel) = self.channels.get_mut(number) else {
            impossible!("a method came on channel {number}, which does not exist");
            return Ok(());
        };
        let mut got = queue.get(channel.id, &sink, no_ack, now_ms);
        // More had expired, or comes back, than one transition sees to: asked again where
        // nobody else waits for it.
        if got.is_err() {
            let again = || queue.get(channel.id, &sink, no_ack, now_ms);
            got = aside(TURN_EFFORT, || std::iter::repeat_with(again).find(Result::is_ok)).unwrap_or(Ok(None));
            self.effort.spend(TURN_EFFORT);
        }
        let Ok(Some((delivery, ready))) = got else {
            channel.stats.get_empty += 1;
            self.reply(number, &Reply::BasicGetEmpty);
            return Ok(());
        };
        let method = fast::GetOk {
            channel: number,
            delivery_tag: channel.tag_got(&queue, delivery.token),
            redelivered: delivery.redelivered,
            message_count: u32::try_from(ready).unwrap_or(u32::MAX),
        };
        let frame_max = self.tuning.frame_max;
        let properties = delivered_properties(&delivery.message, delivery.counts);
        self.output.push_message(&method, &delivery.message, &properties, frame_max);
        self.trace_got(number, &queue, &delivery, now_ms);
        Ok(())
    }

    fn basic_recover(&mut self, number: u16, requeue: bool, now_ms: u64) -> Result<(), AmqpError> {
        if !requeue {
            return Err(AmqpError::not_implemented("requeue=false"));
        }
        let Some(channel) = self.channels.get_mut(number) else {
            impossible!("a method came on channel {number}, which does not exist");
            return Ok(());
        };
        for (_, outstanding) in channel.unacked.take_up_to(0).unwrap_or_default() {
            self.settle_outstanding(number, outstanding, DeliveryOutcome::Requeued(Return::Nacked));
        }
        self.flush_settled(now_ms);
        Ok(())
    }
}

fn refuse_get(queue: &QueueHandle) -> Result<(), AmqpError> {
    let arguments = &queue.spec.arguments;
    if arguments.kind.rules().refuses_get_beside_active && arguments.single_active_consumer {
        return Err(AmqpError::resource_locked(format!(
            "cannot obtain access to locked {queue}. basic.get operations are not supported by <<\"quorum\">> queues with \
             single active consumer"
        )));
    }
    Ok(())
}
