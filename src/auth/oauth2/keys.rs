//! Keys that tokens are verified with: of a JWKS, and of PEM files.

use std::collections::HashMap;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use serde_json::Value;

/// Why something is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidKey {
    /// It is no set of keys.
    #[error("invalid_jwks_response")]
    NoSet,
    /// There is no key in the set that is understood.
    #[error("empty_jwks_response")]
    Empty,
    /// The file holds none.
    #[error("here a public key in PEM is expected: RSA, EC (P-256, P-384, P-521) or Ed25519")]
    NoPem,
}

/// A key, and the algorithm that it says it is for.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) key: DecodingKey,
    pub(super) algorithm: Option<String>,
}

/// Keys by their names. A key of a set without a name is found by a token without one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(HashMap<Option<String>, Key>);

impl Keys {
    /// The keys of a JWKS. Those that are not understood are left out.
    ///
    /// # Errors
    /// When it is none, or has no key that is understood.
    pub(crate) fn of_set(json: &[u8]) -> Result<Self, InvalidKey> {
        let set: Value = serde_json::from_slice(json).map_err(|_unreadable| InvalidKey::NoSet)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(InvalidKey::NoSet)?;
        let keys: HashMap<_, _> = keys.iter().filter_map(of_json).collect();
        if keys.is_empty() { Err(InvalidKey::Empty) } else { Ok(Self(keys)) }
    }

    /// Adds the public key of a PEM file.
    ///
    /// # Errors
    /// When there is none in it.
    pub(crate) fn add_pem(&mut self, name: &str, pem: &[u8]) -> Result<(), InvalidKey> {
        let key = DecodingKey::from_rsa_pem(pem)
            .or_else(|_other| DecodingKey::from_ec_pem(pem))
            .or_else(|_other| DecodingKey::from_ed_pem(pem))
            .map_err(|_unknown| InvalidKey::NoPem)?;
        self.0.insert(Some(name.to_owned()), Key { key, algorithm: None });
        Ok(())
    }

    /// These and others; of two with one name the other one counts.
    #[must_use]
    pub(crate) fn with(&self, others: Self) -> Self {
        let mut all = self.0.clone();
        all.extend(others.0);
        Self(all)
    }

    /// Whether there is a key of this name.
    pub(crate) fn has(&self, name: Option<&str>) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn get(&self, name: Option<&str>) -> Option<&Key> {
        self.0.get(&name.map(str::to_owned))
    }
}

/// UAA's names of algorithms, and those of everybody else.
const OF_UAA: [(&str, &str); 5] = [
    ("HMACSHA256", "HS256"),
    ("HMACSHA384", "HS384"),
    ("HMACSHA512", "HS512"),
    ("SHA256withRSA", "RS256"),
    ("SHA512withRSA", "RS512"),
];

fn of_json(json: &Value) -> Option<(Option<String>, Key)> {
    let name = json.get("kid").and_then(Value::as_str).map(str::to_owned);
    let algorithm = json.get("alg").and_then(Value::as_str);
    let algorithm = algorithm.map(|alg| OF_UAA.iter().find(|(uaa, _)| *uaa == alg).map_or(alg, |(_, usual)| usual));
    let algorithm = algorithm.map(str::to_owned);
    // UAA's own kind of a shared secret.
    if json.get("kty").and_then(Value::as_str) == Some("MAC") {
        let secret = json.get("value").and_then(Value::as_str)?;
        return Some((name, Key { key: DecodingKey::from_secret(secret.as_bytes()).ok()?, algorithm }));
    }
    // What the key may be used for is told by its kind; unknown words there are no reason to leave it out.
    let mut plain = json.clone();
    if let Some(fields) = plain.as_object_mut() {
        fields.retain(|field, _| !matches!(field.as_str(), "alg" | "use" | "key_ops"));
    }
    let key = DecodingKey::from_jwk(&serde_json::from_value::<Jwk>(plain).ok()?).ok()?;
    Some((name, Key { key, algorithm }))
}
