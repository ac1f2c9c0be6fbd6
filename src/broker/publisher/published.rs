//! What became of messages that were published together.

use smallvec::SmallVec;

use crate::store::LogPosition;

/// The outcomes of a row of messages.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// The places of those that some queue refused, ascending, once for each queue.
    refused: Vec<usize>,
    /// Ascending ends. A message that comes alone is one run, and costs no allocation.
    runs: SmallVec<[PublishedRun; 1]>,
}

/// Neighbours with one route.
#[derive(Clone, Copy, Debug)]
struct PublishedRun {
    end: usize,
    position: LogPosition,
    is_unroutable: bool,
}

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What must be durable before the publisher may be told that the message is safe.
    pub(crate) position: LogPosition,
    /// How many queues have no room for it.
    pub(crate) refusals: usize,
    /// No queue takes it.
    pub(crate) is_unroutable: bool,
}

impl Published {
    pub(super) fn refuse(&mut self, place: usize) {
        self.refused.push(place);
    }

    pub(super) fn end_run(&mut self, end: usize, position: LogPosition, is_unroutable: bool) {
        debug_assert!(self.runs.last().is_none_or(|run| run.end < end), "a run of no messages");
        self.runs.push(PublishedRun { end, position, is_unroutable });
    }

    /// Several queues of one route may have refused the same message, in any order.
    pub(super) fn seal(&mut self) {
        self.refused.sort_unstable();
        let end = self.runs.last().map_or(0, |run| run.end);
        debug_assert!(self.refused.last().is_none_or(|place| *place < end), "a message outside of all runs");
    }

    /// Whether every queue took every message.
    pub(crate) fn is_complete(&self) -> bool {
        self.refused.is_empty()
    }

    /// What must be durable before the last of the messages is safe.
    pub(crate) fn position(&self) -> LogPosition {
        self.runs.iter().map(|run| run.position).collect()
    }

    /// The messages among `row`, which is what was published, that no queue takes.
    pub(crate) fn unroutable<'a, M>(&'a self, row: &'a [M]) -> impl Iterator<Item = &'a M> {
        let starts = std::iter::once(0).chain(self.runs.iter().map(|run| run.end));
        let unroutable = starts.zip(&self.runs).filter(|(_, run)| run.is_unroutable);
        unroutable.flat_map(|(start, run)| row.get(start..run.end).unwrap_or_default())
    }

    /// The outcomes of the messages, in their order.
    pub(crate) fn outcomes(&self) -> Outcomes<'_> {
        Outcomes { runs: &self.runs, refused: &self.refused }
    }
}

/// Tells the outcomes of messages in their order.
#[derive(Clone, Debug)]
pub(crate) struct Outcomes<'a> {
    /// Those that end behind the last place that was asked for.
    runs: &'a [PublishedRun],
    /// Those at or behind it.
    refused: &'a [usize],
}

impl Outcomes<'_> {
    /// The outcome of the message at this place. Places must ascend; those of no interest need not be asked for.
    #[inline]
    pub(crate) fn at(&mut self, place: usize) -> Outcome {
        while let Some((run, later)) = self.runs.split_first()
            && run.end <= place
        {
            self.runs = later;
        }
        while let Some((first, later)) = self.refused.split_first()
            && *first < place
        {
            self.refused = later;
        }
        let run = self.runs.first();
        debug_assert!(run.is_some(), "no message was published at {place}");
        Outcome {
            position: run.map_or(LogPosition::START, |run| run.position),
            refusals: self.refused.iter().take_while(|refused| **refused == place).count(),
            is_unroutable: run.is_some_and(|run| run.is_unroutable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> Published {
        let mut published = Published::default();
        published.end_run(2, LogPosition::at(7), false);
        published.end_run(3, LogPosition::START, true);
        for place in [4, 1, 4] {
            published.refuse(place);
        }
        published.end_run(5, LogPosition::at(5), false);
        published.seal();
        published
    }

    #[test]
    fn each_message_has_the_outcome_of_its_run_and_its_own_refusal() {
        let published = published();
        let mut outcomes = published.outcomes();
        let outcomes: Vec<_> = (0..5)
            .map(|place| outcomes.at(place))
            .map(|outcome| (outcome.position, outcome.refusals, outcome.is_unroutable))
            .collect();
        let expected = [(7, 0, false), (7, 1, false), (0, 0, true), (5, 0, false), (5, 2, false)]
            .map(|(place, refusals, is_unroutable)| (LogPosition::at(place), refusals, is_unroutable));
        assert_eq!(outcomes, expected);
        assert_eq!(published.outcomes().at(4).position, LogPosition::at(5), "places may be left out");
        assert_eq!((published.position(), published.is_complete()), (LogPosition::at(7), false));
    }

    #[test]
    fn unroutable_messages_are_found_by_their_runs() {
        assert_eq!(published().unroutable(&["a", "b", "c", "d", "e"]).collect::<Vec<_>>(), [&"c"]);
    }
}
