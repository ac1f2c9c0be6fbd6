//! Publisher confirms of a channel (behaviour reference 5.8): which numbers can be answered, and with how few methods. A message
//! that is returned is kept until its number is answered, because its return goes directly before its confirm.

use std::collections::VecDeque;

use crate::message::Message;
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
    /// What was settled but not answered, in the order of numbers. Accepted ones that follow each other and wait for the same
    /// position are one run.
    runs: VecDeque<ConfirmRun>,
    /// Must be durable before everything can be answered that was settled.
    awaited: LogPosition,
    /// Messages to return, by number, in the order of numbers. Each lies in a run that was accepted.
    returns: VecDeque<(u64, Message)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ConfirmRun {
    last: u64,
    /// Must be durable before the run is answered.
    position: LogPosition,
    is_refused: bool,
}

/// Something to send.
#[derive(Clone, Debug)]
pub(super) enum ConfirmAnswer {
    /// `basic.return`.
    Return(Message),
    /// `basic.ack`.
    Ack(Confirmed),
    /// `basic.nack`: a queue refused.
    Nack(Confirmed),
}

/// What a confirm answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Confirmed {
    /// The number of the publish, or the last of several.
    pub(crate) delivery_tag: u64,
    /// All before it are answered, too.
    pub(crate) multiple: bool,
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

    /// Notes that a publish is to be returned. Must be called in the order of the numbers, before the number is settled.
    pub(super) fn return_later(&mut self, number: u64, message: Message) {
        debug_assert!(self.returns.back().is_none_or(|(last, _)| *last < number), "numbers ascend");
        debug_assert!(self.last_settled() < number, "it is settled already");
        self.returns.push_back((number, message));
    }

    /// The messages whose returns were not sent. For a channel that ends before their confirms are due.
    pub(super) fn take_returns(&mut self) -> impl Iterator<Item = Message> {
        std::mem::take(&mut self.returns).into_iter().map(|(_, message)| message)
    }

    /// Notes whether a publish succeeded. Must be called once for each number, in their order.
    pub(super) fn settle(&mut self, number: u64, position: LogPosition, is_refused: bool) {
        debug_assert!(self.last_settled() < number && number <= self.published, "each number once, in their order");
        match self.runs.back_mut() {
            // Messages of one batch wait for the same position: one run for all of them, whatever their number.
            Some(run) if !run.is_refused && !is_refused && run.position == position => run.last = number,
            _ => {
                self.awaited = self.awaited.and(position);
                self.runs.push_back(ConfirmRun { last: number, position, is_refused });
            }
        }
    }

    /// The last number that was noted.
    fn last_settled(&self) -> u64 {
        self.runs.back().map_or(self.answered, |run| run.last)
    }

    /// What must be durable before anything more can be answered, and before everything can.
    pub(super) fn waits_for(&self) -> Option<(LogPosition, LogPosition)> {
        Some((self.runs.front()?.position, self.awaited))
    }

    /// What can be answered now that everything up to `durable` is. Answers come in the order of the numbers, so each stands
    /// for all that were not answered before it; a refusal and a returned message stand alone.
    pub(super) fn answers(&mut self, durable: LogPosition, mut answer: impl FnMut(ConfirmAnswer)) {
        // What is accepted is collected over several runs, so that one method answers all of them.
        let mut accepted = self.answered;
        while let Some(run) = self.runs.front().copied().filter(|run| durable.includes(run.position)) {
            self.runs.pop_front();
            if run.is_refused {
                // A refusal stands for itself: what was accepted before it goes first, or `multiple`
                // would refuse that, too.
                self.accept(accepted, &mut answer);
                // RabbitMQ sets `multiple` even on a single refusal, when nothing older is open.
                answer(ConfirmAnswer::Nack(Confirmed { delivery_tag: run.last, multiple: true }));
                self.answered = run.last;
                self.refused += 1;
            } else {
                while self.returns.front().is_some_and(|(number, _)| *number <= run.last)
                    && let Some((number, message)) = self.returns.pop_front()
                {
                    // The return must come directly before the confirm of its own message (behaviour reference
                    // 5.8), so those before it are answered first.
                    self.accept(number - 1, &mut answer);
                    answer(ConfirmAnswer::Return(message));
                    self.accept(number, &mut answer);
                }
            }
            accepted = run.last;
        }
        self.accept(accepted, &mut answer);
    }

    fn accept(&mut self, last: u64, answer: &mut impl FnMut(ConfirmAnswer)) {
        if last > self.answered {
            answer(ConfirmAnswer::Ack(Confirmed { delivery_tag: last, multiple: last > self.answered + 1 }));
            self.answered = last;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::message::{Facts, MemoryGauge, address};

    const NOW: LogPosition = LogPosition::START;

    /// Acks as `(number, multiple, false)`, nacks as `(number, multiple, true)`, returns as `(0, false, false)`.
    fn answers(confirms: &mut Confirms, durable: LogPosition) -> Vec<(u64, bool, bool)> {
        let mut all = Vec::new();
        confirms.answers(durable, |answer| {
            all.push(match answer {
                ConfirmAnswer::Return(_) => RETURN,
                ConfirmAnswer::Ack(Confirmed { delivery_tag, multiple }) => (delivery_tag, multiple, false),
                ConfirmAnswer::Nack(Confirmed { delivery_tag, multiple }) => (delivery_tag, multiple, true),
            });
        });
        all
    }

    const RETURN: (u64, bool, bool) = (0, false, false);

    fn message() -> Message {
        let gauge = Arc::new(MemoryGauge::default());
        Message::standalone(&gauge, Facts::default(), &address("x", b"k"), &[0, 0], b"body")
    }

    /// Publishes of which some are returned: by position in the log, and whether.
    fn with_returns(outcomes: &[(u64, bool)]) -> Confirms {
        let mut confirms = Confirms::default();
        for &(position, is_returned) in outcomes {
            let number = confirms.next();
            if is_returned {
                confirms.return_later(number, message());
            }
            confirms.settle(number, LogPosition::at(position), false);
        }
        confirms
    }

    #[test]
    fn a_return_goes_directly_before_the_confirm_of_its_own_message() {
        let mut confirms = with_returns(&[(0, false), (0, true), (0, false), (0, true)]);
        let single = |number| (number, false, false);
        assert_eq!(answers(&mut confirms, NOW), [single(1), RETURN, single(2), single(3), RETURN, single(4)]);
    }

    #[test]
    fn runs_between_returns_stay_merged() {
        let mut confirms = with_returns(&[(0, false), (0, false), (0, true), (0, true), (0, false), (0, false)]);
        let expected = [(2, true, false), RETURN, (3, false, false), RETURN, (4, false, false), (6, true, false)];
        assert_eq!(answers(&mut confirms, NOW), expected);
    }

    #[test]
    fn a_return_waits_for_its_turn() {
        let mut confirms = with_returns(&[(10, false), (0, true), (0, false)]);
        assert_eq!(answers(&mut confirms, LogPosition::at(9)), []);
        let expected = [(1, false, false), RETURN, (2, false, false), (3, false, false)];
        assert_eq!(answers(&mut confirms, LogPosition::at(10)), expected);
    }

    #[test]
    fn returns_of_a_channel_that_ends_are_not_lost() {
        let mut confirms = with_returns(&[(10, false), (0, true), (10, true)]);
        assert_eq!(confirms.take_returns().count(), 2);
    }

    fn settled(outcomes: &[(u64, bool)]) -> Confirms {
        let mut confirms = Confirms::default();
        for &(position, is_refused) in outcomes {
            let number = confirms.next();
            confirms.settle(number, LogPosition::at(position), is_refused);
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
    fn what_is_to_be_durable_is_known_for_the_next_answer_and_for_all() {
        let mut confirms = settled(&[(10, false), (30, false), (20, false)]);
        let at = LogPosition::at;
        assert_eq!(confirms.waits_for(), Some((at(10), at(30))));
        answers(&mut confirms, at(20));
        assert_eq!(confirms.waits_for(), Some((at(30), at(30))), "the last one waits for its turn");
        answers(&mut confirms, at(30));
        assert_eq!(confirms.waits_for(), None);
    }

    #[test]
    fn answers_are_counted_by_their_kind() {
        let mut confirms = settled(&[(0, false), (0, true), (0, true), (10, false)]);
        confirms.next();
        assert_eq!((confirms.accepted_count(), confirms.open_count()), (0, 5));
        answers(&mut confirms, NOW);
        assert_eq!((confirms.accepted_count(), confirms.open_count()), (1, 2));
        answers(&mut confirms, LogPosition::at(10));
        assert_eq!((confirms.accepted_count(), confirms.open_count()), (2, 1), "one is not settled");
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
        assert_eq!(answers(&mut confirms, LogPosition::at(9)), []);
        assert_eq!(answers(&mut confirms, LogPosition::at(10)), [(1, false, false)]);
        assert_eq!(answers(&mut confirms, LogPosition::at(20)), [(3, true, false), (4, true, true)]);
    }
}
