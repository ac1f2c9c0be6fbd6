//! Waits for the confirms of a publisher.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, Confirmation, PublisherConfirm};
use tokio::sync::{Semaphore, mpsc};

use super::load::{Ended, Run, failed};

/// How long the last ones are waited for at the end.
const LAST_CONFIRMS: Duration = Duration::from_secs(10);

/// The confirms that a publisher waits for; each is waited for by one task, in the order of publishing.
pub(super) struct Confirms(Option<Waiting>);

struct Waiting {
    room: Arc<Semaphore>,
    most: usize,
    next: mpsc::UnboundedSender<(PublisherConfirm, u64)>,
}

impl Confirms {
    pub(super) async fn of(run: &Arc<Run>, channel: &Channel) -> Result<Self, Ended> {
        let Some(most) = run.plan.publishing.unconfirmed else { return Ok(Self(None)) };
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(failed("cannot ask for confirms"))?;
        // Never longer than there is room for.
        let (next, mut waiting) = mpsc::unbounded_channel::<(PublisherConfirm, u64)>();
        let (room, run) = (Arc::new(Semaphore::new(most)), Arc::clone(run));
        let freed = Arc::clone(&room);
        tokio::spawn(async move {
            while let Some((confirm, sent_at)) = waiting.recv().await {
                match confirm.await {
                    Ok(Confirmation::Ack(returned)) => {
                        run.meter.confirmed.add(1);
                        run.meter.returned.add(u64::from(returned.is_some()));
                    }
                    // The connection is gone: whoever publishes says so.
                    Ok(Confirmation::Nack(_) | Confirmation::NotRequested) | Err(_) => run.meter.nacked.add(1),
                }
                run.meter.confirm_latency.add(run.now().saturating_sub(sent_at));
                freed.add_permits(1);
            }
        });
        Ok(Self(Some(Waiting { room, most, next })))
    }

    pub(super) async fn room(&self) {
        if let Some(waiting) = &self.0
            && let Ok(permit) = waiting.room.acquire().await
        {
            // The task gives it back when the confirm is there.
            permit.forget();
        }
    }

    pub(super) fn wait_for(&self, confirm: PublisherConfirm, sent_at: u64) {
        if let Some(waiting) = &self.0 {
            // It lives as long as there are confirms to wait for.
            waiting.next.send((confirm, sent_at)).ok();
        }
    }

    /// Waits until all have come.
    pub(super) async fn all(&self) {
        if let Some(waiting) = &self.0 {
            // All room is free only when no confirm is missing.
            let all = u32::try_from(waiting.most).unwrap_or(u32::MAX);
            // A broker that does not confirm keeps nobody from ending.
            drop(tokio::time::timeout(LAST_CONFIRMS, waiting.room.acquire_many(all)).await);
        }
    }
}
