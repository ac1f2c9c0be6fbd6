//! The configuration is put together: which files are read, and in which order everything counts.

use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::arguments::Serve;
use super::environment::{self, CONFIG_FILE, Environment};
use super::given::{FilePlace, GivenSettings, Origin, Problem, ProblemSeverity};
use super::merged::Configuration;
use super::setting::Setting;
use super::{rabbitmq, toml_file};

/// A file that is larger is no configuration.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Its name where it is searched for.
const FILE_NAME: &str = "leveret.toml";

/// Puts together what files, the environment and the command line say.
pub fn load(serve: &Serve, environment: &Environment) -> Configuration {
    let mut read = GivenSettings::default();
    let is_rabbitmqs = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "conf" || ending == "config");
    let (rabbitmqs, own): (Vec<_>, Vec<_>) = files(serve, environment).into_iter().partition(is_rabbitmqs);
    let at_its_place = serve.is_rabbitmq_server || looks_at_rabbitmqs_place(serve, environment);
    // First, as values in files may name variables.
    let environment = &rabbitmq::complete_environment(environment, at_its_place, text_of, &mut read);
    // Of one rank what is added last counts: so RabbitMQ's files come before the own ones, and its variables
    // before the own variables.
    read.add(rabbitmq::read_files(environment, &rabbitmqs, at_its_place, text_of));
    for file in own {
        read.add(read_file(&file));
    }
    read.add(rabbitmq::read_environment(environment));
    read.add(environment::read(environment));
    read.given.extend(serve.given.iter().cloned());
    let mut configuration = Configuration { problems: read.problems, ..Configuration::default() };
    configuration.take(read.given);
    take_secrets(&mut configuration);
    configuration.look_at_pairs(text_of);
    configuration
}

/// What a file of this name would say, which need not be there: its ending tells of what kind it is.
pub fn read_text(file: &Path, text: &str, environment: &Environment) -> Configuration {
    let read = match file.extension().and_then(|ending| ending.to_str()) {
        Some("toml") => toml_file::read(file, text),
        _ => rabbitmq::read_text(file, text, environment),
    };
    let mut configuration = Configuration { problems: read.problems, ..Configuration::default() };
    configuration.take(read.given);
    configuration
}

/// Puts what is in files of their own where it belongs.
fn take_secrets(configuration: &mut Configuration) {
    for (file, setting) in [("default_user_file", "default_user"), ("default_pass_file", "default_pass")] {
        let (Some(file), Some(setting)) = (Setting::find(file), Setting::find(setting)) else { continue };
        let Some(path) = (file.show)(&configuration.settings) else { continue };
        let origin = configuration.origin(file).clone();
        match text_of(Path::new(&path)) {
            Ok(text) => {
                // One end of a line is the editor's. Any other blank belongs to the secret.
                let text = text.strip_suffix('\n').unwrap_or(&text);
                let text = text.strip_suffix('\r').unwrap_or(text);
                configuration.set(setting, text, origin);
            }
            Err(reason) => {
                let text = format!("{path}: {reason}");
                configuration.problems.push(Problem { severity: ProblemSeverity::Wrong, origin, text });
            }
        }
    }
}

/// Whether RabbitMQ's files are looked for where RabbitMQ has them. It is needed before the files can be read.
fn looks_at_rabbitmqs_place(serve: &Serve, environment: &Environment) -> bool {
    let mut early = Configuration::default();
    let given = environment::read(environment).given.into_iter().chain(serve.given.iter().cloned());
    early.take(given.filter(|given| given.setting.name == "rabbitmq_files").collect());
    early.settings.rabbitmq_files
}

/// The files to be read: those that are named, else the first one that is where such files are.
fn files(serve: &Serve, environment: &Environment) -> Vec<PathBuf> {
    if !serve.config.is_empty() {
        return serve.config.clone();
    }
    if let Some(file) = environment.get(CONFIG_FILE).filter(|file| !file.is_empty()) {
        return vec![PathBuf::from(file)];
    }
    places().into_iter().find(|place| place.is_file()).into_iter().collect()
}

/// Where the file is searched for, in this order.
pub(super) fn places() -> Vec<PathBuf> {
    let of_the_user = etcetera::base_strategy::choose_native_strategy().ok();
    let of_the_user = of_the_user.map(|strategy| strategy.config_dir().join("leveret").join(FILE_NAME));
    let mut places = vec![PathBuf::from(FILE_NAME)];
    places.extend(of_the_user);
    places.push(Path::new("/etc/leveret").join(FILE_NAME));
    places
}

fn read_file(file: &Path) -> GivenSettings {
    match text_of(file) {
        Ok(text) => toml_file::read(file, &text),
        Err(reason) => {
            let mut read = GivenSettings::default();
            let place = FilePlace { file: file.to_owned(), line: 1, column: 1 };
            read.refuse(Origin::File(place), reason);
            read
        }
    }
}

/// The text of a file, or why there is none.
fn text_of(file: &Path) -> Result<String, String> {
    let cannot = |error| format!("the file cannot be read: {error}");
    let bytes = fs::metadata(file).map_err(cannot)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(format!("the file has {bytes} bytes; a configuration has at most {FILE_BYTES_MAX}"));
    }
    fs::read_to_string(file).map_err(cannot)
}
