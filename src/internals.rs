//! What the program, and the library's own tests, benches and fuzz targets use of its rooms. Nobody else should use it: it changes at any
//! time. A list of names, so that all else is private and the compiler says what nobody uses.

/// See `src/auth`.
pub mod auth {
    pub use crate::auth::{HashingAlgorithm, Logins, PasswordHash};
}

/// See `src/broker`.
pub mod broker {
    pub use crate::broker::Broker;
    pub mod administration {
        pub use crate::broker::administration::{Put, VhostSettings};
    }
    pub mod alarm {
        pub use crate::broker::alarm::Alarm;
    }
    pub mod definitions {
        pub use crate::broker::definitions::{
            ApplyTo, Definition, GlobalParameterDefinition, ParameterDefinition, PermissionDefinition,
            PolicyDefinition, TopicPermissionDefinition,
        };
    }
    pub mod definitions_file {
        pub use crate::broker::definitions_file::{DefinitionsFile, ExportOrigin, place_of};
    }
    pub mod exchange {
        pub use crate::broker::exchange::{Binding, Destination, EXCHANGE_TYPES, Matches, RoutedMessage, lookup};
    }
    pub mod ids {
        pub use crate::broker::ids::{ChannelId, ConnectionId, ConsumerId, QueueId};
    }
    pub mod node {
        pub use crate::broker::node::{Node, NodeSettings};
    }
    pub mod own_users {
        pub use crate::broker::own_users::OwnUsers;
    }
    pub mod pager {
        pub use crate::broker::pager::Pager;
    }
    pub mod policies {
        pub use crate::broker::policies::matching;
    }
    pub mod queue {
        pub use crate::broker::queue::{
            Choice, ConsumerSpec, MessageState, NewMessage, QueueHandle, Return, Settlement,
        };
        pub mod arguments {
            pub use crate::broker::queue::arguments::QueueKind;
        }
    }
    pub mod random {
        pub use crate::broker::random::Random;
    }
    pub mod router {
        pub use crate::broker::router::RoutingKeys;
    }
    pub mod sink {
        pub use crate::broker::sink::{Delivery, Notice, Sink, Token};
    }
    pub mod vhost {
        pub use crate::broker::vhost::{ExchangeDeclare, ForwardTo, QueueDeclare, Vhost};
    }
}

/// See `src/config`.
pub mod config {
    #[cfg(feature = "cli")]
    pub use crate::config::{CheckTask, ConfigTask, EXIT_CONFIGURATION};
    pub use crate::config::{
        Configuration, Environment, Listen, Origin, ProblemSeverity, Serve, Setting, Settings, load, read_text,
    };
}

/// See `src/connection`.
pub mod connection {
    pub mod protocol {
        pub use crate::connection::protocol::Protocol;
    }
    pub mod proxy_header {
        pub use crate::connection::proxy_header::{MalformedProxyHeader, ProxyHeader};
    }
    pub mod session {
        pub use crate::connection::session::{Addresses, Hosting, Session};
    }
}

/// See `src/error`.
pub mod error {
    pub use crate::error::{AmqpError, Scope};
}

/// See `src/http`.
pub mod http {
    pub use crate::http::{REFUSED_BY, VHOST_MAX};
}

#[cfg(feature = "cli")]
/// See `src/logging`.
pub mod logging {
    pub use crate::logging::{LogWriter, end, start};
}

/// See `src/message`.
pub mod message {
    pub use crate::message::{ChunkWriter, Facts, Message, address};
}

/// See `src/properties`.
pub mod properties {
    pub use crate::properties::{Properties, PropertiesEditor, receive, validate};
}

/// See `src/protocol`.
pub mod protocol {
    pub use crate::protocol::method;
    pub mod assembler {
        pub use crate::protocol::assembler::{Assembled, Assembler, BodySink, Publish};
    }
    pub mod command {
        pub use crate::protocol::command::{BasicMethod, Command, Reply};
    }
    pub mod content {
        pub use crate::protocol::content::ContentHeader;
    }
    pub mod fast {
        pub use crate::protocol::fast::{
            Content, Deliver, FastSettlement, SettlementKind, content_method, next_publish, next_settlement,
        };
    }
    pub mod frame {
        pub use crate::protocol::frame::{Frame, FrameKind, next_frame};
    }
    pub mod handshake {
        pub use crate::protocol::handshake::{Handshake, Identity, Offer, Step};
    }
    pub mod sasl {
        pub use crate::protocol::sasl::Mechanism;
    }
}

/// See `src/server`.
pub mod server {
    pub use crate::server::Reloaded;
    #[cfg(feature = "cli")]
    pub mod check {
        pub use crate::server::check::{CheckVerdict, check};
    }
    pub mod local {
        pub use crate::server::local::{default_data_directory, directory, in_data_directory, under_port};
    }
    pub mod talk {
        pub use crate::server::talk::{Port, Talk};
    }
}

/// See `src/store`.
pub mod store {
    pub use crate::store::seq::{Seq, SeqRange};
    pub use crate::store::{Log, LogTransaction, Sizes, StoreError, StoredLog, TransactionId};
    pub mod check {
        pub use crate::store::check::inspect;
    }
    pub mod disk {
        pub use crate::store::disk::{Disk, DiskFile, Overlay};
    }
    pub mod failure {
        pub use crate::store::failure::{Call, Cause, Remedy};
    }
    pub mod loader {
        pub use crate::store::loader::Loader;
    }
    pub mod record {
        pub use crate::store::record::{Record, records};
    }
    pub mod recovery {
        pub use crate::store::recovery::{Opening, Recovered, Report, recover};
        pub mod finding {
            pub use crate::store::recovery::finding::Finding;
        }
    }
    pub mod run {
        pub use crate::store::run::Run;
    }
    pub mod segments {
        pub use crate::store::segments::{Label, SegmentWriter, Segments, Written};
    }
    pub mod wal {
        pub use crate::store::wal::{Resume, Wal};
    }
}

/// See `src/table`.
pub mod table {
    pub use crate::table::{EncodedTable, Table, Value, ValueRef, canonical, validate};
}

/// See `src/tls`.
pub mod tls {
    pub use crate::tls::trust::{ClientIdentity, client_tls};
}
