//! The rooms of the library, for the program, and for its own tests, benches and fuzz targets. Nobody else should use it: it changes
//! at any time.

/// See `src/auth`.
pub mod auth {
    pub use crate::auth::*;
}

/// See `src/broker`.
pub mod broker {
    pub use crate::broker::*;
}

/// See `src/config`.
pub mod config {
    pub use crate::config::*;
}

/// See `src/connection`.
pub mod connection {
    pub use crate::connection::*;
}

/// See `src/error`.
pub mod error {
    pub use crate::error::*;
}

/// See `src/logging`.
#[cfg(feature = "cli")]
pub mod logging {
    pub use crate::logging::*;
}

/// See `src/message`.
pub mod message {
    pub use crate::message::*;
}

/// See `src/properties`.
pub mod properties {
    pub use crate::properties::*;
}

/// See `src/protocol`.
pub mod protocol {
    pub use crate::protocol::*;
}

/// See `src/server`.
pub mod server {
    pub use crate::server::*;
}

/// See `src/store`.
pub mod store {
    pub use crate::store::*;
}

/// See `src/table`.
pub mod table {
    pub use crate::table::*;
}
