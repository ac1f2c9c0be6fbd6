//! The broker under test: one that runs already, or a leveret that is started here and ends with us.

use std::path::{Path, PathBuf};

use crate::amqp::{Connection, Url};
use crate::error::{Error, Result};
use crate::launch::{Launched, Recipe, Storage};
use crate::options::Options;
use crate::process::ProcessTree;

/// The release binary of this crate, as cargo built it for this bench.
const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");

/// A directory on the disk of the checkout.
const TARGET_DIR: &str = env!("CARGO_TARGET_TMPDIR");

/// Where to connect, and which process to observe.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) url: Url,
    /// `None` for a broker that is not on this machine, or whose process was not named.
    pub(crate) process: Option<ProcessTree>,
    /// What the broker calls itself.
    pub(crate) server: String,
    launched: Option<Launched>,
    disk: PathBuf,
}

impl Target {
    /// `broker` is an AMQP URL, or the path of a leveret to start; without it the one of this crate is started.
    pub(crate) fn new(broker: Option<&str>, pid: Option<u32>, options: &Options) -> Result<Self> {
        let disk = options.disk.clone().unwrap_or_else(|| PathBuf::from(TARGET_DIR));
        match broker {
            Some(url) if url.starts_with(Url::SCHEME) => {
                let process = pid.map(ProcessTree::new).transpose()?;
                Self::connect(Url::parse(url)?, process, disk)
            }
            binary => {
                let binary = Path::new(binary.unwrap_or(LEVERET)).to_owned();
                Self::launch(&Recipe { binary, storage: Storage::Memory, disk })
            }
        }
    }

    fn launch(recipe: &Recipe) -> Result<Self> {
        let launched = recipe.launch()?;
        let target = Self::of(&launched)?;
        Ok(Self { launched: Some(launched), ..target })
    }

    /// One that its caller has launched, and ends.
    pub(crate) fn of(launched: &Launched) -> Result<Self> {
        Self::connect(launched.url()?, Some(launched.process()?), launched.recipe().disk.clone())
    }

    /// Replaces a broker that was started here by a new process: the memory of one scenario must not hide what the next
    /// one takes.
    pub(crate) fn renew(&mut self, storage: Storage) -> Result<()> {
        if let Some(launched) = &self.launched {
            *self = Self::launch(&Recipe { storage, ..launched.recipe().clone() })?;
        }
        Ok(())
    }

    fn connect(url: Url, process: Option<ProcessTree>, disk: PathBuf) -> Result<Self> {
        let connection = Connection::open(&url)?;
        let server = connection.server.clone();
        connection.close()?;
        Ok(Self { url, process, server, launched: None, disk })
    }

    /// How this broker is started.
    ///
    /// # Errors
    ///
    /// Somebody else started it.
    pub(crate) fn recipe(&self) -> Result<&Recipe> {
        let launched = self.launched.as_ref().ok_or(Error::Skipped("only for a leveret that is started here"))?;
        Ok(launched.recipe())
    }

    /// How to start one whose files survive it.
    ///
    /// # Errors
    ///
    /// Somebody else started it, or it was asked to have no files.
    pub(crate) fn recipe_with_disk(&self) -> Result<&Recipe> {
        let recipe = self.recipe()?;
        if recipe.storage == Storage::Memory { Err(Error::Skipped("it needs a disk")) } else { Ok(recipe) }
    }

    /// A directory on the disk that the broker is taken to use.
    pub(crate) fn disk(&self) -> &Path {
        &self.disk
    }

    /// What to call it in a figure. Leveret presents itself to clients as the RabbitMQ that they expect.
    pub(crate) fn name(&self) -> &str {
        if self.launched.is_some() { "Leveret" } else { &self.server }
    }

    /// The target's line among the printed conditions.
    pub(crate) fn describe(&self) -> String {
        let process = match (&self.launched, self.process) {
            (Some(launched), _) => {
                let disk = self.disk.display();
                format!("{}, started anew for each scenario, data in {disk}", launched.recipe().binary.display())
            }
            (None, Some(process)) => format!("process {}", process.pid()),
            (None, None) => "process not named, so no CPU and memory".to_owned(),
        };
        format!("{} at {} ({process})", self.server, self.url)
    }
}
