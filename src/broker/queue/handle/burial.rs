//! Who finds dead letters publishes them, once no queue is locked.

use std::sync::Arc;

use super::{Burial, QueueHandle};

/// What to do about a dead letter that is in a segment file only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenAway {
    /// Read it here and now, because a client waits for what it did.
    Read,
    /// Have it read, and buried then.
    Order,
}

/// Dead letters that are published one after the other before others get their turn.
pub(super) const BURIALS_MAX: usize = 256;

/// Publishes the dead letters of these queues to their dead letter exchanges, and those that this makes in turn: a loop over a
/// work list, because queues can dead-letter into each other in chains of any length. The timer goes on with what is too much
/// for one turn, unless a client waits for what it did.
pub(super) fn bury(mut unburied: Vec<Arc<QueueHandle>>, when_away: WhenAway, now_ms: u64) {
    let mut left = BURIALS_MAX;
    while let Some(queue) = unburied.pop() {
        if left == 0 && when_away == WhenAway::Order {
            queue.node.deadlines.order_burial(&queue);
            continue;
        }
        let Some(vhost) = queue.vhost.upgrade() else { continue };
        match queue.next_burial() {
            Burial::Letters(letters) => {
                left = left.saturating_sub(letters.len());
                // It stays the burier of this queue.
                unburied.push(Arc::clone(&queue));
                for letter in letters {
                    vhost.bury(&queue, &letter, now_ms, &mut unburied);
                }
            }
            Burial::Away(load) if when_away == WhenAway::Order => queue.order(load),
            Burial::Away(load) => {
                let Some(loaded) = queue.read(load, || queue.order(load)) else { return };
                // Whether this one goes on burying is decided anew.
                queue.transition_deferred(&mut unburied, |state| {
                    queue.take(state, loaded);
                    state.pump(now_ms);
                });
            }
            Burial::Over => {}
        }
    }
}
