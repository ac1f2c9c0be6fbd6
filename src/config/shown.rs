//! What `leveret config` prints, and docs/configuration.md.

use std::fmt::Write;
use std::path::PathBuf;

use super::given::ProblemSeverity;
use super::merged::Configuration;
use super::setting::PREFIX;
use super::setting::Setting;
use super::settings::{SETTINGS, Settings};
use super::value::LogFileName;

impl Configuration {
    /// Each setting with what holds and where it was said, as a file that says the same.
    pub(crate) fn shown(&self) -> String {
        let mut lines = String::new();
        for setting in SETTINGS {
            let origin = self.origin(setting);
            let line = match toml_of(setting, &self.settings) {
                Some(value) => format!("{} = {value}", setting.name),
                None => format!("# {} = {}", setting.name, setting.default),
            };
            // Writing to a string cannot fail.
            writeln!(lines, "{line:<60} # {origin}").ok();
        }
        lines
    }

    /// What is wrong, a line each, and how bad the worst of it is.
    pub(crate) fn checked(&self) -> (String, ProblemSeverity) {
        let lines = self.problems.iter().map(|problem| format!("{problem}\n")).collect();
        let worst = self.problems.iter().map(|problem| problem.severity).max();
        (lines, worst.unwrap_or(ProblemSeverity::Note))
    }
}

impl Settings {
    /// Each setting that has a value, as a file that says the same.
    pub fn effective(&self) -> String {
        let line = |setting: &Setting| Some(format!("{} = {}\n", setting.name, toml_of(setting, self)?));
        SETTINGS.iter().filter_map(line).collect()
    }
}

impl Settings {
    /// The file that the log is written to.
    pub(crate) fn log_file_path(&self) -> Option<PathBuf> {
        LogFileName::path(self.log_file.as_ref(), self.log_dir.as_deref(), &self.node_name)
    }

    /// How long a delivery may stay unacknowledged where its queue does not say; `None` for ever.
    pub fn consumer_timeout_ms(&self) -> Option<u64> {
        self.consumer_timeout.0.filter(|_| !self.no_consumer_timeout)
    }

    /// Where the log goes, as RabbitMQ tells it.
    pub(crate) fn log_places(&self) -> Vec<String> {
        let console = self.log_console.then(|| "<stderr>".to_owned());
        let file = self.log_file_path().map(|path| path.display().to_string());
        let more = [(self.log_syslog, "syslog"), (self.log_exchange, "exchange:amq.rabbitmq.log")];
        let more = more.into_iter().filter(|(is_on, _)| *is_on).map(|(_, place)| place.to_owned());
        console.into_iter().chain(file).chain(more).collect()
    }
}

/// The value of a setting as TOML; `None` when there is none.
fn toml_of(setting: &Setting, settings: &Settings) -> Option<String> {
    let items: Vec<_> = (setting.items)(settings).iter().map(|item| toml(item)).collect();
    match items.as_slice() {
        [] => None,
        _ if setting.is_list => Some(format!("[{}]", items.join(", "))),
        [only, ..] => Some(only.clone()),
    }
}

/// A value as TOML.
fn toml(value: &str) -> String {
    // A number must be written in the one form that TOML reads as the same: 007 is a name.
    if matches!(value, "true" | "false") || value.parse::<i64>().is_ok_and(|number| number.to_string() == value) {
        return value.to_owned();
    }
    // JSON's strings are TOML's, but for one character.
    serde_json::Value::from(value).to_string().replace('\u{7f}', "\\u007f")
}

const HEAD: &str = "\
# Configuration

This page is made of the table in `src/config/settings.rs` by `leveret config reference`.

Nothing needs to be configured. What is, comes from flags, environment variables and a file; a flag overrides a variable, and a variable
overrides the file. `leveret config show` prints what holds and where it was said; `leveret config check` says what is wrong.

The file is `leveret.toml`: in the working directory, else in `leveret` in the user's directory for configuration (`~/.config`), else in
`/etc/leveret`; `--config FILE` or `LEVERET_CONFIG_FILE` name another one. A key is a setting's name, and tables may be used for its
first words: `log_format = \"json\"` is the same as `format = \"json\"` in the table `[log]`.

- **Sizes** take RabbitMQ's units: `kB`, `MB`, `GB`, `TB` are powers of 1000; `k`, `KiB`, `M`, `MiB`, `G`, `GiB` powers of 1024. In
  `rabbitmq.conf` a size is what RabbitMQ 4.3 makes of it: `1G` is `1GB` in `vm_memory_high_watermark.absolute` and `disk_free_limit.absolute`,
  while `1KB` is 1024 bytes in `frame_max` and in `max_length_bytes` of `default_policies.operator`. Units are understood, too, where RabbitMQ takes
  none (`log.file.rotation.size`, `max_message_size`) or takes them wrongly (`KiB`, `PiB`, `T`).
- **Times** take `ms`, `s`, `m`, `h`, `d`.
- **Addresses** are a port of this machine (`5673`, `localhost:5673`), a port for all machines (`:5673`), or an address and a port
  (`192.0.2.1:5673`, `[::1]:5673`). Lists are arrays in the file, and separated by commas in a variable.
- A key or variable that is not known is named in the log, with the likely one, and has no effect. A wrong value is told with its place and
  what is allowed, and the broker does not start: exit code 78 for a file or a variable, 2 for a flag. `leveret config check` exits with 0, with 1
  if something has no effect, and with 78 if the broker would not start; it reads files of certificates and definitions, too, as a start does.
