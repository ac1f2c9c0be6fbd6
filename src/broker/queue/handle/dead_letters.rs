//! Who finds dead letters publishes them, once no queue is locked.

use std::sync::Arc;

use super::{NextDeadLetters, QueueHandle};

/// What to do about a dead letter that is in a segment file only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenOnDisk {
    /// Read it here and now, because a client waits for what it did.
    Read,
    /// Have it read, and published then.
    Order,
}

/// Dead letters that are published one after the other before others get their turn, if each goes to one queue. One that is
/// copied to thousands of queues counts for hundreds.
pub(super) const DEAD_LETTERS_MAX: usize = 256;

/// Publishes the dead letters of these queues to their dead letter exchanges, and those that this makes in turn: a loop over a
/// work list, because queues can dead-letter into each other in chains of any length. The timer goes on with what is too much
/// for one turn, unless a client waits for what it did. Returns how many it published, as [`DEAD_LETTERS_MAX`] counts them.
pub(super) fn publish_dead_letters(
    mut with_dead_letters: Vec<Arc<QueueHandle>>,
    when_on_disk: WhenOnDisk,
    now_ms: u64,
) -> usize {
    // Shared by all queues of the list: a chain of queues must not hold up others longer than one.
    let mut done = 0;
    // Each queue in the list has noted that somebody publishes for it, and that is this call: nobody else does.
    while let Some(queue) = with_dead_letters.pop() {
        if done >= DEAD_LETTERS_MAX && when_on_disk == WhenOnDisk::Order {
            queue.node.deadlines.order_dead_letters(&queue);
            continue;
        }
        // The virtual host is gone, and everything in it.
        let Some(vhost) = queue.vhost.upgrade() else { continue };
        // Asked anew each time: the answer is what is first now, or that another transition takes over.
        match queue.next_dead_letters() {
            NextDeadLetters::Letters(letters) => {
                // It goes on publishing for this queue.
                with_dead_letters.push(Arc::clone(&queue));
                for letter in letters {
                    // No queue is locked here. The letters stay in their queue until the target has them, and
                    // leave it in the same transaction.
                    done += vhost.publish_dead_letter(&queue, &letter, now_ms, &mut with_dead_letters);
                    if done >= DEAD_LETTERS_MAX && when_on_disk == WhenOnDisk::Order {
                        // Those behind it are handed out again: what is not published is still the first in its queue.
                        break;
                    }
                }
            }
            // The publishing ends here: when the block has arrived, that transition asks for a publisher again.
            NextDeadLetters::OnDisk(load) if when_on_disk == WhenOnDisk::Order => queue.order(load),
            NextDeadLetters::OnDisk(load) => {
                // It is ordered then, and published when it arrives; the other queues of the list have nobody but this call.
                let Some(loaded) = queue.read(load, || queue.order(load)) else { continue };
                // Whether this one goes on publishing is decided anew.
                queue.transition_deferred(&mut with_dead_letters, |state| {
                    queue.take(state, loaded);
                    state.pump(now_ms);
                });
            }
            NextDeadLetters::Over => {}
        }
    }
    done
}
