//! Words and paths.

use std::fmt;
use std::path::PathBuf;

use super::{Item, SettingValue};
use crate::auth::Pattern;

impl SettingValue for String {
    const NAME: &'static str = "NAME";
    const ALLOWED: &'static str = "any text";

    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl Item for String {}

impl SettingValue for PathBuf {
    const NAME: &'static str = "PATH";
    const ALLOWED: &'static str = "a path that is not empty";

    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err(super::allowed::<Self>()) } else { Ok(Self::from(text)) }
    }

    fn show(&self) -> Option<String> {
        Some(self.display().to_string())
    }
}

impl Item for PathBuf {}

/// A group of users of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemGroup(pub String);

impl SettingValue for SystemGroup {
    const NAME: &'static str = "GROUP";
    const ALLOWED: &'static str = "the name or the number of a group of this machine";

    fn read(text: &str) -> Result<Self, String> {
        let is_name = |character: char| character.is_alphanumeric() || "_.-$@+\\".contains(character);
        let is_group = !text.is_empty() && !text.starts_with('-') && text.chars().all(is_name);
        if is_group { Ok(Self(text.to_owned())) } else { Err(super::allowed::<Self>()) }
    }

    fn show(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

/// A regular expression of a permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(pub String);

impl Expression {
    /// One that every name matches.
    pub(crate) fn anything() -> Self {
        Self(".*".to_owned())
    }
}

impl SettingValue for Expression {
    const NAME: &'static str = "REGEX";
    const ALLOWED: &'static str = "a regular expression such as ^orders, .* for everything, or nothing for nothing";

    fn read(text: &str) -> Result<Self, String> {
        match Pattern::new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(format!("{}; {error}", super::allowed::<Self>())),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

/// A password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl SettingValue for Secret {
    const NAME: &'static str = "PASSWORD";
    const ALLOWED: &'static str = "any text";
    const IS_SECRET: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> Option<String> {
        Some("********".to_owned())
    }
}
