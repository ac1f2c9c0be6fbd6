//! Definitions that are imported when a broker starts: which files, and what is wrong with one.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::start_error::StartFailure;
use crate::broker::Broker;
use crate::broker::definitions::GlobalParameterDefinition;
use crate::broker::definitions_file::{DefinitionsError, DefinitionsFile, place_of};
use crate::config::Settings;

/// The global parameter in which RabbitMQ, too, keeps what was imported last.
const HASH: &str = "imported_definition_hash_value";

/// What is to be imported.
#[derive(Debug, Default)]
pub(super) struct DefinitionsAtStart {
    paths: Vec<PathBuf>,
    skip_if_unchanged: bool,
    only: bool,
}

impl From<&Settings> for DefinitionsAtStart {
    fn from(settings: &Settings) -> Self {
        Self {
            paths: settings.definitions.clone(),
            skip_if_unchanged: settings.definitions_skip_if_unchanged,
            only: settings.definitions_only,
        }
    }
}

/// Definitions that were read.
pub(super) struct LoadedDefinitions {
    files: Vec<(PathBuf, Vec<u8>, DefinitionsFile)>,
    skip_if_unchanged: bool,
    only: bool,
}

impl DefinitionsAtStart {
    /// Reads the files, those of a directory in the order of their names.
    pub(super) fn load(&self) -> Result<LoadedDefinitions, StartFailure> {
        let mut files = Vec::new();
        for path in &self.paths {
            let cannot = |error| failed(format!("{}: it cannot be read: {error}", path.display()));
            if !path.is_dir() {
                files.push(read(path)?);
                continue;
            }
            let mut found: Vec<_> = fs::read_dir(path).map_err(cannot)?.collect::<Result<_, _>>().map_err(cannot)?;
            found.sort_by_key(fs::DirEntry::file_name);
            let of_json =
                found.iter().map(fs::DirEntry::path).filter(|file| file.extension().is_some_and(|e| e == "json"));
            let before = files.len();
            for file in of_json {
                files.push(read(&file)?);
            }
            if files.len() == before {
                tracing::warn!("the directory of definitions {} has no file whose name ends in .json", path.display());
            }
        }
        Ok(LoadedDefinitions { files, skip_if_unchanged: self.skip_if_unchanged, only: self.only })
    }
}

fn failed(text: String) -> StartFailure {
    StartFailure::Definitions(text)
}

fn read(path: &Path) -> Result<(PathBuf, Vec<u8>, DefinitionsFile), StartFailure> {
    let bytes = fs::read(path).map_err(|error| failed(format!("{}: it cannot be read: {error}", path.display())))?;
    let file = DefinitionsFile::read(&bytes).map_err(|error| wrong(path, &bytes, &error))?;
    Ok((path.to_owned(), bytes, file))
}

/// What is wrong with a file, where, and what to do: one sentence.
fn wrong(path: &Path, bytes: &[u8], error: &DefinitionsError) -> StartFailure {
    let path = path.display();
    let what = error.explained();
    failed(match place_of(bytes, error) {
        Some((line, column)) => format!("{path}:{line}:{column}: {what}"),
        None => format!("{path}: {what}"),
    })
}

impl LoadedDefinitions {
    /// Whether there are definitions at all.
    pub(super) fn is_there(&self) -> bool {
        !self.files.is_empty()
    }

    /// Whether they are all that a new broker has.
    pub(super) fn is_instead(&self) -> bool {
        self.only && self.is_there()
    }

    /// Whether they bring virtual hosts.
    pub(super) fn has_vhosts(&self) -> bool {
        self.files.iter().any(|(_, _, file)| file.vhosts().next().is_some())
    }

    /// Whether they bring this user.
    pub(super) fn has_user(&self, name: &str) -> bool {
        self.files.iter().any(|(_, _, file)| file.has_user(name))
    }

    /// Whether something in them belongs to this virtual host, and none of them brings it.
    pub(super) fn names(&self, vhost: &str) -> bool {
        let brings = self.files.iter().any(|(_, _, file)| file.vhosts().any(|name| name == vhost));
        !brings && self.files.iter().any(|(_, _, file)| file.names_vhost(vhost))
    }

    /// Imports them, unless they are to be skipped.
    pub(super) fn import(&self, broker: &Broker, now_ms: u64) -> Result<(), StartFailure> {
        if !self.is_there() {
            return Ok(());
        }
        let hash = self.hash();
        if self.skip_if_unchanged {
            let last = broker.global_parameters().into_iter().find(|parameter| parameter.name == HASH);
            if last.is_some_and(|last| last.value == hash) {
                tracing::info!(
                    "the definitions have not changed since they were imported: they are not imported again"
                );
                return Ok(());
            }
        }
        for (path, bytes, file) in &self.files {
            broker.import(file, now_ms).map_err(|error| wrong(path, bytes, &error))?;
            tracing::info!("imported definitions from {}: {}", path.display(), file.counted());
        }
        if self.skip_if_unchanged {
            // Last: an import that failed half-way is done again at the next start.
            broker.put_global_parameter(GlobalParameterDefinition { name: HASH.to_owned(), value: hash })?;
        }
        Ok(())
    }

    fn hash(&self) -> Value {
        let mut hash = Sha256::new();
        for (path, bytes, _) in &self.files {
            hash.update(path.as_os_str().as_encoded_bytes());
            // A path has no NUL, so the hash tells where it ends and the content begins.
            hash.update([0]);
            hash.update(bytes);
        }
        let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        digits.into()
    }
}
