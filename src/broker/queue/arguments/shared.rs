//! Typed arguments that queues share: applications declare many queues alike.

use std::sync::Arc;

use parking_lot::Mutex;

use super::QueueArguments;

/// The arguments of the last queue that got some.
#[derive(Debug, Default)]
pub struct SharedArguments(Mutex<Arc<QueueArguments>>);

impl SharedArguments {
    /// These arguments, in the memory of the last ones if they are the same.
    pub(crate) fn share(&self, arguments: QueueArguments) -> Arc<QueueArguments> {
        let mut last = self.0.lock();
        if **last != arguments {
            *last = Arc::new(arguments);
        }
        Arc::clone(&last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_that_are_declared_alike_share_their_arguments() {
        let shared = SharedArguments::default();
        let limited = || QueueArguments { max_length: Some(1), ..QueueArguments::default() };
        let (first, second) = (shared.share(limited()), shared.share(limited()));
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(*shared.share(QueueArguments::default()), QueueArguments::default());
        assert_eq!(*first, limited());
    }
}
