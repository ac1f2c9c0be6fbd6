//! What policies make of queues and exchanges (behaviour reference 9).
//!
//! Pure: [`PolicySet`] knows the policies of one virtual host, compiled, and says which of them hold for a name. Of the policies that match
//! only one counts, and so of the operator policies; both together are an [`Applied`]. What a queue makes of it is the table of
//! `queue/arguments`: a row there names its policy key, and how the two values merge. An exchange has one such key, `alternate-exchange`.
//!
//! A set has the revision of the policies that it was made of. Who applies one also tells the revision, and what has seen a later one
//! stays as it is. So it does not matter in which order those come who apply policies at the same time.

mod applied;
mod erlang;
mod keys;
mod merge;
mod preview;
mod set;
#[cfg(test)]
mod tests;

pub(crate) use applied::Applied;
pub(in crate::broker) use erlang::Erlang;
pub(in crate::broker) use keys::find as find_key;
pub(crate) use merge::Merge;
pub(crate) use preview::{Preview, Previewed};
pub use set::matching;
pub(crate) use set::{Candidate, PolicySet, Subject};
