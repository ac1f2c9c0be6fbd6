//! Definitions files: everything that is defined, as RabbitMQ exports and imports it.
//!
//! An import reads the whole file (`read`, `entries`), looks at everything in it (`check`), and only then does it (`import`).

mod check;
mod entries;
mod error;
mod export;
mod import;
mod place;
mod placeholders;
mod read;

pub(crate) use error::DefinitionsError;
pub use export::ExportOrigin;
pub use place::place_of;
pub use read::DefinitionsFile;
