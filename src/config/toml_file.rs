//! `leveret.toml`. A key's words may be joined in any way: `log_format`, `log-format`, and `format` in the table `[log]` are the same.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::given::{FilePlace, GivenSettings, Origin};
use super::setting::Setting;
use super::settings::SETTINGS;
use crate::nearest::nearest;

/// Tables that are deeper hold no setting.
const DEPTH_MAX: usize = 8;

/// Reads the text of a file of this name.
pub(super) fn read(file: &Path, text: &str) -> GivenSettings {
    let mut reader = Reader { file, text, read: GivenSettings::default() };
    // All mistakes are told at once, not the first alone.
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let offset = error.span().map_or(0, |span| span.start);
        let what = error.message().lines().collect::<Vec<_>>().join(", ");
        reader.read.refuse(reader.origin(offset), format!("this is not TOML: {what}"));
    }
    // Else the broker does not start, and half of a file would only bring more problems that are none.
    if errors.is_empty() {
        reader.table("", table.get_ref(), 0);
    }
    reader.read
}

struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
    read: GivenSettings,
}

impl Reader<'_> {
    fn origin(&self, offset: usize) -> Origin {
        Origin::File(FilePlace::of(self.file, self.text, offset))
    }

    fn table(&mut self, prefix: &str, table: &DeTable<'_>, depth: usize) {
        // In the order of the file, so that the last of two spellings counts.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name = format!("{prefix}{}", key.get_ref().replace('-', "_"));
            let origin = self.origin(key.span().start);
            match (Setting::find(&name), value.get_ref()) {
                (Some(setting), _) => self.value(setting, value, origin),
                // A table that no setting begins with is told once, not with each of its keys.
                (None, DeValue::Table(inner)) if depth < DEPTH_MAX && is_prefix(&name) => {
                    self.table(&format!("{name}_"), inner, depth + 1);
                }
                (None, _) => {
                    let likely = nearest(&name, SETTINGS.iter().map(|setting| setting.name));
                    let likely = likely.map(|likely| format!("; did you mean {likely}?")).unwrap_or_default();
                    self.read.warn(origin, format!("{name} is no setting and has no effect{likely}"));
                }
            }
        }
    }

    fn value(&mut self, setting: &'static Setting, value: &Spanned<DeValue<'_>>, origin: Origin) {
        let texts = match value.get_ref().as_array() {
            Some(items) if setting.is_list => items.iter().map(|item| scalar(item.get_ref())).collect(),
            _ => scalar(value.get_ref()).map(|text| vec![text]),
        };
        match texts {
            Some(texts) => self.read.given.push(setting.given(texts, origin)),
            None => {
                let (name, allowed) = (setting.name, setting.allowed);
                let what = value.get_ref().type_str();
                self.read.refuse(origin, format!("{name} cannot be of the type {what}; allowed is {allowed}"));
            }
        }
    }
}

/// Whether settings begin so.
fn is_prefix(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('_')))
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Vec<(&'static str, String, String)> {
        let read = read(Path::new("l.toml"), text);
        assert_eq!(read.problems, [], "{text}");
        read.given.iter().map(|given| (given.setting.name, given.texts.join("|"), given.origin.to_string())).collect()
    }

    fn problems(text: &str) -> Vec<String> {
        read(Path::new("l.toml"), text).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_may_be_joined_in_any_way() {
        let text = "log_format = 'json'\nlog-format = 'text'\n[log]\n  format = 'json'\n";
        let expected = [("1:1", "json"), ("2:1", "text"), ("4:3", "json")];
        let expected = expected.map(|(place, value)| ("log_format", value.to_owned(), format!("l.toml:{place}")));
        assert_eq!(given(text), expected);
    }

    #[test]
    fn values_are_of_the_type_that_reads_best() {
        let text = "amqp_listen = [5673, ':6400']\nin_memory = true\nmemory_high_watermark = 0x10_00\n";
        let values: Vec<_> = given(text).into_iter().map(|(_, value, _)| value).collect();
        assert_eq!(values, ["5673|:6400", "true", "4096"]);
        assert_eq!(given("amqp_listen = 5673")[0].1, "5673");
        let ports: Vec<_> = given("port = 5673\nhttp_port = 15673").into_iter().map(|(name, ..)| name).collect();
        assert_eq!(ports, ["amqp_listen", "http_listen"]);
    }

    #[test]
    fn an_unknown_key_is_named_with_the_likely_one() {
        let expected = "l.toml:2:1: in_memroy is no setting and has no effect; did you mean in_memory?";
        assert_eq!(problems("\nin_memroy = true"), [expected]);
        assert_eq!(problems("[colour.of]\nx = 1"), ["l.toml:1:2: colour is no setting and has no effect"]);
    }

    #[test]
    fn what_is_no_toml_is_shown_where_it_is() {
        let told = problems("in_memory = true\ndata_dir = /tmp\n");
        assert!(told[0].starts_with("l.toml:2:12: this is not TOML: "), "{told:?}");
        let told = problems("heartbeat = [1]");
        assert!(told[0].starts_with("l.toml:1:1: heartbeat cannot be of the type array; allowed is whole"), "{told:?}");
    }
}
