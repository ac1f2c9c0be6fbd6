//! The policies of a virtual host, ready to be asked what holds for a name.

use std::cmp::Reverse;
use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::{Applied, keys};
use crate::auth::Pattern;
use crate::broker::definitions::{ApplyTo, PolicyDefinition};
use crate::broker::queue::arguments::QueueKind;

/// What a policy may hold for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A queue of this type.
    Queue(QueueKind),
    /// An exchange of any type.
    Exchange,
}

impl ApplyTo {
    /// Whether a policy for this is one for such things.
    pub(crate) const fn covers(self, subject: Subject) -> bool {
        match (self, subject) {
            (Self::All, _)
            | (Self::Queues, Subject::Queue(_))
            | (Self::ClassicQueues, Subject::Queue(QueueKind::Classic))
            | (Self::QuorumQueues, Subject::Queue(QueueKind::Quorum))
            | (Self::Exchanges, Subject::Exchange) => true,
            (
                Self::Queues | Self::ClassicQueues | Self::QuorumQueues | Self::Streams | Self::Exchanges,
                Subject::Queue(QueueKind::Classic | QueueKind::Quorum) | Subject::Exchange,
            ) => false,
        }
    }
}

/// A policy with its pattern compiled.
#[derive(Debug)]
pub(crate) struct Candidate {
    definition: PolicyDefinition,
    pattern: Pattern,
}

impl Candidate {
    /// A policy. A pattern that this version does not understand matches nothing.
    pub(crate) fn new(definition: PolicyDefinition) -> Self {
        let pattern = Pattern::new(&definition.pattern).unwrap_or_else(|_| Pattern::nothing());
        Self { definition, pattern }
    }

    /// As it was put.
    pub(crate) const fn definition(&self) -> &PolicyDefinition {
        &self.definition
    }

    /// Whether it is one for this. As in RabbitMQ, a policy with a key that queues of a type cannot obey is none for them.
    pub(crate) fn matches(&self, name: &str, subject: Subject) -> bool {
        self.definition.apply_to.covers(subject)
            && self.definition.definition.keys().all(|key| keys::is_for(key, subject))
            && self.pattern.is_match(name)
    }

    /// Its place among others: the highest priority first, then the first name.
    pub(crate) fn rank(&self) -> (Reverse<i64>, &str) {
        (Reverse(self.definition.priority), &self.definition.name)
    }
}

/// Places in the two lists of a set.
type Pair = (Option<usize>, Option<usize>);

/// The policies of a virtual host.
#[derive(Debug, Default)]
pub(crate) struct PolicySet {
    revision: u64,
    /// Those of users and those of operators, each by rank.
    users: Vec<Candidate>,
    operators: Vec<Candidate>,
    /// What was found before: never more than there are pairs of policies that hold for something.
    applied: Mutex<FxHashMap<Pair, Arc<Applied>>>,
}

impl PolicySet {
    /// The policies of one virtual host, as they were at a revision.
    pub(crate) fn new(definitions: Vec<PolicyDefinition>, revision: u64) -> Self {
        let (operators, users) = definitions.into_iter().partition(|policy| policy.is_operator);
        let ranked = |definitions: Vec<PolicyDefinition>| {
            let mut candidates: Vec<_> = definitions.into_iter().map(Candidate::new).collect();
            candidates.sort_by(|one, other| one.rank().cmp(&other.rank()));
            candidates
        };
        Self { revision, users: ranked(users), operators: ranked(operators), applied: Mutex::default() }
    }

    /// Of which policies it was made.
    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    /// The policy, or the operator policy, that holds for this.
    pub(crate) fn winner(&self, name: &str, subject: Subject, is_operator: bool) -> Option<&Candidate> {
        let candidates = if is_operator { &self.operators } else { &self.users };
        candidates.get(first(candidates, name, subject)?)
    }

    /// What holds for this. It takes as long as the patterns do: nothing should be locked.
    pub(crate) fn applied(&self, name: &str, subject: Subject) -> Option<Arc<Applied>> {
        let pair = (first(&self.users, name, subject), first(&self.operators, name, subject));
        if pair == (None, None) {
            return None;
        }
        if let Some(known) = self.applied.lock().get(&pair) {
            return Some(Arc::clone(known));
        }
        let definition = |candidates: &'_ [Candidate], place: Option<usize>| {
            place.and_then(|place| candidates.get(place)).map(|candidate| candidate.definition.clone())
        };
        let (user, operator) = (definition(&self.users, pair.0), definition(&self.operators, pair.1));
        let applied = Arc::new(Applied::new(user.as_ref(), operator.as_ref())?);
        // Not locked while it was made, so two may have made it: the first one stays.
        Some(Arc::clone(self.applied.lock().entry(pair).or_insert(applied)))
    }
}

/// Which of these policies hold for a queue of a type, or for an exchange if none is named: the first one before those that would hold without
/// it. Those of operators are passed over, and so is a type that is not known.
pub fn matching(definitions: Vec<PolicyDefinition>, name: &str, kind: Option<&str>) -> Vec<PolicyDefinition> {
    let subject = match kind.map(QueueKind::from_name) {
        None => Subject::Exchange,
        Some(Some(kind)) => Subject::Queue(kind),
        Some(None) => return Vec::new(),
    };
    let set = PolicySet::new(definitions, 0);
    let found = set.users.into_iter().filter(|candidate| candidate.matches(name, subject));
    found.map(|candidate| candidate.definition).collect()
}

fn first(candidates: &[Candidate], name: &str, subject: Subject) -> Option<usize> {
    candidates.iter().position(|candidate| candidate.matches(name, subject))
}
