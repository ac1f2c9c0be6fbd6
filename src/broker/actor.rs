//! Who acts: known to whoever tells of a change, without being handed through everything that makes it.

use std::cell::RefCell;
use std::sync::Arc;

/// RabbitMQ's name for the broker itself.
pub(crate) const NOBODY: &str = "rmq-internal";

thread_local! {
    static ACTOR: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Who acted before, until this is dropped.
struct Before(Option<Arc<str>>);

impl Drop for Before {
    fn drop(&mut self) {
        ACTOR.set(self.0.take());
    }
}

/// Does something in the name of a user.
pub(crate) fn acting_as<R>(user: &Arc<str>, act: impl FnOnce() -> R) -> R {
    let _before = Before(ACTOR.replace(Some(Arc::clone(user))));
    act()
}

/// In whose name something is done now.
pub(in crate::broker) fn current() -> Arc<str> {
    ACTOR.with_borrow(Clone::clone).unwrap_or_else(|| NOBODY.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_innermost_one_until_that_is_done() {
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        assert_eq!(&*current(), NOBODY);
        acting_as(&one, || {
            assert_eq!(&*acting_as(&other, current), "other");
            assert_eq!(&*current(), "one");
        });
        assert_eq!(&*current(), NOBODY);
    }
}
