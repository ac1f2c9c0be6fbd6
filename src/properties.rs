//! The properties of a message (AMQP class `basic`), read in place from their wire bytes.

/// A view of the property flags and values of a content header, as they stand on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Properties<'a>(&'a [u8]);

impl<'a> Properties<'a> {
    /// A view of bytes that were validated when the message came in.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}
