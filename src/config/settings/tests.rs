use super::*;
use crate::config::environment::is_service_link;

#[test]
fn each_default_is_shown_as_it_is() {
    let defaults = Settings::default();
    let told = |setting: &&Setting| (setting.show)(&defaults).is_some();
    for setting in SETTINGS.iter().filter(told) {
        assert_eq!((setting.show)(&defaults).as_deref(), Some(setting.default), "{}", setting.name);
    }
}

/// A service of Kubernetes is told to all its neighbours by such variables.
#[test]
fn no_variable_is_one_that_kubernetes_sets() {
    for setting in SETTINGS {
        assert!(!is_service_link(&setting.variable(), "5672"), "{}", setting.name);
    }
}

#[test]
fn sentences_are_short_and_have_no_full_stop() {
    for setting in SETTINGS {
        assert!(setting.doc.starts_with(' ') && !setting.doc.ends_with('.'), "{}", setting.name);
    }
}
