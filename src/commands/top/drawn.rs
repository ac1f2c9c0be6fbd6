//! A frame of the view.

use ratatui::Frame;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table};

use super::facts::{Connection, Queue};
use super::view::{ORDERS, View};

/// So many alerts and connections are shown.
const ALERTS_SHOWN: usize = 5;
const CLIENTS_SHOWN: usize = 5;

pub(super) fn draw(view: &View, frame: &mut Frame<'_>) {
    let rows = |lines: usize, most: usize| u16::try_from(lines.min(most)).unwrap_or(0);
    let alerts = rows(view.facts.alerts.len().max(1), ALERTS_SHOWN) + 2;
    let clients = rows(view.facts.clients.len().max(1), CLIENTS_SHOWN) + 3;
    let parts = [
        Constraint::Length(2),
        Constraint::Length(alerts),
        Constraint::Min(5),
        Constraint::Length(clients),
        Constraint::Length(1),
    ];
    let [head, alerts, queues, clients, foot] = Layout::vertical(parts).areas(frame.area());
    frame.render_widget(Paragraph::new(summary(view)), head);
    draw_alerts(view, frame, alerts);
    draw_queues(view, frame, queues);
    draw_clients(view, frame, clients);
    frame.render_widget(Paragraph::new(keys(view)).style(Style::new().add_modifier(Modifier::DIM)), foot);
}

fn summary(view: &View) -> Vec<Line<'static>> {
    let facts = &view.facts;
    let state = match &view.trouble {
        None => Line::from(format!("{} like RabbitMQ {}", facts.node, facts.version)),
        Some(why) => Line::styled(format!("{} does not answer: {why}", facts.node), Style::new().fg(Color::Red)),
    };
    let counts = format!(
        "{} connections, {} channels, {} consumers, {} queues; {}/s published, {}/s delivered",
        facts.connections,
        facts.channels,
        facts.consumers,
        facts.queues_total,
        whole(facts.publish_rate),
        whole(facts.deliver_rate)
    );
    vec![state, Line::from(counts)]
}

fn draw_alerts(view: &View, frame: &mut Frame<'_>, area: Rect) {
    let alerts = &view.facts.alerts;
    let block = Block::bordered().title(format!(" alerts: {} ", alerts.len()));
    let text: Vec<_> = match alerts.as_slice() {
        [] => vec![Line::from("none")],
        alerts => alerts.iter().take(ALERTS_SHOWN).map(|text| Line::from(text.clone())).collect(),
    };
    let color = if alerts.is_empty() { Color::Reset } else { Color::Yellow };
    frame.render_widget(Paragraph::new(text).style(Style::new().fg(color)).block(block), area);
}

fn draw_queues(view: &View, frame: &mut Frame<'_>, area: Rect) {
    let queues = view.queues();
    let filter = if view.filter.is_empty() { String::new() } else { format!(", with '{}'", view.filter) };
    let title = format!(" queues by {}{filter}: {} of {} ", view.order.name(), queues.len(), view.facts.queues_total);
    let widths = [
        Constraint::Min(16),
        Constraint::Length(10),
        Constraint::Length(10),
        Constraint::Length(10),
        Constraint::Length(10),
        Constraint::Length(9),
        Constraint::Length(9),
    ];
    let head = Row::new(["queue", "ready", "unacked", "in/s", "out/s", "age", "consumers"]);
    let rows = queues.into_iter().skip(view.scrolled).take(usize::from(area.height)).map(queue_row);
    let table = Table::new(rows, widths).header(head.style(Style::new().add_modifier(Modifier::BOLD)));
    frame.render_widget(table.block(Block::bordered().title(title)), area);
}

fn queue_row(queue: &Queue) -> Row<'static> {
    let name = if queue.vhost == "/" { queue.name.clone() } else { format!("{}: {}", queue.vhost, queue.name) };
    let color = if queue.ready > 0 && queue.consumers == 0 { Color::Yellow } else { Color::Reset };
    let cells = [
        name,
        queue.ready.to_string(),
        queue.unacked.to_string(),
        whole(queue.publish_rate),
        whole(queue.deliver_rate),
        queue.age_ms.map_or_else(|| "-".to_owned(), age),
        queue.consumers.to_string(),
    ];
    Row::new(cells.map(Cell::from)).style(Style::new().fg(color))
}

