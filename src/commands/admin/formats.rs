//! The forms in which `rabbitmqadmin` writes lists.

use serde_json::Value;

use super::arguments::Format;
use crate::commands::terminal::harmless;

/// What the API gave, with these columns; with all of them if none is named.
pub(super) fn list(format: Format, found: &Value, columns: &[&str]) -> String {
    match format {
        Format::RawJson => return format!("{found}\n"),
        Format::PrettyJson => return format!("{found:#}\n"),
        Format::Table | Format::Tsv | Format::Long | Format::KeyValue | Format::Bash => {}
    }
    let items: Vec<&Value> = found.as_array().into_iter().flatten().collect();
    if items.is_empty() {
        return if format == Format::Table { "No items\n".to_owned() } else { String::new() };
    }
    let columns: Vec<String> =
        if columns.is_empty() { all_columns(&items) } else { columns.iter().map(|&it| it.to_owned()).collect() };
    let rows: Vec<Vec<String>> =
        items.iter().map(|item| columns.iter().map(|column| shown(item, column)).collect()).collect();
    match format {
        Format::Tsv => std::iter::once(&columns).chain(&rows).map(|row| row.join("\t") + "\n").collect(),
        Format::Long => long(&columns, &rows),
        Format::KeyValue => rows.iter().map(|row| pairs(&columns, row) + "\n").collect(),
        Format::Bash => rows.iter().filter_map(|row| row.first()).cloned().collect::<Vec<_>>().join(" ") + "\n",
        Format::Table | Format::PrettyJson | Format::RawJson => table(&columns, &rows),
    }
}

/// The keys of all items, `name` and `vhost` first.
fn all_columns(items: &[&Value]) -> Vec<String> {
    let mut columns: Vec<String> = ["vhost", "name"].map(str::to_owned).into();
    for key in items.iter().filter_map(|item| item.as_object()).flat_map(|item| item.keys()) {
        if !columns.contains(key) {
            columns.push(key.clone());
        }
    }
    columns.retain(|column| items.iter().any(|item| item.get(column).is_some()));
    columns
}

fn shown(item: &Value, column: &str) -> String {
    // Names are a client's: a row stays one row, and does nothing to the terminal.
    harmless(&unescaped(item, column))
}

fn unescaped(item: &Value, column: &str) -> String {
    match column.split('.').try_fold(item, |value, name| value.get(name)) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(value)) => if *value { "True" } else { "False" }.to_owned(),
        Some(Value::Array(words)) if words.iter().all(Value::is_string) => {
            words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
        }
        Some(value) => value.to_string(),
    }
}

fn table(columns: &[String], rows: &[Vec<String>]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).chain(columns.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let rule = format!("+{}\n", widths.iter().map(|width| "-".repeat(width + 2) + "+").collect::<String>());
    let line = |cells: &[String], is_centred: bool| {
        let cells = cells
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| if is_centred { format!(" {cell:^width$} |") } else { format!(" {cell:<width$} |") });
        format!("|{}\n", cells.collect::<String>())
    };
    let body: String = rows.iter().map(|row| line(row, false)).collect();
    format!("{rule}{}{rule}{body}{rule}", line(columns, true))
}

fn long(columns: &[String], rows: &[Vec<String>]) -> String {
    let width = columns.iter().map(|column| column.chars().count()).max().unwrap_or(0);
    let rule = format!("\n{}\n\n", "-".repeat(80));
    let block = |row: &Vec<String>| {
        columns.iter().zip(row).map(|(name, cell)| format!("{name:>width$}: {cell}\n")).collect::<String>()
    };
    format!("{rule}{}{rule}", rows.iter().map(block).collect::<Vec<_>>().join(&rule))
}

fn pairs(columns: &[String], row: &[String]) -> String {
    columns.iter().zip(row).map(|(name, cell)| format!("{name}=\"{cell}\"")).collect::<Vec<_>>().join(" ")
}
