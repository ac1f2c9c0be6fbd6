//! What stands at the beginning of a file of the log and of a segment file: which file it is, and which run made it.
//!
//! ```text
//! magic, version u32, number u64, run u64, zero u32, crc32 u32 of what is before it
//! ```

use super::StoreError;
use super::codec::Reader;
use super::run::Run;

/// The version of the format, of all files.
pub(super) const VERSION: u32 = 2;
/// Bytes of a head.
pub(super) const HEAD_BYTES: usize = 32;

/// Which file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) run: Run,
}

/// Why bytes are no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadFault {
    /// It was never written, or cannot be read.
    Damaged,
    /// It is whole, and of this version.
    Version(u32),
}

impl HeadFault {
    /// The error that names the file.
    pub(super) fn of(self, file: String) -> StoreError {
        match self {
            Self::Damaged => StoreError::Corrupt { file, offset: 0, what: "its head cannot be read".to_owned() },
            Self::Version(found) => StoreError::UnknownVersion { file, found, known: VERSION },
        }
    }
}

impl Head {
    pub(super) fn encode(self, magic: [u8; 4]) -> [u8; HEAD_BYTES] {
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.extend_from_slice(&magic);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.run.0.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes.try_into().unwrap_or([0; HEAD_BYTES])
    }

    /// Reads the head at the beginning of `bytes`. Only a whole one tells of another version: a damaged number is no version.
    pub(super) fn decode(bytes: &[u8], magic: [u8; 4]) -> Result<Self, HeadFault> {
        let checked = bytes.get(..HEAD_BYTES - 4).ok_or(HeadFault::Damaged)?;
        let mut reader = Reader::new(bytes);
        let mut read = || {
            let found = (reader.array::<4>()?, reader.u32()?, reader.u64()?, Run(reader.u64()?));
            reader.u32()?;
            (reader.u32()? == crc32fast::hash(checked) && found.0 == magic).then_some(found)
        };
        let (_, version, number, run) = read().ok_or(HeadFault::Damaged)?;
        if version == VERSION { Ok(Self { number, run }) } else { Err(HeadFault::Version(version)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_no_flipped_bit_passes() {
        let head = Head { number: 7, run: Run(9 << 32 | 3) };
        let whole = head.encode(*b"TEST");
        assert_eq!(Head::decode(&whole, *b"TEST"), Ok(head));
        assert_eq!(Head::decode(&whole, *b"ELSE"), Err(HeadFault::Damaged));
        for bit in 0..HEAD_BYTES * 8 {
            let mut bytes = whole;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::decode(&bytes, *b"TEST"), Err(HeadFault::Damaged), "bit {bit}");
        }
    }

    #[test]
    fn another_version_is_told_from_damage() {
        let mut bytes = Head { number: 7, run: Run(1) }.encode(*b"TEST");
        bytes[4] = 9;
        let crc = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Head::decode(&bytes, *b"TEST"), Err(HeadFault::Version(9)));
    }
}
