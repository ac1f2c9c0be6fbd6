//! Levels of categories of the log, and the file that has a name and no directory.

use super::conf::ConfEntry;
use crate::config::environment::Environment;
use crate::config::given::{GivenSettings, Origin};
use crate::config::setting::Setting;
use crate::config::value::CATEGORIES;

/// `RABBITMQ_LOG` has the levels of all categories: `debug,connection=error,+color`.
pub(super) const LOG: &str = "RABBITMQ_LOG";

/// Categories of RabbitMQ in which nothing is logged here.
const EMPTY: [&str; 9] =
    ["federation", "feature_flags", "ldap", "mirroring", "osiris", "prelaunch", "ra", "shovel", "upgrade"];

/// Where RabbitMQ's packages write the log.
const DIRECTORY: &str = "/var/log/rabbitmq";

/// In RabbitMQ's files this is the exchange that the log is published to, and no category.
const AN_OUTPUT: &str = "exchange";

fn give(read: &mut GivenSettings, name: &str, texts: Vec<String>, origin: Origin) {
    if let (false, Some(setting)) = (texts.is_empty(), Setting::find(name)) {
        read.given.push(setting.given(texts, origin));
    }
}

/// Takes `log.CATEGORY.level` out of the entries of files.
pub(super) fn take(entries: &mut Vec<ConfEntry>, read: &mut GivenSettings) {
    let (mut levels, mut place) = (Vec::new(), None);
    entries.retain(|entry| {
        let category = entry.key.strip_prefix("log.").and_then(|rest| rest.strip_suffix(".level"));
        let Some(category) = category else { return true };
        if EMPTY.contains(&category) {
            let text = format!("{} is not needed: nothing is logged in this category", entry.key);
            read.note(entry.origin.clone(), text);
            return false;
        }
        if category == AN_OUTPUT || !CATEGORIES.contains(&category) {
            return true;
        }
        let level = format!("{category}={}", entry.value);
        match Setting::find("log_categories").map(|setting| (setting.check)(&level)) {
            Some(Err(reason)) => {
                read.refuse(entry.origin.clone(), format!("{} cannot be '{}': {reason}", entry.key, entry.value));
            }
            Some(Ok(())) | None => levels.push(level),
        }
        place = Some(entry.origin.clone());
        false
    });
    if let Some(origin) = place {
        give(read, "log_categories", levels, origin);
    }
}

/// A file without a directory lies where RabbitMQ's packages write, unless something says where.
pub(super) fn place_file(entries: &[ConfEntry], read: &mut GivenSettings) {
    let of = |key: &str| entries.iter().find(|entry| entry.key == key);
    if let (Some(file), None) = (of("log.file"), of("log.dir"))
        && !matches!(file.value.as_str(), "" | "false" | "-")
        && !file.value.contains('/')
    {
        give(read, "log_dir", vec![DIRECTORY.to_owned()], file.origin.clone());
    }
}

/// Reads `RABBITMQ_LOG`.
pub(super) fn read_variable(environment: &Environment, read: &mut GivenSettings) {
    let Some(value) = environment.get(LOG).filter(|value| !value.is_empty()) else { return };
    let origin = Origin::Variable(LOG.to_owned());
    let words = value.split(',').map(str::trim).filter(|word| !matches!(*word, "" | "+color" | "-color"));
    let (categories, of_all): (Vec<&str>, Vec<&str>) = words.partition(|word| word.contains('='));
    give(read, "log_level", of_all.last().map(|&level| level.to_owned()).into_iter().collect(), origin.clone());
    let is_known = |word: &&str| !EMPTY.iter().any(|empty| word.starts_with(&format!("{empty}=")));
    let categories = categories.into_iter().filter(is_known).map(str::to_owned).collect();
    give(read, "log_categories", categories, origin);
}
