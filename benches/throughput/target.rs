//! The broker under test: one that runs already, or a leveret that is started here and ends with us.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::amqp::{Connection, Url};
use crate::error::{Error, Result};
use crate::meter::now;
use crate::process::ProcessTree;

/// The release binary of this crate, as cargo built it for this bench.
const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");

/// A broker that takes longer to listen does not run.
const START_MAX: Duration = Duration::from_secs(20);

/// Where to connect, and which process to observe.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) url: Url,
    /// `None` for a broker that is not on this machine, or whose process was not named.
    pub(crate) process: Option<ProcessTree>,
    /// What the broker calls itself.
    pub(crate) server: String,
    started: Option<Started>,
}

#[derive(Debug)]
struct Started {
    binary: PathBuf,
    child: Child,
    ports_file: PathBuf,
    log_file: PathBuf,
    took: Duration,
}

impl Target {
    /// `broker` is an AMQP URL, or the path of a leveret to start; without it the one of this crate is started.
    pub(crate) fn new(broker: Option<&str>, pid: Option<u32>) -> Result<Self> {
        match broker {
            Some(url) if url.starts_with(Url::SCHEME) => {
                let process = pid.map(ProcessTree::new).transpose()?;
                Self::connect(Url::parse(url)?, process, None)
            }
            binary => Self::start(Path::new(binary.unwrap_or(LEVERET))),
        }
    }

    fn start(binary: &Path) -> Result<Self> {
        let (started, port) = Started::new(binary)?;
        let process = ProcessTree::new(started.child.id())?;
        let url = Url::parse(&format!("{}127.0.0.1:{port}", Url::SCHEME))?;
        Self::connect(url, Some(process), Some(started))
    }

    /// Replaces a broker that was started here by a new process: the memory of one scenario must not hide what the next
    /// one takes.
    pub(crate) fn renew(&mut self) -> Result<()> {
        if let Some(started) = &self.started {
            *self = Self::start(&started.binary)?;
        }
        Ok(())
    }

    fn connect(url: Url, process: Option<ProcessTree>, started: Option<Started>) -> Result<Self> {
        let connection = Connection::open(&url)?;
        let server = connection.server.clone();
        connection.close()?;
        Ok(Self { url, process, server, started })
    }

    /// The target's line among the printed conditions.
    pub(crate) fn describe(&self) -> String {
        let process = match (&self.started, self.process) {
            (Some(started), Some(_)) => format!(
                "{}, started here anew for each scenario, listening after {} ms",
                started.binary.display(),
                started.took.as_millis(),
            ),
            (None, Some(process)) => format!("process {}", process.pid()),
            (_, None) => "process not named, so no CPU and memory".to_owned(),
        };
        format!("{} at {} ({process})", self.server, self.url)
    }
}

impl Started {
    fn new(binary: &Path) -> Result<(Self, u64)> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let ports_file = env::temp_dir().join(format!("leveret-throughput-{}-{number}.json", std::process::id()));
        let log_file = ports_file.with_extension("log");
        let begin = now();
        let child = Command::new(binary)
            .args(["serve", "--amqp-listen", "127.0.0.1:0", "--in-memory", "--ports-file"])
            .arg(&ports_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log_file)?)
            .spawn()
            .map_err(|error| Error::unexpected(format!("{}: {error}", binary.display())))?;
        let mut started = Self { binary: binary.to_owned(), child, ports_file, log_file, took: Duration::ZERO };
        let port = started.wait_for_port(begin)?;
        started.took = begin.elapsed();
        Ok((started, port))
    }

    fn wait_for_port(&mut self, begin: Instant) -> Result<u64> {
        while begin.elapsed() < START_MAX {
            let ports = fs::read_to_string(&self.ports_file).unwrap_or_default();
            let ports: serde_json::Value = serde_json::from_str(&ports).unwrap_or_default();
            if let Some(port) = ports.get("amqp").and_then(serde_json::Value::as_u64) {
                return Ok(port);
            }
            if let Some(status) = self.child.try_wait()? {
                let log = self.log_file.display();
                return Err(Error::unexpected(format!("the broker ended before it listened: {status}; see {log}")));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Err(Error::unexpected("the broker wrote no ports file"))
    }
}

impl Drop for Started {
    /// The broker holds nothing worth keeping, but for the log of one that has ended by itself; a failure to end it has
    /// nobody left to be told.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            drop(fs::remove_file(&self.log_file));
        }
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_file(&self.ports_file));
    }
}