- Variables that Kubernetes sets for a service named `leveret`, such as `LEVERET_PORT=tcp://...`, are no settings; `LEVERET_PORT=5673` is one.

What is taken over **at run time** is read again at a hang-up (SIGHUP), which `leveret config reload` sends: the configuration is read as at
the start, certificates are read again, and files of the log are opened again. A setting that is taken over **at start** and was changed is named
in a warning. `rabbitmqctl set_log_level`, `set_vm_memory_high_watermark` and `set_disk_free_limit` change theirs until the next start or
hang-up.

The **log** goes to stderr, and to a file if `log_file` or `log_dir` is given. A line of a category (`connection`, `channel`, `queue`, `exchange`)
is written where both the level of the output and that of the category let it through. A file is rotated by size, by the calendar or by both, or
by others: it is opened again at a hang-up and by `rabbitmqctl rotate_logs`. If it cannot be written, lines are dropped and counted; the broker
goes on. With `log_syslog` the log goes to a syslog server, too. While that takes no lines they are lost; the other outputs say why, once.

RabbitMQ's variables (`RABBITMQ_DEFAULT_USER`, `RABBITMQ_DEFAULT_PASS`, `RABBITMQ_DEFAULT_VHOST`, `RABBITMQ_NODE_PORT`, ...) are understood; a
variable of Leveret's own overrides them. One that has no effect is named in the log.

RabbitMQ's files are read where `RABBITMQ_CONFIG_FILE`, `RABBITMQ_CONFIG_FILES` (a directory), `RABBITMQ_ADVANCED_CONFIG_FILE` and
`RABBITMQ_ENABLED_PLUGINS_FILE` say, with `--config FILE` (whose name ends in `.conf` or `.config`), and in `/etc/rabbitmq` with
`rabbitmq_files`. What they say counts less than `leveret.toml`. A key that has no effect here is named in the log with the reason.

The **first user and virtual host** are made once, while the data directory is new. **Definitions** are imported at each start, before anybody can
connect; what is there already stays. RabbitMQ makes no default user where it imports definitions. Leveret makes one if its name or password is set,
and makes `guest` if the definitions bring no users, since nobody could log in otherwise; the log says so. `definitions_only` makes it do as
RabbitMQ does.

";

/// The reference page.
pub(crate) fn reference() -> String {
    let mut page = HEAD.to_owned();
    let head = "| setting | values | default | taken over | what it does |\n|---|---|---|---|---|\n";
    page.push_str(head);
    for setting in SETTINGS {
        let flag = setting.flag().map(|flag| format!("<br>`--{flag}`")).unwrap_or_default();
        let others = |shown: fn(&str) -> String| -> String {
            setting.other_names().map(|name| format!(", `{}`", shown(name))).collect()
        };
        let others_of_files = others(str::to_owned);
        let other_variables = others(|name| format!("{PREFIX}{}", name.to_ascii_uppercase()));
        let other_flags = others(|name| format!("--{}", name.replace('_', "-")));
        let taken = if setting.is_reloaded { "at run time" } else { "at start" };
        let many = if setting.is_list { "; several" } else { "" };
        let (name, variable, doc) = (setting.name, setting.variable(), setting.doc.trim());
        let allowed = setting.allowed.replace('|', "\\|");
        // Writing to a string cannot fail.
        writeln!(
            page,
            "| `{name}`{others_of_files}<br>`{variable}`{other_variables}{flag}{other_flags} | {allowed}{many} | {} | {taken} | {doc}. |",
            setting.default
        )
        .ok();
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::arguments::Serve;
    use crate::config::environment::Environment;
    use crate::config::toml_file;

    #[test]
    fn the_reference_page_is_up_to_date() {
        let page = include_str!("../../docs/configuration.md");
        assert!(page == reference(), "run: cargo run -- config reference > docs/configuration.md");
    }

    #[test]
    fn names_that_look_like_something_else_stay_names() {
        let text = "default_user = '007'\nloopback_users = ['a,b', \"\\u007f\"]\ndefinitions = ['/a,,b']\n";
        let read = |text: &str| {
            let read = crate::config::read_text(std::path::Path::new("l.toml"), text, &Environment::default());
            assert_eq!(read.problems, [], "{text}");
            read.settings
        };
        let settings = read(text);
        assert_eq!((settings.default_user.as_deref(), settings.loopback_users.len()), (Some("007"), 2));
        assert_eq!(read(&settings.effective()), settings);
    }

    #[test]
    fn what_is_shown_is_a_file_that_says_the_same() {
        let environment = Environment::from([
            ("LEVERET_CONFIG_FILE", "/dev/null"),
            ("LEVERET_AMQP_LISTEN", ":5673,localhost:5674"),
            ("LEVERET_PORTS_FILE", "/tmp/a \"quoted\" name"),
        ]);
        let configuration = crate::config::load(&Serve::default(), &environment);
        let shown = configuration.shown();
        assert!(shown.lines().any(|line| line.ends_with(" # LEVERET_PORTS_FILE")), "{shown}");
        let read = toml_file::read(std::path::Path::new("shown"), &shown);
        assert_eq!(read.problems, []);
        let mut again = Configuration::default();
        again.take(read.given.into_iter().filter(|given| given.texts != ["false"]).collect());
        assert_eq!(again.settings, configuration.settings, "{:?}", again.problems);
    }
}
