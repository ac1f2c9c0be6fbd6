//! The last messages of an exchange, which are given to what is bound later.
//!
//! How many are remembered is a client's choice, and they are handed out under the lock of the topology. So they are kept in pieces,
//! which whoever reads them shares: a million messages are 4,000 pieces.
//!
//! Invariant: no piece is empty, and only the first and the last may have fewer than [`PIECE_MESSAGES`].

use std::collections::VecDeque;
use std::sync::Arc;

use crate::impossible::impossible;
use crate::message::Message;

/// Messages of a piece. So many are copied when a piece is changed that somebody reads.
const PIECE_MESSAGES: usize = 256;

/// Messages in the order of their arrival.
#[derive(Clone, Debug, Default)]
pub struct History {
    pieces: VecDeque<Arc<VecDeque<Message>>>,
    len: usize,
}

impl History {
    /// How many messages there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The messages, oldest first, some at a time.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &VecDeque<Message>> {
        self.pieces.iter().map(|piece| &**piece)
    }

    /// Remembers one more message, and forgets the oldest ones if there are more than `len_max` then.
    pub(super) fn push(&mut self, message: Message, len_max: usize) {
        match self.pieces.back_mut().filter(|piece| piece.len() < PIECE_MESSAGES) {
            Some(last) => Arc::make_mut(last).push_back(message),
            None => self.pieces.push_back(Arc::new(VecDeque::from([message]))),
        }
        self.len += 1;
        while self.len > len_max {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some(first) = self.pieces.front_mut() else {
            impossible!("{} messages are remembered, and none is there", self.len);
            // Or the caller would go on for ever.
            self.len = 0;
            return;
        };
        Arc::make_mut(first).pop_front();
        self.len -= 1;
        if first.is_empty() {
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Facts, MemoryGauge, address};

    fn message(number: usize) -> Message {
        let gauge = Arc::new(MemoryGauge::default());
        Message::standalone(&gauge, Facts::default(), &address("x", b""), &[0, 0], &number.to_be_bytes())
    }

    fn numbers(history: &History) -> Vec<usize> {
        let messages = history.pieces().flatten();
        messages.map(|message| usize::from_be_bytes(message.body().try_into().unwrap())).collect()
    }

    #[test]
    fn what_was_handed_out_stays_as_it_was() {
        let mut history = History::default();
        (0..700).for_each(|number| history.push(message(number), 600));
        assert_eq!((history.len(), numbers(&history)), (600, (100..700).collect()));
        let handed_out = history.clone();
        (700..1_400).for_each(|number| history.push(message(number), 600));
        assert_eq!((history.len(), numbers(&history)), (600, (800..1_400).collect()));
        assert_eq!(numbers(&handed_out), (100..700).collect::<Vec<_>>());
        assert!(history.pieces().all(|piece| (1..=PIECE_MESSAGES).contains(&piece.len())));
    }
}
