//! Settings that change while the broker runs: by a hang-up, which has the configuration read again, or by a command.

use std::sync::Arc;

use parking_lot::Mutex;

use super::storage::Storage;
use crate::broker::Broker;
use crate::broker::node::Node;
use crate::clock::Clock;
use crate::config::{SETTINGS, Setting, Settings};
use crate::host;
use crate::http;
use crate::logging;
use crate::protocol::handshake::HeartbeatOffer;
use crate::store::wal::Wal;
use crate::tls::Certificates;

/// What a new configuration changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Settings that have their new values now.
    pub taken: Vec<&'static str>,
    /// Settings that have them at the next start.
    pub at_next_start: Vec<&'static str>,
}

/// What can be changed of a running broker.
#[derive(Debug)]
pub(super) struct RunningOperator {
    node: Arc<Node>,
    broker: Arc<Broker>,
    clock: Clock,
    wal: Option<Arc<Wal>>,
    heartbeat: HeartbeatOffer,
    certificates: Vec<Arc<Certificates>>,
    /// What holds now; where the broker was not started from a configuration, the defaults.
    settings: Mutex<Settings>,
    /// Whether it was.
    is_configured: bool,
}

/// The parts of a broker that has just been started.
pub(super) struct Running<'a> {
    broker: &'a Arc<Broker>,
    clock: &'a Clock,
    storage: Option<&'a Storage>,
    certificates: &'a [Arc<Certificates>],
}

impl<'a> Running<'a> {
    pub(super) const fn new(
        broker: &'a Arc<Broker>,
        clock: &'a Clock,
        storage: Option<&'a Storage>,
        certificates: &'a [Arc<Certificates>],
    ) -> Self {
        Self { broker, clock, storage, certificates }
    }

    /// What can be changed of it, which was configured so.
    pub(super) fn operated(self, heartbeat: HeartbeatOffer, configured: Option<Box<Settings>>) -> RunningOperator {
        RunningOperator {
            node: Arc::clone(self.broker.node()),
            broker: Arc::clone(self.broker),
            clock: self.clock.clone(),
            wal: self.storage.map(|storage| Arc::clone(storage.wal())),
            heartbeat,
            certificates: self.certificates.to_vec(),
            is_configured: configured.is_some(),
            settings: configured.map_or_else(Mutex::default, |settings| Mutex::new(*settings)),
        }
    }
}

/// Gives the running broker a setting's value.
type Applied = fn(&RunningOperator, &Settings);

/// How each setting is applied that changes at run time.
const APPLIED: &[(&str, Applied)] = &[
    ("memory_high_watermark", |it, settings| {
        let bytes = host::memory_bytes().map_or(u64::MAX, |bytes| settings.memory_high_watermark.of(bytes));
        it.node.alarm.set_watermark(bytes);
        it.node.check_memory();
    }),
    ("disk_free_limit", |it, settings| {
        let bytes = settings.disk_free_limit.of(host::memory_bytes().unwrap_or_default());
        it.node.alarm.set_disk_free_limit(bytes);
        if let Some(wal) = &it.wal {
            wal.set_low_space_limit(bytes);
        }
    }),
    ("max_message_size", |it, settings| it.node.set_message_bytes_max(settings.max_message_size.0)),
    ("heartbeat", |it, settings| it.heartbeat.set(settings.heartbeat.0)),
    ("consumer_timeout", RunningOperator::set_consumer_timeout),
    ("no_consumer_timeout", RunningOperator::set_consumer_timeout),
    ("log_level", |_, settings| logging::set_levels(settings)),
    ("log_categories", |_, settings| logging::set_levels(settings)),
    ("log_console_level", |_, settings| logging::set_levels(settings)),
    ("log_file_level", |_, settings| logging::set_levels(settings)),
    ("log_exchange_level", |_, settings| logging::set_levels(settings)),
    ("log_syslog_level", |_, settings| logging::set_levels(settings)),
];

impl RunningOperator {
    /// Takes over what can change now. What cannot is compared with what the broker was started with.
    pub(super) fn reload(&self, new: &Settings) -> Reloaded {
        let mut reloaded = Reloaded::default();
        let mut current = self.settings.lock();
        for setting in SETTINGS {
            if (setting.is_same)(&current, new) {
                continue;
            }
            if setting.is_reloaded {
                (setting.copy)(&mut current, new);
                reloaded.taken.push(setting.name);
            } else {
                reloaded.at_next_start.push(setting.name);
            }
        }
        // Under the lock: of two changes at once, the one that is remembered is the one that holds.
        self.apply(&reloaded.taken, &current);
        // What follows waits for the disk.
        drop(current);
        // Their files may have changed although their names have not.
        self.certificates.iter().for_each(|certificates| certificates.reload());
        logging::reopen();
        reloaded
    }

