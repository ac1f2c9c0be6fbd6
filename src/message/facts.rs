//! What the broker itself must know of a message, as it stands in the header of its record.

/// What the broker itself must know of a message without reading its properties again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `delivery_mode` is 2.
    pub persistent: bool,
    /// The broker wrote this message's `x-death` header; a client's own one is not believed (behaviour reference 6.3).
    pub dead_lettered: bool,
    /// The headers hold a BCC that recipients must not see; it is kept, because dead-lettering routes by it.
    pub has_bcc: bool,
    /// CC and BCC do not route any more: a dead letter got another routing key (behaviour reference 6.2).
    pub ignores_copies: bool,
    /// The `priority` property.
    pub priority: Option<u8>,
}

const PERSISTENT: u8 = 1;
const DEAD_LETTERED: u8 = 2;
const HAS_PRIORITY: u8 = 4;
const HAS_BCC: u8 = 8;
const IGNORES_COPIES: u8 = 16;

impl Facts {
    pub(super) fn flags(self) -> u8 {
        let bits = [
            (self.persistent, PERSISTENT),
            (self.dead_lettered, DEAD_LETTERED),
            (self.priority.is_some(), HAS_PRIORITY),
            (self.has_bcc, HAS_BCC),
            (self.ignores_copies, IGNORES_COPIES),
        ];
        bits.into_iter().filter(|(is_set, _)| *is_set).fold(0, |flags, (_, bit)| flags | bit)
    }

    pub(super) fn read(flags: u8, priority: u8) -> Self {
        Self {
            persistent: flags & PERSISTENT != 0,
            dead_lettered: flags & DEAD_LETTERED != 0,
            has_bcc: flags & HAS_BCC != 0,
            ignores_copies: flags & IGNORES_COPIES != 0,
            priority: (flags & HAS_PRIORITY != 0).then_some(priority),
        }
    }
}
