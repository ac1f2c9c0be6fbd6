//! Access tokens, and the keys that they are signed with.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// A key with its name.
pub struct Key {
    name: String,
    pair: Ed25519KeyPair,
}

impl Key {
    pub fn new(name: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { name: name.to_owned(), pair: Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap() }
    }

    /// A set of this key alone.
    pub fn set(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.name, "x": x }] }).to_string()
    }

    /// The public key as a file in PEM has it.
    pub fn pem(&self) -> String {
        let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        let der = [&head[..], self.pair.public_key().as_ref()].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    /// A token of `anna` for `rabbitmq`, that ends in so many seconds.
    pub fn token(&self, scopes: &str, seconds: u64) -> String {
        self.token_until(&json!("rabbitmq"), scopes, seconds)
    }

    /// A token of `anna` for others, that ends in ten minutes.
    pub fn token_for(&self, audience: Value, scopes: &str) -> String {
        self.token_until(&audience, scopes, 600)
    }

    #[expect(clippy::disallowed_methods, reason = "a token ends at a time of day")]
    fn token_until(&self, audience: &Value, scopes: &str, seconds: u64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.sign(
            &json!({ "alg": "EdDSA", "kid": self.name }),
            &json!({ "sub": "anna", "aud": audience, "scope": scopes, "exp": now + seconds }),
        )
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let body = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(body.as_bytes()).as_ref());
        format!("{body}.{signature}")
    }
}
