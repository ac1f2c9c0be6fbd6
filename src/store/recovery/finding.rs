//! What was found wrong with the files: the start logs it, and `leveret store check` prints it.

use std::fmt;

use crate::store::StoreError;
use crate::store::checkpoint::QueueState;

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub(crate) file: String,
    /// What kind of fault it is.
    pub(crate) fault: Fault,
    /// Where in the file, if it is not the whole file.
    pub(crate) offset: Option<u64>,
    /// The fault in words, without the file.
    pub(crate) what: String,
    /// What follows from it.
    pub(crate) effect: Effect,
    /// The queues whose messages are there, as far as that is known.
    pub(crate) queues: Vec<u64>,
}

/// What kind of fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Some of it does not say what it must.
    Damaged,
    /// It is not there.
    Missing,
    /// It is of another time or of another directory.
    Foreign,
    /// The file system cannot read it.
    Unreadable,
    /// It says two things that cannot both be true.
    Contradictory,
}

impl Fault {
    /// The word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::Missing => "missing",
            Self::Foreign => "foreign",
            Self::Unreadable => "unreadable",
            Self::Contradictory => "contradictory",
        }
    }
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: the other checkpoint says the same.
    OtherCheckpoint,
    /// Messages that were acknowledged come back.
    AcknowledgedReturn,
    /// The start is refused; with salvage it goes on without what stands there.
    LeftOut,
    /// As [`Effect::LeftOut`], and the records of the file are read one by one.
    RecordByRecord,
    /// As [`Effect::LeftOut`], and all messages in the file are lost.
    FileLost,
    /// At least one message is lost.
    MessageLost {
        /// Its place in the order of the queue, at least.
        from: u64,
    },
    /// Nothing: the messages there were acknowledged.
    NothingLost,
    /// The messages are in a queue with another name.
    KeptApart,
}

impl Effect {
    /// The word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OtherCheckpoint => "other-checkpoint",
            Self::AcknowledgedReturn => "acknowledged-return",
            Self::LeftOut => "left-out",
            Self::RecordByRecord => "record-by-record",
            Self::FileLost => "file-lost",
            Self::MessageLost { .. } => "message-lost",
            Self::NothingLost => "nothing-lost",
            Self::KeptApart => "kept-apart",
        }
    }
}

impl Finding {
    /// An error, and what follows when the start goes on in spite of it.
    pub fn new(error: &StoreError, effect: Effect) -> Self {
        let (file, fault, offset, what) = match error {
            StoreError::Corrupt { file, offset, what } => (file, Fault::Damaged, Some(*offset), what.clone()),
            StoreError::Missing { file, why } => (file, Fault::Missing, None, why.clone()),
            StoreError::Foreign { file, why } => (file, Fault::Foreign, None, why.clone()),
            StoreError::Io { file, .. } | StoreError::UnknownVersion { file, .. } => {
                (file, Fault::Unreadable, None, error.to_string())
            }
        };
        Self { file: file.clone(), fault, offset, what, effect, queues: Vec::new() }
    }

    /// Damage at a place of a file.
    pub(crate) const fn damaged(file: String, offset: u64, what: String, effect: Effect) -> Self {
        Self { file, fault: Fault::Damaged, offset: Some(offset), what, effect, queues: Vec::new() }
    }

    /// Of two queues with one name the earlier one: its deletion is not told.
    pub(crate) fn earlier_queue(queue: u64) -> Self {
        let what = "two queues have one name, and nothing tells that the earlier one was deleted".to_owned();
        let (file, fault, effect) = ("the log".to_owned(), Fault::Contradictory, Effect::KeptApart);
        Self { file, fault, offset: None, what, effect, queues: vec![queue] }
    }

    /// With the queues that have messages in this segment file.
    pub(super) fn of_queues(self, queues: &[QueueState], id: crate::store::address::SegmentId) -> Self {
        use crate::store::address::Place;
        let is_there = |queue: &&QueueState| {
            let has_single = |place| matches!(place, Place::Segment(other, _) if other == id);
            queue.parts.iter().any(|part| part.segment == id)
                || queue.singles.iter().any(|single| has_single(single.address.place()))
        };
        Self { queues: queues.iter().filter(is_there).map(|queue| queue.queue).collect(), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, what, .. } = self;
        match self.fault {
            Fault::Damaged => {
                let offset = self.offset.unwrap_or_default();
                write!(f, "{file} is damaged at offset {offset}: {what}")?;
            }
            Fault::Missing => write!(f, "{file} is missing, {what}")?,
            Fault::Foreign => write!(f, "{file} does not belong to the other files: {what}")?,
            Fault::Unreadable => f.write_str(what)?,
            Fault::Contradictory => write!(f, "{file} contradicts itself: {what}")?,
        }
        match self.effect {
            Effect::LeftOut => Ok(()),
            Effect::OtherCheckpoint => f.write_str(": the other checkpoint is used"),
            Effect::AcknowledgedReturn => f.write_str(": messages that were acknowledged there come back"),
            Effect::RecordByRecord => f.write_str(": of the messages in it those are used that can be read"),
            Effect::FileLost => f.write_str(": the messages in it are lost"),
            Effect::MessageLost { from } => {
                write!(f, ": the message at place {from} of its queue, or behind it, is lost")
            }
            Effect::NothingLost => f.write_str(": nothing is lost, it was acknowledged"),
            Effect::KeptApart => {
                f.write_str(": a start keeps its messages in a queue whose name begins with lost+found")
            }
        }
    }
}
