//! Who declared which queue and exchange, for clients whose declaration does not fit what is there. Kept in memory, of the last
//! `KEPT_MAX` declarations that made something; what was there at the start of the broker has nobody.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

/// So many are kept.
const KEPT_MAX: usize = 1_000;
/// Characters of the name that a program gives its connection.
const NAME_CHARS_MAX: usize = 200;

/// What can be declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Declarable {
    Queue,
    Exchange,
}

/// Who declared something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declarer {
    pub(crate) user: Arc<str>,
    /// RabbitMQ's name of the connection; `None` over the HTTP API.
    pub(crate) connection: Option<String>,
    /// The name that the program gave its connection.
    pub(crate) connection_name: Option<String>,
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: u64,
}

impl Declarer {
    /// A user who declared it over the HTTP API.
    pub(crate) fn over_http(user: &str, at_ms: u64) -> Self {
        Self { user: user.into(), connection: None, connection_name: None, at_ms }
    }
}

/// One of all names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Declared {
    kind: Declarable,
    vhost: Arc<str>,
    name: Arc<str>,
}

/// The declarers of a broker.
#[derive(Debug, Default)]
pub struct Declarers(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    known: HashMap<Declared, (u64, Arc<Declarer>)>,
    /// In the order of their numbers. What was declared again stands here more than once, and counts with its last number.
    order: VecDeque<(u64, Declared)>,
    next: u64,
}

impl Declarers {
    /// Notes who made something that was not there.
    pub(crate) fn note(&self, kind: Declarable, vhost: &Arc<str>, name: &str, mut declarer: Declarer) {
        if let Some(name) = &mut declarer.connection_name
            && let Some((end, _)) = name.char_indices().nth(NAME_CHARS_MAX)
        {
            name.truncate(end);
        }
        let declared = Declared { kind, vhost: Arc::clone(vhost), name: name.into() };
        let mut kept = self.0.lock();
        let number = kept.next;
        kept.next += 1;
        kept.known.insert(declared.clone(), (number, Arc::new(declarer)));
        kept.order.push_back((number, declared));
        if kept.order.len() > KEPT_MAX
            && let Some((number, oldest)) = kept.order.pop_front()
            // If it was declared again since, it stands further back with its later number.
            && kept.known.get(&oldest).is_some_and(|(last, _)| *last == number)
        {
            kept.known.remove(&oldest);
        }
    }

    /// Forgets who declared something: nobody did, it was imported.
    pub(crate) fn forget(&self, kind: Declarable, vhost: &Arc<str>, name: &str) {
        self.0.lock().known.remove(&Declared { kind, vhost: Arc::clone(vhost), name: name.into() });
    }

    /// Who declared something, if that is known.
    pub(crate) fn of(&self, kind: Declarable, vhost: &str, name: &str) -> Option<Arc<Declarer>> {
        let declared = Declared { kind, vhost: vhost.into(), name: name.into() };
        self.0.lock().known.get(&declared).map(|(_, declarer)| Arc::clone(declarer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(user: &str) -> Declarer {
        Declarer { user: user.into(), connection: None, connection_name: Some("ü".repeat(500)), at_ms: 5 }
    }

    fn user(declarers: &Declarers, kind: Declarable, name: &str) -> Option<String> {
        declarers.of(kind, "/", name).map(|declarer| declarer.user.to_string())
    }

    #[test]
    fn the_last_declarer_of_a_name_is_known() {
        let (declarers, vhost) = (Declarers::default(), Arc::<str>::from("/"));
        declarers.note(Declarable::Queue, &vhost, "orders", by("anna"));
        assert_eq!(user(&declarers, Declarable::Queue, "orders").as_deref(), Some("anna"));
        assert_eq!(user(&declarers, Declarable::Exchange, "orders"), None);
        declarers.note(Declarable::Queue, &vhost, "orders", by("bert"));
        assert_eq!(user(&declarers, Declarable::Queue, "orders").as_deref(), Some("bert"));
        declarers.forget(Declarable::Queue, &vhost, "orders");
        assert_eq!(user(&declarers, Declarable::Queue, "orders"), None);
    }

    #[test]
    fn no_more_are_kept_than_the_last_ones_and_long_names_are_cut() {
        let (declarers, vhost) = (Declarers::default(), Arc::<str>::from("/"));
        declarers.note(Declarable::Queue, &vhost, "again", by("anna"));
        for number in 0..KEPT_MAX {
            declarers.note(Declarable::Queue, &vhost, &format!("q{number}"), by("bert"));
            if number == KEPT_MAX / 2 {
                declarers.note(Declarable::Queue, &vhost, "again", by("carl"));
            }
        }
        assert_eq!(user(&declarers, Declarable::Queue, "q0"), None);
        assert_eq!(user(&declarers, Declarable::Queue, "again").as_deref(), Some("carl"));
        let kept = declarers.0.lock();
        assert_eq!((kept.known.len(), kept.order.len()), (KEPT_MAX, KEPT_MAX));
        drop(kept);
        let last = declarers.of(Declarable::Queue, "/", &format!("q{}", KEPT_MAX - 1)).unwrap();
        assert_eq!(last.connection_name.as_ref().unwrap().chars().count(), NAME_CHARS_MAX);
    }
}
