//! Password hashes in RabbitMQ's format, so that its definitions files can be imported: four bytes of salt, then SHA-256 over the
//! salt and the password.

use std::fmt;

use sha2::{Digest, Sha256};

/// A salted password hash.
#[derive(Clone)]
pub struct PasswordHash {
    salt: [u8; 4],
    digest: [u8; 32],
}

impl PasswordHash {
    /// Hashes a password.
    pub fn of(password: &[u8], salt: [u8; 4]) -> Self {
        Self { salt, digest: digest(password, salt) }
    }

    /// Whether this is the password. An empty one never is.
    pub fn matches(&self, password: &[u8]) -> bool {
        let given = digest(password, self.salt);
        // Every byte is looked at, so that the time taken tells nothing.
        let difference = given.iter().zip(&self.digest).fold(0, |all, (a, b)| all | (a ^ b));
        difference == 0 && !password.is_empty()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

fn digest(password: &[u8], salt: [u8; 4]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(password);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_its_password_alone() {
        let hash = PasswordHash::of(b"secret", [1, 2, 3, 4]);
        assert!(hash.matches(b"secret"));
        assert!(!hash.matches(b"Secret"));
        assert!(!hash.matches(b""));
    }

    #[test]
    fn an_empty_password_never_matches() {
        assert!(!PasswordHash::of(b"", [0; 4]).matches(b""));
    }
}
