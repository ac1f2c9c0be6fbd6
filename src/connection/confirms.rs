//! Publisher confirms of a channel (behaviour reference 5.8): which numbers can be answered, and with how few methods.

use std::collections::VecDeque;

use crate::store::LogPosition;

/// The publishes of a channel in confirm mode that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Confirms {
    /// The number of the last publish.
    published: u64,
    /// All numbers up to this one are answered.
    answered: u64,
    /// How many of these were refused.
    refused: u64,
    /// What was settled but not answered, in the order of numbers; runs of equal fate are one.
    runs: VecDeque<Run>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    last: u64,
    /// Must be durable before the run is answered.
    position: LogPosition,
    is_refused: bool,
}

/// An answer to send: `basic.ack`, or `basic.nack` when a queue refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The number of the publish, or the last of several.
    pub delivery_tag: u64,
    /// Answers all before it, too.
    pub multiple: bool,
    /// It is a `basic.nack`.
    pub is_refused: bool,
}

impl Confirms {
    /// The number of a new publish.
    pub(super) fn next(&mut self) -> u64 {
        self.published += 1;
        self.published
    }

    /// How many publishes were answered with `basic.ack`.
    pub(super) fn accepted_count(&self) -> u64 {
        self.answered - self.refused
    }

    /// How many publishes are not answered.
    pub(super) fn open_count(&self) -> u64 {
        self.published - self.answered
    }

    /// Notes the fate of a publish. Must be called once for each number, in their order.
    pub(super) fn settle(&mut self, number: u64, position: LogPosition, is_refused: bool) {
        match self.runs.back_mut() {
            Some(run) if !run.is_refused && !is_refused && run.position == position => run.last = number,
            _ => self.runs.push_back(Run { last: number, position, is_refused }),
        }
    }

    /// What must be durable before anything more can be answered, and before everything can.
    pub(super) fn waits_for(&self) -> Option<(LogPosition, LogPosition)> {
        Some((self.runs.front()?.position, self.runs.back()?.position))
    }

    /// What can be answered now that everything up to `durable` is. Answers come in the order of the numbers, so each stands
    /// for all that were not answered before it; a refusal stands alone.
    pub(super) fn answers(&mut self, durable: LogPosition, mut answer: impl FnMut(Answer)) {
        let mut accepted: Option<u64> = None;
        while let Some(run) = self.runs.front().copied().filter(|run| run.position <= durable) {
            self.runs.pop_front();
            if run.is_refused {
                self.answer_accepted(accepted.take(), &mut answer);
                // RabbitMQ sets `multiple` even on a single refusal, when nothing older is open.
                answer(Answer { delivery_tag: run.last, multiple: true, is_refused: true });
                self.answered = run.last;
                self.refused += 1;
            } else {
                accepted = Some(run.last);
            }
        }
        self.answer_accepted(accepted, &mut answer);
    }

    fn answer_accepted(&mut self, last: Option<u64>, answer: &mut impl FnMut(Answer)) {
        if let Some(last) = last {
            answer(Answer { delivery_tag: last, multiple: last > self.answered + 1, is_refused: false });
            self.answered = last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: LogPosition = LogPosition::START;

    fn answers(confirms: &mut Confirms, durable: LogPosition) -> Vec<(u64, bool, bool)> {
        let mut all = Vec::new();
        confirms.answers(durable, |answer| all.push((answer.delivery_tag, answer.multiple, answer.is_refused)));
        all
    }

    fn settled(fates: &[(u64, bool)]) -> Confirms {
        let mut confirms = Confirms::default();
        for &(position, is_refused) in fates {
            let number = confirms.next();
            confirms.settle(number, LogPosition(position), is_refused);
        }
        confirms
    }

    #[test]
    fn a_batch_is_one_multiple_ack() {
        let mut confirms = settled(&[(0, false); 5]);
        assert_eq!(answers(&mut confirms, NOW), [(5, true, false)]);
        assert_eq!(answers(&mut confirms, NOW), []);
    }

    #[test]
    fn a_single_publish_is_a_single_ack() {
        let mut confirms = settled(&[(0, false)]);
        assert_eq!(answers(&mut confirms, NOW), [(1, false, false)]);
    }

    #[test]
    fn a_refusal_breaks_the_run_and_answers_itself_alone() {
        let mut confirms = settled(&[(0, false), (0, false), (0, true), (0, true), (0, false)]);
        let expected = [(2, true, false), (3, true, true), (4, true, true), (5, false, false)];
        assert_eq!(answers(&mut confirms, NOW), expected);
    }

    #[test]
    fn nothing_is_answered_before_it_is_durable_nor_out_of_turn() {
        let mut confirms = settled(&[(10, false), (20, false), (0, false), (20, true)]);
        assert_eq!(answers(&mut confirms, LogPosition(9)), []);
        assert_eq!(answers(&mut confirms, LogPosition(10)), [(1, false, false)]);
        assert_eq!(answers(&mut confirms, LogPosition(20)), [(3, true, false), (4, true, true)]);
    }
}
