//! Arguments that queues share, typed and as they were given: applications declare many queues alike.

use std::sync::Arc;

use parking_lot::Mutex;

use super::QueueArguments;
use crate::table::EncodedTable;

/// The arguments of the last queue that got some.
#[derive(Debug, Default)]
pub struct SharedArguments(Mutex<Last>);

#[derive(Debug, Default)]
struct Last {
    typed: Arc<QueueArguments>,
    given: EncodedTable,
}

impl SharedArguments {
    /// These arguments, in the memory of the last ones if they are the same.
    pub(crate) fn share(&self, arguments: QueueArguments) -> Arc<QueueArguments> {
        let mut last = self.0.lock();
        if *last.typed != arguments {
            last.typed = Arc::new(arguments);
        }
        Arc::clone(&last.typed)
    }

    /// The same for arguments as they were given.
    pub(crate) fn share_given(&self, given: EncodedTable) -> EncodedTable {
        let mut last = self.0.lock();
        if last.given != given {
            last.given = given;
        }
        last.given.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Table, Value};

    #[test]
    fn queues_that_are_declared_alike_share_their_arguments() {
        let shared = SharedArguments::default();
        let limited = || QueueArguments { max_length: Some(1), ..QueueArguments::default() };
        let (first, second) = (shared.share(limited()), shared.share(limited()));
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(*shared.share(QueueArguments::default()), QueueArguments::default());
        assert_eq!(*first, limited());
        let table = |max| [("x-max-length", Value::I32(max))].into_iter().collect::<Table>();
        let given = |max| shared.share_given((&table(max)).into());
        let (first, second, other) = (given(1), given(1), given(2));
        assert_eq!(first.fields().as_bytes().as_ptr(), second.fields().as_bytes().as_ptr());
        assert_ne!(first, other);
    }
}