fn draw_clients(view: &View, frame: &mut Frame<'_>, area: Rect) {
    let clients = &view.facts.clients;
    let title = format!(" connections: {} of {} ", clients.len().min(CLIENTS_SHOWN), view.facts.connections);
    let widths = [Constraint::Min(30), Constraint::Length(20), Constraint::Length(10), Constraint::Length(10)];
    let row = |client: &Connection| {
        let Connection { name, user, channels, state } = client.clone();
        Row::new([name, user, channels.to_string(), state])
    };
    let head = Row::new(["connection", "user", "channels", "state"]).style(Style::new().add_modifier(Modifier::BOLD));
    let table = Table::new(clients.iter().take(CLIENTS_SHOWN).map(row), widths).header(head);
    frame.render_widget(table.block(Block::bordered().title(title)), area);
}

fn keys(view: &View) -> String {
    if view.is_typing {
        return format!("/{}_   Enter keeps the filter, Esc drops it", view.filter);
    }
    let orders: Vec<_> = ORDERS.iter().map(|(key, _, name)| format!("{key} {name}")).collect();
    format!("sort by {}; / filter; arrows scroll; q quit", orders.join(", "))
}

/// Rates are shown without a fraction, which would only flicker.
fn whole(rate: f64) -> String {
    format!("{rate:.0}")
}

fn age(ms: u64) -> String {
    match ms / 1000 {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// A frame of this size as lines of text.
pub(super) fn as_text(view: &View, (width, height): (u16, u16)) -> String {
    let mut terminal = match Terminal::new(TestBackend::new(width, height)) {
        Ok(terminal) => terminal,
        Err(impossible) => match impossible {},
    };
    match terminal.draw(|frame| draw(view, frame)) {
        Ok(drawn) => text_of(drawn.buffer),
        Err(impossible) => match impossible {},
    }
}

fn text_of(buffer: &ratatui::buffer::Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let lines = buffer.content().chunks(width).map(|cells| {
        let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::top::facts::Facts;

    fn view() -> View {
        let queue = |name: &str, ready, age_ms| Queue {
            vhost: "/".to_owned(),
            name: name.to_owned(),
            ready,
            age_ms,
            publish_rate: 2.4,
            ..Queue::default()
        };
        let mut view = View::default();
        view.take(Ok(Facts {
            node: "rabbit@a".to_owned(),
            version: "4.2.0".to_owned(),
            connections: 1,
            queues: vec![queue("orders", 7, Some(125_000)), queue("mails", 0, None)],
            queues_total: 2,
            clients: vec![Connection { name: "worker".to_owned(), user: "anna".to_owned(), ..Connection::default() }],
            ..Facts::default()
        }));
        view
    }

    #[test]
    fn a_frame_shows_what_is_known() {
        let expected = "\
rabbit@a like RabbitMQ 4.2.0
1 connections, 0 channels, 0 consumers, 2 queues; 0/s published, 0/s delivered
┌ alerts: 0 ───────────────────────────────────────────────────────────────────────────────┐
│none                                                                                      │
└──────────────────────────────────────────────────────────────────────────────────────────┘
┌ queues by depth: 2 of 2 ─────────────────────────────────────────────────────────────────┐
│queue                      ready      unacked    in/s       out/s      age       consumers│
│orders                     7          0          2          0          2m        0        │
│mails                      0          0          2          0          -         0        │
└──────────────────────────────────────────────────────────────────────────────────────────┘
┌ connections: 1 of 1 ─────────────────────────────────────────────────────────────────────┐
│connection                                      user                 channels   state     │
│worker                                          anna                 0                    │
└──────────────────────────────────────────────────────────────────────────────────────────┘
sort by d depth, r rate, a age, c consumers, n name; / filter; arrows scroll; q quit
";
        let text = as_text(&view(), (92, 15));
        assert_eq!(text, expected, "\n{text}");
    }

    #[test]
    fn alerts_trouble_and_the_filter_are_said() {
        let mut view = view();
        view.facts.alerts = vec!["Queue 'orders' has had no consumer for 65 s.".to_owned()];
        view.trouble = Some("no broker answers".to_owned());
        (view.filter, view.is_typing) = ("ord".to_owned(), true);
        let text = as_text(&view, (92, 20));
        for said in [
            "rabbit@a does not answer: no broker answers",
            "│Queue 'orders' has had no consumer for 65 s.",
            "queues by depth, with 'ord': 1 of 2",
            "/ord_   Enter keeps the filter, Esc drops it",
        ] {
            assert!(text.contains(said), "{said}\n{text}");
        }
        assert!(!text.contains("mails"));
    }

    #[test]
    fn a_terminal_that_is_too_small_ends_nothing() {
        for size in [(0, 0), (1, 1), (10, 3), (300, 2)] {
            as_text(&view(), size);
        }
    }

    #[test]
    fn ages_are_short() {
        assert_eq!([0, 59_999, 60_000, 7_200_000, 172_800_000].map(age), ["0s", "59s", "1m", "2h", "2d"]);
    }
}