    /// Queues that say nothing obey it at once. What is delivered already keeps the time that it was given.
    fn set_consumer_timeout(&self, settings: &Settings) {
        self.broker.set_consumer_timeout(settings.consumer_timeout_ms(), self.clock.now_ms());
    }

    fn apply(&self, names: &[&str], settings: &Settings) {
        for (_, apply) in APPLIED.iter().filter(|(name, _)| names.contains(name)) {
            apply(self, settings);
        }
    }
}

impl http::Operator for RunningOperator {
    fn rotate_logs(&self) {
        logging::rotate();
    }

    fn set(&self, name: &str, value: &str) -> Result<(), String> {
        let setting = Setting::find(name).ok_or_else(|| format!("{name} is no setting"))?;
        if !setting.is_reloaded {
            return Err(format!("{name} is taken over at a start only: change it in the configuration"));
        }
        let mut current = self.settings.lock();
        let mut changed = current.clone();
        (setting.set)(&mut changed, &[value.to_owned()])
            .map_err(|reason| format!("{name} cannot be '{value}': {reason}"))?;
        if name == "log_level" {
            // Whoever wants to see all of the log has it in all outputs and categories, as in RabbitMQ.
            (changed.log_console_level, changed.log_file_level) = (None, None);
            (changed.log_exchange_level, changed.log_syslog_level) = (None, None);
            changed.log_categories.clear();
        }
        if name == "consumer_timeout" {
            // What was said last counts: a time switches off that there is none.
            changed.no_consumer_timeout = false;
        }
        *current = changed;
        self.apply(&[setting.name], &current);
        Ok(())
    }

    fn configuration(&self) -> String {
        if self.is_configured { self.settings.lock().effective() } else { String::new() }
    }

    fn log_places(&self) -> Vec<String> {
        self.settings.lock().log_places()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LogFilter, LogLevel, Seconds, Share};
    use crate::http::Operator as _;

    fn operator() -> RunningOperator {
        let broker = Arc::new(Broker::new(Arc::default()));
        RunningOperator {
            node: Arc::clone(broker.node()),
            broker,
            clock: Clock::system(),
            wal: None,
            heartbeat: HeartbeatOffer::from(60),
            certificates: Vec::new(),
            settings: Mutex::default(),
            is_configured: true,
        }
    }

    #[test]
    fn each_setting_that_changes_at_run_time_is_applied_and_no_other() {
        let reloaded: Vec<_> = SETTINGS.iter().filter(|it| it.is_reloaded).map(|it| it.name).collect();
        let mut applied: Vec<_> = APPLIED.iter().map(|(name, _)| *name).collect();
        applied.sort_unstable_by_key(|name| reloaded.iter().position(|known| known == name));
        assert_eq!(applied, reloaded);
    }

    #[test]
    fn a_reload_takes_over_what_it_can_and_names_the_rest_each_time() {
        let it = operator();
        let new = Settings {
            heartbeat: Seconds(7),
            memory_high_watermark: Share::Bytes(1_000),
            node_name: "rabbit@b".to_owned(),
            ..Settings::default()
        };
        let reloaded = it.reload(&new);
        assert_eq!(reloaded.taken, ["memory_high_watermark", "heartbeat"]);
        assert_eq!(reloaded.at_next_start, ["node_name"]);
        assert_eq!((it.heartbeat.seconds(), it.node.alarm.watermark_bytes()), (7, 1_000));
        let again = it.reload(&new);
        assert_eq!((again.taken, again.at_next_start), (Vec::new(), vec!["node_name"]));
    }

    #[test]
    fn a_command_sets_what_can_change_and_says_why_else_not() {
        let it = operator();
        assert_eq!(it.set("max_message_size", "1kB"), Ok(()));
        assert_eq!(it.node.message_bytes_max(), 1_000);
        assert!(it.set("data_dir", "/x").unwrap_err().contains("at a start only"));
        assert_eq!(it.set("colour", "red").unwrap_err(), "colour is no setting");
        assert!(it.set("heartbeat", "soon").unwrap_err().starts_with("heartbeat cannot be 'soon': allowed is"));
        assert!(it.configuration().contains("max_message_size = 1000\n"));
    }

    #[test]
    fn the_level_of_the_log_is_that_of_all_of_it() {
        let it = operator();
        it.settings.lock().log_console_level = Some(LogLevel::ERROR);
        it.set("log_level", "debug").unwrap();
        let settings = it.settings.lock();
        assert_eq!(settings.log_level, LogFilter("debug".to_owned()));
        assert_eq!(settings.log_console_level, None);
    }
}
