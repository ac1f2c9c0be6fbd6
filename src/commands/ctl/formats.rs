//! The forms in which an answer is written.

use serde_json::{Value, json};

use super::arguments::{Format, Invocation};
use super::erlang;
use super::output::{Cell, Output, Table, WhenEmpty};

/// The answer as the command line wants it.
pub(super) fn render(invocation: &Invocation, output: &Output) -> String {
    match (output, invocation.format) {
        (Output::Nothing, _) => String::new(),
        (Output::Remark(_), None) if invocation.is_silent() => String::new(),
        (Output::Message(text) | Output::Remark(text), Some(Format::Json)) => line(&json!({ "message": text })),
        (Output::Message(text) | Output::Remark(text), _) => format!("{text}\n"),
        (Output::Lines(lines), Some(Format::Json)) => line(&Value::from(lines.clone())),
        (Output::Lines(lines), _) => lines.iter().map(|text| format!("{text}\n")).collect(),
        (Output::Report { data, .. }, Some(Format::Json)) => line(data),
        (Output::Report { text, .. }, _) => text.clone(),
        (Output::Table(Table { json: Some(json), .. }), Some(Format::Json)) => line(json),
        (Output::Table(table), Some(Format::Json)) => as_json(table),
        (Output::Table(table), Some(Format::Csv)) => as_csv(table, invocation.shows_header()),
        (Output::Table(table), Some(Format::Erlang)) => as_terms(table),
        (Output::Table(table), Some(Format::PrettyTable)) => drawn(table),
        (Output::Table(table), None) if table.is_drawn => drawn(table),
        (Output::Table(Table { lines: Some(lines), .. }), Some(Format::Table) | None) => {
            lines.iter().map(|text| format!("{text}\n")).collect()
        }
        (Output::Table(table), Some(Format::Table) | None) => tabbed(table, invocation.shows_header()),
    }
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

fn tabbed(table: &Table, with_header: bool) -> String {
    if table.rows.is_empty() {
        return match table.when_empty {
            WhenEmpty::Nothing => String::new(),
            WhenEmpty::EmptyLine => "\n".to_owned(),
        };
    }
    let header = with_header.then(|| table.columns.join("\t"));
    let rows = table.rows.iter().map(|row| row.iter().map(Cell::shown).collect::<Vec<_>>().join("\t"));
    header.into_iter().chain(rows).map(|line| line + "\n").collect()
}

fn as_json(table: &Table) -> String {
    if table.rows.is_empty() && table.when_empty == WhenEmpty::EmptyLine {
        return "[]\n".to_owned();
    }
    let row = |cells: &Vec<Cell>| {
        let pairs = table.columns.iter().zip(cells);
        let fields: Vec<_> =
            pairs.map(|(name, cell)| format!("{}:{}", Value::from(name.as_str()), cell.data())).collect();
        format!("{{{}}}\n", fields.join(","))
    };
    let rows: Vec<_> = table.rows.iter().map(row).collect();
    format!("[\n{}]\n", rows.join(","))
}

fn as_csv(table: &Table, with_header: bool) -> String {
    if table.rows.is_empty() && table.when_empty == WhenEmpty::EmptyLine {
        // RabbitMQ's header and row without columns.
        return "\r\n\r\n\n".to_owned();
    }
    let quoted = |text: String| format!("\"{}\"", text.replace('"', "\"\""));
    let row = |cells: &Vec<Cell>| cells.iter().map(|cell| quoted(cell.shown())).collect::<Vec<_>>().join(",");
    let header = table.columns.iter().map(|name| quoted(name.clone())).collect::<Vec<_>>().join(",");
    let header = (with_header && !table.rows.is_empty()).then_some(header);
    header.into_iter().chain(table.rows.iter().map(row)).map(|line| line + "\n").collect()
}

fn as_terms(table: &Table) -> String {
    let cell = |(name, cell): (&String, &Cell)| format!("{{{name},{}}}", erlang::term(&cell.data()));
    let row =
        |cells: &Vec<Cell>| format!("[{}]", table.columns.iter().zip(cells).map(cell).collect::<Vec<_>>().join(","));
    format!("[{}]\n", table.rows.iter().map(row).collect::<Vec<_>>().join(","))
}

/// With the line characters of a terminal of the 1970s, as Erlang's library for tables has them.
fn drawn(table: &Table) -> String {
    if table.rows.is_empty() {
        return match table.when_empty {
            WhenEmpty::Nothing => String::new(),
            // RabbitMQ takes the list itself for the only value.
            WhenEmpty::EmptyLine => drawn(&Table::new(&["Output"], vec![vec![Cell::text("[]")]])),
        };
    }
    let rows: Vec<Vec<String>> = table.rows.iter().map(|row| row.iter().map(Cell::shown).collect()).collect();
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).chain(table.columns.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let rule = |left: char, middle: char, right: char| {
        let parts: Vec<_> = widths.iter().map(|width| "q".repeat(width + 2)).collect();
        format!("\u{1b}(0{left}{}{right}\u{1b}(B\n", parts.join(&middle.to_string()))
    };
    let row = |cells: &[String], is_bold: bool| {
        let bar = "\u{1b}(0x\u{1b}(B";
        let cells = cells.iter().zip(&widths).map(|(cell, &width)| {
            let padding = " ".repeat(width - cell.chars().count());
            if is_bold {
                format!(" \u{1b}[1m{cell}\u{1b}[0m{padding} {bar}")
            } else {
                format!(" {cell}{padding} {bar}")
            }
        });
        format!("{bar}{}\n", cells.collect::<String>())
    };
    let mut text = rule('l', 'w', 'k') + &row(&table.columns, true);
    for cells in &rows {
        text += &rule('t', 'n', 'u');
        text += &row(cells, false);
    }
    text + &rule('m', 'v', 'j')
}
