//! Password hashes in RabbitMQ's three formats, so that its definitions files can be imported: four bytes of salt, then a hash of the
//! salt and the password.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};

/// How a password is hashed. Where nothing else is configured, new ones use SHA-256, as in RabbitMQ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HashingAlgorithm {
    /// `rabbit_password_hashing_sha256`.
    #[default]
    #[serde(rename = "rabbit_password_hashing_sha256")]
    Sha256,
    /// `rabbit_password_hashing_sha512`.
    #[serde(rename = "rabbit_password_hashing_sha512")]
    Sha512,
    /// `rabbit_password_hashing_md5`, of files that RabbitMQ 3.5 wrote.
    #[serde(rename = "rabbit_password_hashing_md5")]
    Md5,
}

impl HashingAlgorithm {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Sha256, Self::Sha512, Self::Md5];

    /// RabbitMQ's name of it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "rabbit_password_hashing_sha256",
            Self::Sha512 => "rabbit_password_hashing_sha512",
            Self::Md5 => "rabbit_password_hashing_md5",
        }
    }

    /// The one of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Hashes a password with salt from the system's randomness.
    ///
    /// # Errors
    /// When there is none.
    pub fn hash(self, password: &[u8]) -> Result<PasswordHash, NoRandomness> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).ok().ok_or(NoRandomness)?;
        Ok(PasswordHash::of(password, self, salt))
    }

    /// The hash of a user who cannot log in with a password.
    pub(crate) const fn no_password(self) -> PasswordHash {
        PasswordHash { algorithm: self, bytes: Vec::new() }
    }

    fn digest(self, salt: &[u8], password: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => of::<Sha256>(salt, password),
            Self::Sha512 => of::<Sha512>(salt, password),
            Self::Md5 => of::<Md5>(salt, password),
        }
    }
}

fn of<D: Digest>(salt: &[u8], password: &[u8]) -> Vec<u8> {
    D::new().chain_update(salt).chain_update(password).finalize().to_vec()
}

/// Bytes of salt in front of the hash.
const SALT_BYTES: usize = 4;

/// A salted password hash, or none: then no password is right.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    algorithm: HashingAlgorithm,
    /// Salt and digest; empty without a password.
    bytes: Vec<u8>,
}

/// A password cannot be hashed, because the system gives no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers to salt a password with")]
pub struct NoRandomness;

impl PasswordHash {
    /// That of a user who cannot log in with a password.
    pub const fn none() -> Self {
        HashingAlgorithm::Sha256.no_password()
    }

    /// Whether no password is right.
    pub(crate) const fn is_none(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Hashes a password with this salt.
    pub(crate) fn of(password: &[u8], algorithm: HashingAlgorithm, salt: [u8; SALT_BYTES]) -> Self {
        let digest = algorithm.digest(&salt, password);
        Self { algorithm, bytes: [salt.as_slice(), digest.as_slice()].concat() }
    }

    /// What RabbitMQ writes as `password_hash`; `None` when it is not base64.
    pub(crate) fn from_base64(text: &str, algorithm: HashingAlgorithm) -> Option<Self> {
        Some(Self { algorithm, bytes: STANDARD.decode(text).ok()? })
    }

    /// What RabbitMQ writes as `password_hash`.
    pub(crate) fn to_base64(&self) -> String {
        STANDARD.encode(&self.bytes)
    }

    /// How it was made.
    pub(crate) const fn algorithm(&self) -> HashingAlgorithm {
        self.algorithm
    }

    /// Whether this is the password. An empty one never is.
    pub fn matches(&self, password: &[u8]) -> bool {
        let (salt, digest) = self.bytes.split_at(self.bytes.len().min(SALT_BYTES));
        let given = self.algorithm.digest(salt, password);
        // Every byte is looked at, so that the time taken tells nothing.
        let difference = given.iter().zip(digest).fold(0, |all, (a, b)| all | (a ^ b));
        difference == 0 && given.len() == digest.len() && !password.is_empty()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_its_password_alone() {
        for algorithm in HashingAlgorithm::ALL {
            let hash = PasswordHash::of(b"secret", algorithm, [1, 2, 3, 4]);
            assert!(hash.matches(b"secret"));
            assert!(!hash.matches(b"Secret"));
            assert!(!hash.matches(b""));
            let back = PasswordHash::from_base64(&hash.to_base64(), algorithm).unwrap();
            assert_eq!((back == hash, back.algorithm()), (true, algorithm));
            assert_eq!(HashingAlgorithm::from_name(algorithm.name()), Some(algorithm));
        }
    }

    /// A hash that RabbitMQ 4.3.6 made of `y`, and the example of its documentation of `test12`.
    #[test]
    fn hashes_of_rabbitmq_are_understood() {
        for (text, password) in [
            ("KZ+HQdWBkV/mlf/qF7DmDRVotGnKuQf+8FVtbDOBIlK/Xsge", "y"),
            ("kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", "test12"),
        ] {
            let hash = PasswordHash::from_base64(text, HashingAlgorithm::Sha256).unwrap();
            assert!(hash.matches(password.as_bytes()), "{password}");
        }
    }

    #[test]
    fn nothing_matches_where_there_is_no_password() {
        assert!(!PasswordHash::of(b"", HashingAlgorithm::Sha256, [0; 4]).matches(b""));
        for text in ["", "AA==", "AAAAAA=="] {
            let hash = PasswordHash::from_base64(text, HashingAlgorithm::Sha256).unwrap();
            assert!(!hash.matches(b"") && !hash.matches(b"x"), "{text:?}");
        }
        assert!(PasswordHash::from_base64("???", HashingAlgorithm::Sha256).is_none());
    }

    #[test]
    fn each_hash_has_salt_of_its_own() {
        for algorithm in HashingAlgorithm::ALL {
            let hashes = [algorithm.hash(b"secret").unwrap(), algorithm.hash(b"secret").unwrap()];
            assert!(hashes[0] != hashes[1] && hashes.iter().all(|hash| hash.matches(b"secret")));
            assert!(hashes.iter().all(|hash| hash.algorithm() == algorithm));
        }
    }
}
