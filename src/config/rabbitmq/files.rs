//! RabbitMQ's files: which are read, and in which order.

use std::fs;
use std::path::{Path, PathBuf};

use super::conf::ConfEntry;
use super::environment::{ADVANCED_CONFIG_FILE, CONFIG_FILE, CONFIG_FILES, ENABLED_PLUGINS_FILE};
use super::{conf, terms, translated};
use crate::config::environment::Environment;
use crate::config::given::{FilePlace, GivenSettings, Origin};

/// Where RabbitMQ has its files.
pub(super) const HOME: &str = "/etc/rabbitmq";

/// What reads a file as text.
pub(in crate::config) type ReadText = fn(&Path) -> Result<String, String>;

/// Reads the files that variables name, and those at RabbitMQ's place if they are to be looked for there, and `named` ones behind
/// them. All `.conf` files are one: the last value of a key counts.
pub(in crate::config) fn read(
    environment: &Environment,
    named: &[PathBuf],
    is_rabbitmq_server: bool,
    text_of: ReadText,
) -> GivenSettings {
    let mut read = GivenSettings::default();
    // What terms say counts more, as in RabbitMQ.
    let mut terms = GivenSettings::default();
    let mut entries = Vec::new();
    for file in files(environment, named, is_rabbitmq_server) {
        let text = match text_of(&file) {
            Ok(text) => text,
            Err(reason) => {
                let place = FilePlace { file: file.clone(), line: 1, column: 1 };
                read.refuse(Origin::File(place), reason);
                continue;
            }
        };
        read_one(&file, &text, environment, &mut entries, &mut terms);
    }
    translated::translate(entries, &mut read);
    read.add(terms);
    read
}

/// Reads one file alone.
pub(in crate::config) fn read_text(file: &Path, text: &str, environment: &Environment) -> GivenSettings {
    let (mut read, mut entries) = (GivenSettings::default(), Vec::new());
    read_one(file, text, environment, &mut entries, &mut read);
    translated::translate(entries, &mut read);
    read
}

fn read_one(
    file: &Path,
    text: &str,
    environment: &Environment,
    entries: &mut Vec<ConfEntry>,
    read: &mut GivenSettings,
) {
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("config") => terms::read_settings(file, text, read),
        Some("conf") => entries.extend(conf::entries(file, text, environment, read)),
        _ => terms::read_plugins(file, text, read),
    }
}

fn files(environment: &Environment, named: &[PathBuf], is_rabbitmq_server: bool) -> Vec<PathBuf> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let at_home = |name: &str| {
        let file = Path::new(HOME).join(name);
        (is_rabbitmq_server && file.is_file()).then_some(file)
    };
    let main = variable(CONFIG_FILE).map(|file| with_extension(&file, &["conf", "config"]));
    let main = main.or_else(|| at_home("rabbitmq.conf")).or_else(|| at_home("rabbitmq.config"));
    let more = variable(CONFIG_FILES).or_else(|| is_rabbitmq_server.then(|| Path::new(HOME).join("conf.d")));
    let advanced = variable(ADVANCED_CONFIG_FILE).map(|file| with_extension(&file, &["config"]));
    let advanced = advanced.or_else(|| at_home("advanced.config"));
    let plugins = variable(ENABLED_PLUGINS_FILE).or_else(|| at_home("enabled_plugins"));
    let more = more.map(|place| all_of(&place)).unwrap_or_default();
    main.into_iter()
        .chain(more)
        .chain(advanced)
        .chain(plugins.filter(|file| file.is_file()))
        .chain(named.iter().cloned())
        .collect()
}

/// The name may lack its ending.
fn with_extension(file: &Path, extensions: &[&str]) -> PathBuf {
    let is_whole = |extension: &&str| file.extension().is_some_and(|known| known == *extension);
    if extensions.iter().any(is_whole) {
        return file.to_owned();
    }
    let longer = extensions.iter().map(|extension| PathBuf::from(format!("{}.{extension}", file.display())));
    let first = PathBuf::from(format!("{}.{}", file.display(), extensions.first().unwrap_or(&"conf")));
    longer.into_iter().find(|file| file.is_file()).unwrap_or(first)
}

/// The `.conf` files of a directory, by name; `directory/*.conf` is the same.
fn all_of(place: &Path) -> Vec<PathBuf> {
    let is_pattern = place.file_name().is_some_and(|name| name == "*.conf");
    let directory = if is_pattern { place.parent().unwrap_or(place) } else { place };
    if directory.is_file() {
        return vec![directory.to_owned()];
    }
    let found = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> =
        found.filter(|file| file.extension().is_some_and(|extension| extension == "conf")).collect();
    files.sort();
    files
}
