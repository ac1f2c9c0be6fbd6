//! Basic properties (AMQP 0-9-1 section 4.2.6.1), encoded here so that headers keep their wire order.

use super::table::{Table, short_string, take};

/// The fourteen properties; `None` is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub headers: Option<Table>,
    pub delivery_mode: Option<u8>,
    pub priority: Option<u8>,
    pub correlation_id: Option<String>,
    pub reply_to: Option<String>,
    pub expiration: Option<String>,
    pub message_id: Option<String>,
    pub timestamp: Option<u64>,
    pub kind: Option<String>,
    pub user_id: Option<String>,
    pub app_id: Option<String>,
    pub cluster_id: Option<String>,
}

/// No properties, to build on.
pub fn properties() -> Properties {
    Properties::default()
}

macro_rules! text_setters {
    ($($name:ident)*) => {
        impl Properties {
            $(
                #[must_use]
                pub fn $name(mut self, text: impl Into<String>) -> Self {
                    self.$name = Some(text.into());
                    self
                }
            )*
        }
    };
}

text_setters!(content_type content_encoding correlation_id reply_to expiration message_id kind user_id app_id cluster_id);

impl Properties {
    #[must_use]
    pub fn headers(mut self, headers: Table) -> Self {
        self.headers = Some(headers);
        self
    }

    #[must_use]
    pub fn delivery_mode(mut self, mode: u8) -> Self {
        self.delivery_mode = Some(mode);
        self
    }

    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    #[must_use]
    pub fn timestamp(mut self, seconds: u64) -> Self {
        self.timestamp = Some(seconds);
        self
    }

    /// Flags and values as they stand in a content header.
    pub fn encode(&self) -> Vec<u8> {
        let mut flags = 0_u16;
        let mut values = Vec::new();
        let mut field = |bit: u16, bytes: Option<Vec<u8>>| {
            if let Some(bytes) = bytes {
                flags |= 1 << bit;
                values.extend_from_slice(&bytes);
            }
        };
        let text =
            |text: &Option<String>| text.as_ref().map(|text| [&[text.len() as u8][..], text.as_bytes()].concat());
        field(15, text(&self.content_type));
        field(14, text(&self.content_encoding));
        field(13, self.headers.as_ref().map(Table::encode));
        field(12, self.delivery_mode.map(|mode| vec![mode]));
        field(11, self.priority.map(|priority| vec![priority]));
        field(10, text(&self.correlation_id));
        field(9, text(&self.reply_to));
        field(8, text(&self.expiration));
        field(7, text(&self.message_id));
        field(6, self.timestamp.map(|seconds| seconds.to_be_bytes().to_vec()));
        field(5, text(&self.kind));
        field(4, text(&self.user_id));
        field(3, text(&self.app_id));
        field(2, text(&self.cluster_id));
        [&flags.to_be_bytes()[..], &values].concat()
    }

    /// Reads flags and values; nothing may be left over.
    pub fn decode(mut bytes: &[u8]) -> Self {
        let bytes = &mut bytes;
        let flags = u16::from_be_bytes(take(bytes));
        let has = |bit: u16| flags & (1 << bit) != 0;
        fn text(present: bool, bytes: &mut &[u8]) -> Option<String> {
            present.then(|| String::from_utf8_lossy(&short_string(bytes)).into_owned())
        }
        let properties = Self {
            content_type: text(has(15), bytes),
            content_encoding: text(has(14), bytes),
            headers: has(13).then(|| Table::decode(bytes)),
            delivery_mode: has(12).then(|| take::<1>(bytes)[0]),
            priority: has(11).then(|| take::<1>(bytes)[0]),
            correlation_id: text(has(10), bytes),
            reply_to: text(has(9), bytes),
            expiration: text(has(8), bytes),
            message_id: text(has(7), bytes),
            timestamp: has(6).then(|| u64::from_be_bytes(take(bytes))),
            kind: text(has(5), bytes),
            user_id: text(has(4), bytes),
            app_id: text(has(3), bytes),
            cluster_id: text(has(2), bytes),
        };
        assert!(bytes.is_empty(), "bytes left behind the properties: {bytes:?}");
        properties
    }
}
