//! What is configured as for RabbitMQ: its environment variables and its files, in the words of the settings here.

mod application_terms;
mod chained;
mod conf;
mod env_file;
mod environment;
mod erl_arguments;
mod files;
mod flattened;
mod keys;
mod levels;
mod listeners;
mod meaning;
mod properties;
mod terms;
mod tls_terms;
mod translated;

pub(super) use env_file::completed as complete_environment;
pub(super) use environment::read as read_environment;
pub(super) use files::{read as read_files, read_text};
