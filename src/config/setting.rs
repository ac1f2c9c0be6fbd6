//! What is known of a setting, and the macro that declares all of them once.

use super::given::{Given, Origin};
use super::settings::{OTHER_NAMES, Settings};

/// A setting.
#[derive(Debug)]
pub struct Setting {
    /// Its key in a file.
    pub name: &'static str,
    /// What stands for its value in the help.
    pub(crate) value_name: &'static str,
    /// What its values may be.
    pub(crate) allowed: &'static str,
    /// What holds when nothing is given, for people.
    pub(crate) default: &'static str,
    /// What it does, in one sentence.
    pub(crate) doc: &'static str,
    /// It takes several values.
    pub(crate) is_list: bool,
    /// Its flag alone means yes.
    pub(crate) is_switch: bool,
    /// Its value is not to be shown.
    pub(crate) is_secret: bool,
    /// It changes at run time: at a hang-up, or by a command.
    pub(crate) is_reloaded: bool,
    /// Looks at one value.
    pub(crate) check: fn(&str) -> Result<(), String>,
    /// Takes over what was given.
    pub(crate) set: fn(&mut Settings, &[String]) -> Result<(), String>,
    /// The value as text, as a file would have it; `None` when there is none.
    pub(crate) show: fn(&Settings) -> Option<String>,
    /// Whether it is the same in both.
    pub(crate) is_same: fn(&Settings, &Settings) -> bool,
    /// Its values as texts; one, or none, of what is no list.
    pub(crate) items: fn(&Settings) -> Vec<String>,
    /// Makes it what it is elsewhere.
    pub(crate) copy: fn(&mut Settings, &Settings),
}

/// When a new value of a setting is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReloadRule {
    /// At the next start.
    AtStart,
    /// At once: at a hang-up, or when a command says so.
    AtRunTime,
}

impl Setting {
    /// The setting of this name, however its words are joined.
    pub fn find(name: &str) -> Option<&'static Self> {
        let name = name.replace('-', "_");
        let other = OTHER_NAMES.iter().find(|(_, other)| *other == name);
        let name = other.map_or(name.as_str(), |(usual, _)| *usual);
        super::settings::SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Its other names, as a file would have them.
    pub(crate) fn other_names(&self) -> impl Iterator<Item = &'static str> + use<'_> {
        OTHER_NAMES.iter().filter(|(usual, _)| *usual == self.name).map(|(_, other)| *other)
    }

    /// Its flag, without dashes; none if its value must not be seen in a list of processes.
    pub(crate) fn flag(&self) -> Option<String> {
        (!self.is_secret).then(|| self.name.replace('_', "-"))
    }

    /// Its environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_ascii_uppercase())
    }

    /// A value for it.
    pub(crate) fn given(&'static self, texts: Vec<String>, origin: Origin) -> Given {
        Given { setting: self, texts, origin }
    }
}

/// What the names of variables begin with.
pub(super) const PREFIX: &str = "LEVERET_";

/// Declares settings: a sentence, name, type, value when nothing is given, how that is told people, and whether a hang-up reads it again.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr, $shown:literal, $taken:ident;)*) => {
        /// What holds: one value a setting.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $name: $type,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        /// All settings, in the order of the reference page.
        pub(crate) static SETTINGS: &[Setting] = &[$(Setting {
            name: stringify!($name),
            value_name: <$type as SettingValue>::NAME,
            allowed: <$type as SettingValue>::ALLOWED,
            default: $shown,
            doc: concat!($($doc),+),
            is_list: <$type as SettingValue>::IS_LIST,
            is_switch: <$type as SettingValue>::IS_SWITCH,
            is_secret: <$type as SettingValue>::IS_SECRET,
            is_reloaded: matches!(ReloadRule::$taken, ReloadRule::AtRunTime),
            check: <$type as SettingValue>::check,
            set: |settings, texts| {
                settings.$name = <$type as SettingValue>::read_all(texts)?;
                Ok(())
            },
            show: |settings| settings.$name.show(),
            is_same: |one, other| one.$name == other.$name,
            items: |settings| settings.$name.items(),
            copy: |settings, other| settings.$name.clone_from(&other.$name),
        },)*];
    };
}

pub(super) use settings;
