//! Changed copies of a message's properties: what the broker adds, removes or replaces on a message's way.

use std::borrow::Cow;

use super::{Properties, Property};
use crate::table::{Table, TableRef, Value};

/// The most bytes that a short string holds.
const SHORT_BYTES_MAX: usize = 255;

/// One header: its name, and its value with the tag in front. Both stay slices of the original until they are changed.
type Header<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// The properties of a message while they are changed; [`PropertiesEditor::build`] writes them down.
///
/// Values that are not touched are copied as they stand, headers included: neither their types nor the order inside
/// nested tables can change on the way.
#[derive(Clone, Debug, Default)]
pub struct PropertiesEditor<'a> {
    /// Every property but the headers, as it stands on the wire without its length.
    values: [Option<Cow<'a, [u8]>>; Property::ALL.len()],
    headers: Option<Vec<Header<'a>>>,
}

impl<'a> From<Properties<'a>> for PropertiesEditor<'a> {
    fn from(properties: Properties<'a>) -> Self {
        let mut editor = Self::default();
        for (property, value) in properties.values() {
            if property == Property::Headers {
                editor.headers_from(TableRef::new(value));
            } else {
                editor.put(property, Cow::Borrowed(value));
            }
        }
        editor
    }
}

impl<'a> PropertiesEditor<'a> {
    /// No property at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes a property; of the headers, all of them.
    pub(crate) fn remove(&mut self, property: Property) -> &mut Self {
        if property == Property::Headers {
            self.headers = None;
        } else if let Some(value) = self.values.get_mut(place(property)) {
            *value = None;
        }
        self
    }

    /// Sets a property that is a short string; more than 255 bytes are cut off. Any other property stays as it is.
    pub(crate) fn set(&mut self, property: Property, text: impl AsRef<[u8]>) -> &mut Self {
        if is_short_string(property) {
            let text = text.as_ref();
            self.put(property, Cow::Owned(text.get(..SHORT_BYTES_MAX).unwrap_or(text).to_vec()));
        }
        self
    }

    /// Sets the delivery mode: 2 for a persistent message.
    pub(crate) fn set_delivery_mode(&mut self, delivery_mode: u8) -> &mut Self {
        self.put(Property::DeliveryMode, Cow::Owned(vec![delivery_mode]));
        self
    }

    pub(crate) fn set_priority(&mut self, priority: u8) -> &mut Self {
        self.put(Property::Priority, Cow::Owned(vec![priority]));
        self
    }

    /// Sets the timestamp in seconds since 1970.
    pub(crate) fn set_timestamp(&mut self, seconds: u64) -> &mut Self {
        self.put(Property::Timestamp, Cow::Owned(seconds.to_be_bytes().to_vec()));
        self
    }

    /// Replaces all headers. They are sorted by name and reduced to the first of each.
    pub fn set_headers(&mut self, headers: &Table) -> &mut Self {
        let mut fields: Vec<_> = headers.iter().collect();
        fields.sort_by_key(|(name, _)| *name);
        fields.dedup_by_key(|(name, _)| *name);
        let header = |(name, value): (&[u8], &Value)| (Cow::Owned(name.to_vec()), Cow::Owned(encoded(value)));
        self.headers = Some(fields.into_iter().map(header).collect());
        self
    }

    /// Sets one header. A new one goes where the order of names puts it.
    pub fn set_header(&mut self, name: impl AsRef<[u8]>, value: &Value) -> &mut Self {
        self.set_encoded_header(name, encoded(value))
    }

    /// The same with a value as it stands on the wire, its type first.
    pub(crate) fn set_encoded_header(&mut self, name: impl AsRef<[u8]>, field: Vec<u8>) -> &mut Self {
        let name = name.as_ref();
        let name = name.get(..SHORT_BYTES_MAX).unwrap_or(name);
        let headers = self.headers.get_or_insert_default();
        match headers.iter_mut().find(|(present, _)| **present == *name) {
            Some((_, present)) => *present = Cow::Owned(field),
            None => {
                let at = headers.iter().position(|(present, _)| **present > *name).unwrap_or(headers.len());
                headers.insert(at, (Cow::Owned(name.to_vec()), Cow::Owned(field)));
            }
        }
        self
    }

    /// Removes one header. A table that becomes empty stays, as it does in RabbitMQ.
    pub(crate) fn remove_header(&mut self, name: impl AsRef<[u8]>) -> &mut Self {
        let name = name.as_ref();
        if let Some(headers) = &mut self.headers {
            headers.retain(|(present, _)| **present != *name);
        }
        self
    }

    /// The properties as they stand on the wire, flags first.
    pub fn build(&self) -> Vec<u8> {
        let mut flags = 0;
        let mut out = vec![0; 2];
        for property in Property::ALL {
            let written = if property == Property::Headers {
                self.write_headers(&mut out)
            } else {
                self.write_value(property, &mut out)
            };
            if written.is_some() {
                flags |= property.flag();
            }
        }
        if let Some(place) = out.first_chunk_mut() {
            *place = flags.to_be_bytes();
        }
        out
    }

    /// Takes over all headers of a table, in the order in which they stand there.
    pub(super) fn headers_from<'b: 'a>(&mut self, table: TableRef<'b>) {
        let mut headers = Vec::new();
        let mut iter = table.iter();
        let mut start = iter.rest();
        while let Some((name, _)) = iter.next() {
            let end = iter.rest();
            // A name is one byte of length and its text; the tag and the value follow.
            let field = start.get(1 + name.len()..start.len() - end.len()).unwrap_or_default();
            headers.push((Cow::Borrowed(name), Cow::Borrowed(field)));
            start = end;
        }
        self.headers = Some(headers);
    }

    fn put(&mut self, property: Property, value: Cow<'a, [u8]>) {
        if let Some(place) = self.values.get_mut(place(property)) {
            *place = Some(value);
        }
    }

    fn write_value(&self, property: Property, out: &mut Vec<u8>) -> Option<()> {
        let value = self.values.get(place(property))?.as_ref()?;
        if is_short_string(property) {
            out.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
        }
        out.extend_from_slice(value);
        Some(())
    }

    fn write_headers(&self, out: &mut Vec<u8>) -> Option<()> {
        let headers = self.headers.as_ref()?;
        let bytes: usize = headers.iter().map(|(name, field)| 1 + name.len() + field.len()).sum();
        // Headers fit a frame, so their length fits its four bytes.
        out.extend_from_slice(&u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes());
        for (name, field) in headers {
            out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(name);
            out.extend_from_slice(field);
        }
        Some(())
    }
}

/// A header's value with its tag in front.
fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

/// Where a property stands in [`Property::ALL`], which begins with the highest bit.
const fn place(property: Property) -> usize {
    15 - property as usize
}

/// Whether the wire carries a property as a short string.
const fn is_short_string(property: Property) -> bool {
    !matches!(property, Property::Headers | Property::DeliveryMode | Property::Priority | Property::Timestamp)
}
