//! What is shown, and what keys change of it. Pure.

use std::cmp::Reverse;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::facts::{Facts, Queue};

/// What comes after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Quit,
}

/// By what queues are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Depth,
    Rate,
    Age,
    Consumers,
    Name,
}

/// The key, the order that it chooses, and its name.
pub(super) const ORDERS: [(char, Order, &str); 5] = [
    ('d', Order::Depth, "depth"),
    ('r', Order::Rate, "rate"),
    ('a', Order::Age, "age"),
    ('c', Order::Consumers, "consumers"),
    ('n', Order::Name, "name"),
];

impl Order {
    pub(super) fn name(self) -> &'static str {
        ORDERS.iter().find(|(_, order, _)| *order == self).map_or("", |(_, _, name)| *name)
    }
}

/// What is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) facts: Facts,
    /// Why the facts are old.
    pub(super) trouble: Option<String>,
    pub(super) order: Order,
    /// Only queues whose names hold this.
    pub(super) filter: String,
    /// Keys are letters of the filter.
    pub(super) is_typing: bool,
    /// Queues that are above the first one shown.
    pub(super) scrolled: usize,
}

/// A filter is no longer than a name of a queue may be.
const FILTER_MAX: usize = 255;
/// How far a page goes.
const PAGE: usize = 10;

impl View {
    /// Takes what the broker says, or why it says nothing: then what was known stays.
    pub(super) fn take(&mut self, found: Result<Facts, String>) {
        match found {
            Ok(facts) => (self.facts, self.trouble) = (facts, None),
            Err(why) => self.trouble = Some(why),
        }
        self.scroll_to(self.scrolled);
    }

    /// The queues that are shown, in order.
    pub(super) fn queues(&self) -> Vec<&Queue> {
        let mut queues: Vec<_> = self.facts.queues.iter().filter(|queue| queue.name.contains(&self.filter)).collect();
        // Among equals by name, so that nothing jumps about.
        queues.sort_by(|one, other| (&one.vhost, &one.name).cmp(&(&other.vhost, &other.name)));
        match self.order {
            Order::Depth => queues.sort_by_key(|queue| Reverse(queue.depth())),
            Order::Rate => queues.sort_by(|one, other| total_rate(other).total_cmp(&total_rate(one))),
            Order::Age => queues.sort_by_key(|queue| Reverse(queue.age_ms)),
            Order::Consumers => queues.sort_by_key(|queue| Reverse(queue.consumers)),
            Order::Name => {}
        }
        queues
    }

    /// Does what a key means.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most keys mean nothing")]
    pub(super) fn press(&mut self, key: KeyEvent) -> Next {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Next::Quit;
        }
        if self.is_typing {
            self.type_key(key.code);
            return Next::GoOn;
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc if self.filter.is_empty() => return Next::Quit,
            KeyCode::Char('q') => return Next::Quit,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char(letter) => {
                if let Some((_, order, _)) = ORDERS.iter().find(|(key, _, _)| *key == letter) {
                    (self.order, self.scrolled) = (*order, 0);
                }
            }
            KeyCode::Down => self.scroll_to(self.scrolled + 1),
            KeyCode::Up => self.scroll_to(self.scrolled.saturating_sub(1)),
            KeyCode::PageDown => self.scroll_to(self.scrolled + PAGE),
            KeyCode::PageUp => self.scroll_to(self.scrolled.saturating_sub(PAGE)),
            KeyCode::Home => self.scroll_to(0),
            KeyCode::End => self.scroll_to(usize::MAX),
            _ => {}
        }
        Next::GoOn
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most keys mean nothing")]
    fn type_key(&mut self, code: KeyCode) {
        match code {
            KeyCode::Char(letter) if self.filter.len() < FILTER_MAX => self.filter.push(letter),
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
            }
            _ => {}
        }
        self.scroll_to(0);
    }

    fn scroll_to(&mut self, line: usize) {
        self.scrolled = line.min(self.queues().len().saturating_sub(1));
    }
}

fn total_rate(queue: &Queue) -> f64 {
    queue.publish_rate + queue.deliver_rate
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str, ready: u64, consumers: u64, rate: f64, age_ms: Option<u64>) -> Queue {
        Queue { name: name.to_owned(), ready, consumers, publish_rate: rate, age_ms, ..Queue::default() }
    }

    fn view() -> View {
        let queues = vec![
            queue("orders", 5, 1, 0.0, Some(10)),
            queue("mails", 9, 0, 1.0, Some(90)),
            queue("audit", 0, 7, 8.0, None),
            queue("bills", 5, 1, 0.0, Some(20)),
        ];
        let mut view = View::default();
        view.take(Ok(Facts { queues, ..Facts::default() }));
        view
    }

    fn press(view: &mut View, keys: &str) {
        for letter in keys.chars() {
            assert_eq!(view.press(KeyEvent::from(KeyCode::Char(letter))), Next::GoOn);
        }
    }

    fn names(view: &View) -> Vec<&str> {
        view.queues().iter().map(|queue| queue.name.as_str()).collect()
    }

    #[test]
    fn keys_sort_and_equals_are_in_the_order_of_their_names() {
        let mut view = view();
        assert_eq!(names(&view), ["mails", "bills", "orders", "audit"]);
        press(&mut view, "r");
        assert_eq!(names(&view), ["audit", "mails", "bills", "orders"]);
        press(&mut view, "a");
        assert_eq!(names(&view), ["mails", "bills", "orders", "audit"]);
        press(&mut view, "c");
        assert_eq!(names(&view), ["audit", "bills", "orders", "mails"]);
        press(&mut view, "n");
        assert_eq!(names(&view), ["audit", "bills", "mails", "orders"]);
    }

    #[test]
    fn a_filter_takes_letters_that_are_keys_else() {
        let mut view = view();
        press(&mut view, "/di");
        assert_eq!((names(&view), view.order), (vec!["audit"], Order::Depth));
        view.press(KeyEvent::from(KeyCode::Backspace));
        view.press(KeyEvent::from(KeyCode::Enter));
        assert_eq!(names(&view), ["orders", "audit"]);
        press(&mut view, "n");
        assert_eq!(names(&view), ["audit", "orders"]);
        assert_eq!(view.press(KeyEvent::from(KeyCode::Esc)), Next::GoOn);
        assert_eq!(names(&view).len(), 4);
        assert_eq!(view.press(KeyEvent::from(KeyCode::Char('q'))), Next::Quit);
    }

    #[test]
    fn it_scrolls_no_further_than_there_are_queues() {
        let mut view = view();
        view.press(KeyEvent::from(KeyCode::PageDown));
        assert_eq!(view.scrolled, 3);
        view.press(KeyEvent::from(KeyCode::Up));
        assert_eq!(view.scrolled, 2);
        view.take(Ok(Facts::default()));
        assert_eq!(view.scrolled, 0);
    }

    #[test]
    fn a_broker_that_does_not_answer_leaves_what_was_known() {
        let mut view = view();
        view.take(Err("no broker answers".to_owned()));
        assert_eq!((names(&view).len(), view.trouble.as_deref()), (4, Some("no broker answers")));
        view.take(Ok(Facts::default()));
        assert_eq!(view.trouble, None);
    }
}
