//! Files of a RabbitMQ that was here before.

use std::path::{Path, PathBuf};

/// What a node of RabbitMQ has in its directory, which is often one below the directory that is named.
const FILES_OF_RABBITMQ: [&str; 3] = ["schema.DAT", "msg_stores", "coordination"];

/// A file of RabbitMQ in this directory, or in one directly below it.
pub(crate) fn file_of_rabbitmq(directory: &Path) -> Option<PathBuf> {
    let below = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut directories = std::iter::once(directory.to_owned()).chain(below);
    directories
        .find_map(|directory| FILES_OF_RABBITMQ.map(|name| directory.join(name)).into_iter().find(|file| file.exists()))
}
