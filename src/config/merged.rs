//! Of everything that was given, what holds.

use std::collections::BTreeMap;

use super::given::{Given, Origin, Problem, ProblemSeverity};
use super::setting::Setting;
use super::settings::{EXCLUDING, Settings};

/// What holds, and why.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// The value of each setting, after files, variables and flags.
    pub settings: Settings,
    /// Where it was said, of what is no default.
    pub(crate) origins: BTreeMap<&'static str, Origin>,
    /// What has no effect, or is worth a line; nothing of it keeps the broker from starting.
    pub problems: Vec<Problem>,
}

impl Configuration {
    /// Where it was said.
    pub fn origin(&self, setting: &Setting) -> &Origin {
        self.origins.get(setting.name).unwrap_or(&Origin::Default)
    }

    /// Takes what was given: of each setting what counts most, and of that what was said last. A wrong value is a problem even where
    /// it is overridden.
    pub(super) fn take(&mut self, mut given: Vec<Given>) {
        // Stable: what was said last counts.
        given.sort_by_key(|given| given.origin.rank());
        for Given { setting, texts, origin } in given {
            match (setting.set)(&mut self.settings, &texts) {
                Ok(()) => {
                    self.origins.insert(setting.name, origin);
                }
                Err(reason) => self.refuse(setting, &texts, origin, &reason),
            }
        }
        for (switch, other) in EXCLUDING {
            self.choose(switch, other);
        }
    }

    /// Makes it what was found where something else that was given says.
    pub(super) fn set(&mut self, setting: &'static Setting, text: &str, origin: Origin) {
        match (setting.set)(&mut self.settings, &[text.to_owned()]) {
            Ok(()) => {
                self.origins.insert(setting.name, origin);
            }
            Err(reason) => self.refuse(setting, &[text.to_owned()], origin, &reason),
        }
    }

    fn refuse(&mut self, setting: &'static Setting, texts: &[String], origin: Origin, reason: &str) {
        let wrong = texts.iter().find(|text| (setting.check)(text).is_err()).map_or("", String::as_str);
        let text = match &origin {
            // The name of the variable or flag says already which setting it is.
            Origin::Variable(_) | Origin::Flag(_) => format!("it cannot be '{wrong}': {reason}"),
            Origin::File(_) | Origin::Default => format!("{} cannot be '{wrong}': {reason}", setting.name),
        };
        self.problems.push(Problem { severity: ProblemSeverity::Wrong, origin, text });
    }

    /// Of two settings that exclude each other, the one holds that was said where it counts more.
    fn choose(&mut self, switch: &'static str, other: &'static str) {
        let (Some(on), Some(origin)) = (self.origins.get(switch).cloned(), self.origins.get(other).cloned()) else {
            return;
        };
        let (Some(switch), Some(other)) = (Setting::find(switch), Setting::find(other)) else { return };
        let is_no = |setting: &Setting| setting.is_switch && (setting.show)(&self.settings).as_deref() == Some("false");
        // A switch that is off excludes nothing.
        if is_no(switch) || is_no(other) {
            return;
        }
        match on.rank().cmp(&origin.rank()) {
            std::cmp::Ordering::Equal => {
                let text = format!("{} and {} ({on}) exclude each other; leave one out", other.name, switch.name);
                self.problems.push(Problem { severity: ProblemSeverity::Wrong, origin, text });
            }
            std::cmp::Ordering::Less => self.reset(switch),
            std::cmp::Ordering::Greater => self.reset(other),
        }
    }

    fn reset(&mut self, setting: &Setting) {
        (setting.copy)(&mut self.settings, &Settings::default());
        self.origins.remove(setting.name);
    }

    /// What keeps the broker from starting.
    pub fn wrong(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == ProblemSeverity::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::given::FilePlace;

    fn merged(given: &[(&str, &str, Origin)]) -> Configuration {
        let given = given
            .iter()
            .map(|(name, text, origin)| Setting::find(name).unwrap().given(vec![(*text).to_owned()], origin.clone()));
        let mut configuration = Configuration::default();
        configuration.take(given.collect());
        configuration
    }

    fn file(line: usize) -> Origin {
        Origin::File(FilePlace { file: "l.toml".into(), line, column: 1 })
    }

    fn variable() -> Origin {
        Origin::Variable("LEVERET_X".to_owned())
    }

    fn flag() -> Origin {
        Origin::Flag("x".to_owned())
    }

    fn shown(configuration: &Configuration, name: &str) -> Option<String> {
        (Setting::find(name).unwrap().show)(&configuration.settings)
    }

    #[test]
    fn flags_override_variables_and_those_override_files() {
        let all = [("heartbeat", "3s", flag()), ("heartbeat", "1s", file(1)), ("heartbeat", "2s", variable())];
        let [flag, file, variable] = all;
        assert_eq!(shown(&merged(&[flag, file.clone(), variable.clone()]), "heartbeat").as_deref(), Some("3s"));
        assert_eq!(shown(&merged(&[variable, file.clone()]), "heartbeat").as_deref(), Some("2s"));
        assert_eq!(shown(&merged(std::slice::from_ref(&file)), "heartbeat").as_deref(), Some("1s"));
        assert_eq!(shown(&merged(&[file, ("heartbeat", "4s", self::file(2))]), "heartbeat").as_deref(), Some("4s"));
    }

    #[test]
    fn a_wrong_value_is_told_even_where_it_is_overridden() {
        let configuration = merged(&[("heartbeat", "3s", flag()), ("heartbeat", "soon", file(7))]);
        let wrong: Vec<_> = configuration.wrong().map(ToString::to_string).collect();
        let expected = "l.toml:7:1: heartbeat cannot be 'soon': allowed is whole seconds up to 65535";
        assert!(wrong[0].starts_with(expected), "{wrong:?}");
    }

    #[test]
    fn of_what_excludes_each_other_the_one_that_counts_more_holds() {
        let memory = |origin| ("in_memory", "true", origin);
        let directory = |origin| ("data_dir", "/d", origin);
        let by_flag = merged(&[memory(flag()), directory(file(1))]);
        assert!(by_flag.settings.in_memory && by_flag.settings.data_dir.is_none());
        let by_variable = merged(&[memory(file(1)), directory(variable())]);
        assert!(!by_variable.settings.in_memory && by_variable.settings.data_dir.is_some());
        let both = merged(&[memory(file(1)), directory(file(2))]);
        let wrong: Vec<_> = both.wrong().map(ToString::to_string).collect();
        assert_eq!(wrong, ["l.toml:2:1: data_dir and in_memory (l.toml:1:1) exclude each other; leave one out"]);
        let no = merged(&[("in_memory", "false", file(1)), directory(file(2))]);
        assert_eq!(no.wrong().count(), 0);
    }
}
