//! What the command line says of the settings.

use std::path::PathBuf;

use super::given::Given;

/// How to run the broker, as the command line says it; files and the environment may say more.
#[derive(Clone, Debug, Default)]
pub struct Serve {
    /// The values of flags.
    pub(super) given: Vec<Given>,
    /// The files that are to be read instead of those that are searched for.
    pub(super) config: Vec<PathBuf>,
    /// It is called as `rabbitmq-server`: RabbitMQ's files are read where RabbitMQ has them.
    pub is_rabbitmq_server: bool,
}

impl Serve {
    /// The command line of a broker without flags, as other commands take it to be.
    pub fn without_flags(is_rabbitmq_server: bool) -> Self {
        Self { is_rabbitmq_server, ..Self::default() }
    }
}
