//! Keys whose last words are places or names: `auth_backends.1.authn`, `auth_oauth2.signing_keys.NAME`.

use std::collections::BTreeMap;

use super::conf::ConfEntry;
use crate::config::given::{GivenSettings, Origin};
use crate::config::setting::Setting;

const BACKENDS: &str = "auth_backends.";

/// RabbitMQ's backends that are not there. A chain goes on without them.
const MISSING: [&str; 3] = ["internal_loopback", "rabbit_auth_backend_internal_loopback", "amqp"];

/// Who somebody is, and what it may do, as far as it was said.
type Pair = (Option<String>, Option<String>);

/// Backends in their order: `auth_backends.N`, or `.authn` and `.authz` of it.
pub(super) fn backends(entries: &mut Vec<ConfEntry>, read: &mut GivenSettings) {
    // `None` of a place with a backend that is not there.
    let mut chain: BTreeMap<u32, Option<Pair>> = BTreeMap::new();
    let mut place: Option<Origin> = None;
    entries.retain(|entry| {
        let Some(rest) = entry.key.strip_prefix(BACKENDS) else { return true };
        let (number, what) = rest.split_once('.').unwrap_or((rest, ""));
        let Ok(number) = number.parse() else {
            let text =
                format!("{}: the place of a backend in the chain is a number: auth_backends.1 = internal", entry.key);
            read.refuse(entry.origin.clone(), text);
            return false;
        };
        if MISSING.contains(&entry.value.as_str()) {
            let text =
                format!("{}: the backend {} is not there yet: others are asked without it", entry.key, entry.value);
            read.warn(entry.origin.clone(), text);
            chain.insert(number, None);
            return false;
        }
        let Some((authn, authz)) = chain.entry(number).or_insert(Some((None, None))) else { return false };
        let value = Some(entry.value.clone());
        match what {
            "" => (*authn, *authz) = (value.clone(), value),
            "authn" => *authn = value,
            "authz" => *authz = value,
            _ => read.refuse(
                entry.origin.clone(),
                format!("{}: behind the number only authn or authz may stand", entry.key),
            ),
        }
        place.get_or_insert_with(|| entry.origin.clone());
        false
    });
    // As in RabbitMQ, one alone stands for both. They come in the order of their numbers, wherever
    // they stand in the file.
    let both = |(authn, authz): Pair| Some(pair(authn.clone().or_else(|| authz.clone())?, authz.or(authn)?));
    let texts: Vec<_> = chain.into_values().flatten().filter_map(both).collect();
    if let Some(origin) = place.filter(|_| !texts.is_empty()) {
        set_backends(texts, origin, read);
    }
}

fn set_backends(texts: Vec<String>, origin: Origin, read: &mut GivenSettings) {
    let Some(setting) = Setting::find("auth_backends") else { return };
    match texts.iter().try_for_each(|text| (setting.check)(text).map_err(|reason| (text, reason))) {
        Ok(()) => read.given.push(setting.given(texts, origin)),
        Err((text, reason)) => read.refuse(origin, format!("auth_backends cannot be '{text}': {reason}")),
    }
}

/// Backends of which one says who somebody is, and the other what it may do, as a setting has them.
pub(super) fn pair(authn: String, authz: String) -> String {
    if authn == authz { authn } else { format!("{authn}/{authz}") }
}

/// The backends whose answers are remembered: one, or `.authn` and `.authz`.
pub(super) fn cached(entries: &mut Vec<ConfEntry>) {
    const CACHED: &str = "auth_cache.cached_backend";
    let take = |entries: &mut Vec<ConfEntry>, what: &str| {
        let key = format!("{CACHED}.{what}");
        let at = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(at))
    };
    let (authn, authz) = (take(entries, "authn"), take(entries, "authz"));
    // As in RabbitMQ, one alone stands for both.
    let Some(origin) = authn.as_ref().or(authz.as_ref()).map(|entry| entry.origin.clone()) else { return };
    let words = [&authn, &authz].map(|entry| entry.as_ref().map(|entry| entry.value.clone()));
    let [Some(authn), Some(authz)] =
        [words[0].clone().or_else(|| words[1].clone()), words[1].clone().or_else(|| words[0].clone())]
    else {
        return;
    };
    entries.push(ConfEntry { key: CACHED.to_owned(), value: pair(authn, authz), origin });
}

/// Values with names: `KEY.NAME = VALUE`. Where RabbitMQ has `KEY.N.alias` and `KEY.N.scope`, these make one.
pub(super) fn named(entries: &mut Vec<ConfEntry>, key: &str, setting: &str, read: &mut GivenSettings) {
    let mut texts: Vec<String> = Vec::new();
    let mut numbered: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
    let mut place: Option<Origin> = None;
    entries.retain(|entry| {
        let Some(name) = entry.key.strip_prefix(key).and_then(|rest| rest.strip_prefix('.')) else { return true };
        place.get_or_insert_with(|| entry.origin.clone());
        match name.rsplit_once('.') {
            Some((number, "alias")) => numbered.entry(number.to_owned()).or_default().0 = Some(entry.value.clone()),
            Some((number, "scope")) => numbered.entry(number.to_owned()).or_default().1 = Some(entry.value.clone()),
            _ => texts.push(format!("{name}={}", entry.value)),
        }
        false
    });
    texts.extend(numbered.into_values().filter_map(|(alias, scope)| Some(format!("{}={}", alias?, scope?))));
    let (Some(origin), Some(setting)) = (place, Setting::find(setting)) else { return };
    match texts.iter().try_for_each(|text| (setting.check)(text)) {
        Ok(()) => read.given.push(setting.given(texts, origin)),
        Err(reason) => read.refuse(origin, format!("{key}: {reason}")),
    }
}
