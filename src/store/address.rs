//! Where the bytes of a stored message are.

use crate::message::Message;

/// The name of a segment file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u32);

/// Where a stored message is: its record in the log, or in a segment file once it was moved there.
///
/// Eight bytes, because every queued message carries one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(u64);

/// An [`Address`], taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is in memory only.
    Nowhere,
    /// At this position of the log.
    Log(u64),
    /// In a segment file, at this offset.
    Segment(SegmentId, u32),
}

const SEGMENT: u64 = 1 << 63;

impl Address {
    /// A message that is in memory only.
    pub(crate) const NOWHERE: Self = Self(0);

    /// A position of the log; 0 is none.
    pub(crate) const fn in_log(position: u64) -> Self {
        Self(position & !SEGMENT)
    }

    /// Where the log has a message, if it has it.
    pub(crate) fn of(message: &Message) -> Self {
        // A message of a chunk that no durable queue has taken has no place.
        message.log_position().map_or(Self::NOWHERE, Self::in_log)
    }

    /// A record of a segment file.
    pub(crate) const fn in_segment(id: SegmentId, offset: u32) -> Self {
        Self(SEGMENT | (id.0 as u64) << 32 | offset as u64)
    }

    /// Takes it apart.
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the address")]
    pub(crate) const fn place(self) -> Place {
        match self.0 {
            // Never a place of the log: in front of each body stands the header of its group.
            0 => Place::Nowhere,
            position if position & SEGMENT == 0 => Place::Log(position),
            both => Place::Segment(SegmentId(((both & !SEGMENT) >> 32) as u32), both as u32),
        }
    }

    /// Whether it is in the log before this position.
    pub(crate) const fn is_in_log_before(self, position: u64) -> bool {
        self.0 != 0 && self.0 & SEGMENT == 0 && self.0 < position
    }

    /// Whether it is in the log.
    pub(crate) const fn is_in_log(self) -> bool {
        self.0 != 0 && self.0 & SEGMENT == 0
    }

    /// As it stands in records.
    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }

    /// From a record.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_it_was_made_of() {
        assert_eq!(Address::NOWHERE.place(), Place::Nowhere);
        assert_eq!(Address::in_log(77).place(), Place::Log(77));
        let segment = Address::in_segment(SegmentId(0x7fff_ffff), u32::MAX);
        assert_eq!(segment.place(), Place::Segment(SegmentId(0x7fff_ffff), u32::MAX));
        assert!(Address::in_log(5).is_in_log_before(6) && !Address::in_log(6).is_in_log_before(6));
        assert!(!segment.is_in_log_before(u64::MAX) && !Address::NOWHERE.is_in_log_before(9));
    }
}
