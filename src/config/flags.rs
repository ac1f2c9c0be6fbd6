//! The flags of settings: made of their table, and read back.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};

use super::arguments::Serve;
use super::given::Origin;
use super::setting::Setting;
use super::settings::{EXCLUDING, SETTINGS};

impl Args for Serve {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .action(ArgAction::Append)
            .value_parser(value_parser!(PathBuf))
            .help(
                "Read settings from this file: leveret.toml, or RabbitMQ's rabbitmq.conf. Can be given several times",
            );
        SETTINGS.iter().filter_map(argument).fold(command.arg(config), Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Serve {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let config = matches.get_many::<PathBuf>("config").into_iter().flatten().cloned().collect();
        let given = SETTINGS.iter().filter_map(|setting| {
            let flag = setting.flag()?;
            let texts: Vec<String> = matches.get_many::<String>(setting.name)?.cloned().collect();
            Some(setting.given(texts, Origin::Flag(flag)))
        });
        Ok(Self { given: given.collect(), config, is_rabbitmq_server: false })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self { is_rabbitmq_server: self.is_rabbitmq_server, ..Self::from_arg_matches(matches)? };
        Ok(())
    }
}

fn argument(setting: &'static Setting) -> Option<Arg> {
    let check = |text: &str| (setting.check)(text).map(|()| text.to_owned());
    let again = if setting.is_list { ". Can be given several times" } else { "" };
    let default = if setting.is_switch { String::new() } else { format!(" [default: {}]", setting.default) };
    let mut argument = Arg::new(setting.name)
        .long(setting.flag()?)
        .value_name(setting.value_name)
        .value_parser(check)
        .help(format!("{}{again}{default}", setting.doc.trim()));
    if setting.is_list {
        argument = argument.action(ArgAction::Append);
    }
    if setting.is_switch {
        // A value only behind `=`, so that the next word of the command line is never taken for it.
        argument = argument.num_args(0..=1).require_equals(true).default_missing_value("true");
    }
    let has_flag = |name: &str| Setting::find(name).and_then(Setting::flag).is_some();
    for (_, other) in EXCLUDING.iter().filter(|(one, other)| *one == setting.name && has_flag(other)) {
        argument = argument.conflicts_with(*other);
    }
    for name in setting.other_names() {
        argument = argument.visible_alias(name.replace('_', "-"));
    }
    Some(argument)
}
