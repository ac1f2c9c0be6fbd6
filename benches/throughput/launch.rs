//! A leveret that is started here: where its files are, when it listens, how it ends.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, fs};

use crate::amqp::Url;
use crate::error::{Error, Result};
use crate::meter::now;
use crate::process::ProcessTree;

/// What the broker prints once it accepts clients.
const READY: &str = "Server startup complete";

/// What survives the broker's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Nothing.
    Memory,
    /// What a fresh directory holds, until we end.
    Disk,
}

/// How to start one.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) binary: PathBuf,
    pub(crate) storage: Storage,
    /// Where fresh directories are made.
    pub(crate) disk: PathBuf,
}

/// One that runs; it ends, and its files go, when this is dropped.
#[derive(Debug)]
pub(crate) struct Launched {
    recipe: Recipe,
    child: Child,
    /// Held open: the broker may print more.
    _stdout: BufReader<ChildStdout>,
    ports_file: PathBuf,
    log_file: PathBuf,
    data_dir: Option<Arc<DataDir>>,
    port: u64,
    /// From the start of the process until it accepted clients.
    pub(crate) took: Duration,
}

/// How to end one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Without a warning, as a crash.
    Kill,
    /// Let it end in order.
    Terminate,
}

#[derive(Debug)]
struct DataDir(PathBuf);

impl Drop for DataDir {
    /// Nobody is left to be told.
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Recipe {
    /// Starts with a directory of its own, if with any.
    pub(crate) fn launch(&self) -> Result<Launched> {
        let data_dir = match self.storage {
            Storage::Memory => None,
            Storage::Disk => {
                let path = self.disk.join(unique_name("data"));
                fs::create_dir_all(&path)?;
                Some(Arc::new(DataDir(path)))
            }
        };
        Launched::new(self.clone(), data_dir)
    }
}

impl Launched {
    fn new(recipe: Recipe, data_dir: Option<Arc<DataDir>>) -> Result<Self> {
        let ports_file = env::temp_dir().join(format!("{}.json", unique_name("ports")));
        let log_file = ports_file.with_extension("log");
        let mut command = Command::new(&recipe.binary);
        command.args(["serve", "--amqp-listen", "127.0.0.1:0", "--ports-file"]).arg(&ports_file);
        match &data_dir {
            None => command.arg("--in-memory"),
            Some(directory) => command.arg("--data-dir").arg(&directory.0),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(fs::File::create(&log_file)?);
        let begin = now();
        let mut child =
            command.spawn().map_err(|error| Error::unexpected(format!("{}: {error}", recipe.binary.display())))?;
        let stdout = child.stdout.take().ok_or_else(|| Error::unexpected("no standard output"))?;
        let mut stdout = BufReader::new(stdout);
        let is_ready = wait_for_ready(&mut stdout)?;
        let took = begin.elapsed();
        if !is_ready {
            let status = child.wait()?;
            let log = fs::read_to_string(&log_file).unwrap_or_default();
            let why = log.lines().next().unwrap_or("it said nothing").to_owned();
            drop(fs::remove_file(&log_file));
            return Err(Error::unexpected(format!("the broker ended before it listened: {status}: {why}")));
        }
        let port = port_in(&ports_file)?;
        Ok(Self { recipe, child, _stdout: stdout, ports_file, log_file, data_dir, port, took })
    }

    pub(crate) fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    pub(crate) fn url(&self) -> Result<Url> {
        Url::parse(&format!("{}127.0.0.1:{}", Url::SCHEME, self.port))
    }

    pub(crate) fn process(&self) -> Result<ProcessTree> {
        ProcessTree::new(self.child.id())
    }

    /// Ends it and starts it again with the same directory.
    pub(crate) fn restart(mut self, signal: Signal) -> Result<Self> {
        match signal {
            Signal::Kill => self.child.kill()?,
            Signal::Terminate => {
                let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
                if !status.success() {
                    return Err(Error::unexpected("the broker could not be told to end"));
                }
            }
        }
        self.child.wait()?;
        Self::new(self.recipe.clone(), self.data_dir.clone())
    }
}

impl Drop for Launched {
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

/// False when the process ends without having been ready.
fn wait_for_ready(stdout: &mut impl BufRead) -> Result<bool> {
    let mut line = String::new();
    while stdout.read_line(&mut line)? > 0 {
        if line.contains(READY) {
            return Ok(true);
        }
        line.clear();
    }
    Ok(false)
}

fn port_in(file: &Path) -> Result<u64> {
    let ports: serde_json::Value = serde_json::from_str(&fs::read_to_string(file)?).unwrap_or_default();
    let port = ports.get("amqp").and_then(serde_json::Value::as_u64);
    port.ok_or_else(|| Error::unexpected("the broker wrote no port into its ports file"))
}

fn unique_name(what: &str) -> String {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    format!("leveret-bench-{}-{what}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed))
}
