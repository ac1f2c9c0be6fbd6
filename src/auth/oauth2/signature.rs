//! Signatures of tokens: `ring` computes (`p521` for the curve that it does not know), `jsonwebtoken` reads keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{AlgorithmFamily, DecodingKey, DecodingKeyKind};
use p521::ecdsa::signature::Verifier;
use ring::hmac;
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::{Map, Value};

use super::keys::Keys;
use super::token::{InvalidToken, Rules};

/// Longer texts are no tokens: a client may send 128 KiB.
const TOKEN_BYTES_MAX: usize = 128 * 1024;

/// How a signature is computed.
enum Method {
    Hmac(hmac::Algorithm),
    Rsa(&'static RsaParameters),
    Ec(&'static dyn VerificationAlgorithm),
    /// `ring` does not know this curve.
    P521,
    Ed,
}

fn method(algorithm: &str) -> Option<Method> {
    Some(match algorithm {
        "HS256" => Method::Hmac(hmac::HMAC_SHA256),
        "HS384" => Method::Hmac(hmac::HMAC_SHA384),
        "HS512" => Method::Hmac(hmac::HMAC_SHA512),
        "RS256" => Method::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        "RS384" => Method::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
        "RS512" => Method::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
        "PS256" => Method::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
        "PS384" => Method::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
        "PS512" => Method::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
        "ES256" => Method::Ec(&signature::ECDSA_P256_SHA256_FIXED),
        "ES384" => Method::Ec(&signature::ECDSA_P384_SHA384_FIXED),
        "ES512" => Method::P521,
        "EdDSA" | "Ed25519" => Method::Ed,
        _ => return None,
    })
}

/// Whether a signature by this algorithm can be verified.
pub(crate) fn known_algorithm(name: &str) -> bool {
    method(name).is_some()
}

/// A token that is well-formed; whether it is true is not known.
#[derive(Debug)]
pub(crate) struct Unverified<'a> {
    algorithm: String,
    key: Option<String>,
    signed: &'a str,
    signature: Vec<u8>,
    claims: Map<String, Value>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// When it is malformed.
    pub(crate) fn read(token: &'a [u8]) -> Result<Self, InvalidToken> {
        Self::parsed(token).ok_or_else(InvalidToken::malformed)
    }

    fn parsed(token: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(token).ok().filter(|text| text.len() <= TOKEN_BYTES_MAX)?;
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let object = |part: &str| serde_json::from_slice::<Map<String, Value>>(&decoded(part)?).ok();
        let header = object(header)?;
        // What a header says that must be understood is not understood.
        if header.contains_key("crit") {
            return None;
        }
        let text = |name: &str| header.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            algorithm: text("alg")?,
            key: text("kid"),
            signed,
            signature: decoded(signature)?,
            claims: object(claims)?,
        })
    }

    /// The name of the key that it is signed with.
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Whom it says it is for.
    pub(crate) fn audience(&self) -> Option<&Value> {
        self.claims.get("aud")
    }

    /// Verifies the signature with the key of this name: what the token says is true then.
    ///
    /// # Errors
    /// When it does not hold, there is no such key, or the algorithm is not one of those that are allowed.
    pub(crate) fn verify(
        self,
        keys: &Keys,
        name: Option<&str>,
        rules: &Rules,
    ) -> Result<Map<String, Value>, InvalidToken> {
        let key = keys.get(name).ok_or_else(InvalidToken::key_not_found)?;
        let is_for = key.algorithm.as_ref().is_none_or(|algorithm| *algorithm == self.algorithm);
        let is_allowed = rules.algorithms.is_empty() || rules.algorithms.contains(&self.algorithm);
        let method = method(&self.algorithm).filter(|_| is_for && is_allowed);
        if method.is_some_and(|method| holds(&method, &key.key, self.signed.as_bytes(), &self.signature)) {
            return Ok(self.claims);
        }
        Err(InvalidToken("Authentication using an OAuth 2/JWT token failed: signature_invalid".to_owned()))
    }
}

/// A key is used for its own kind of algorithm only: a public key is no shared secret.
fn holds(method: &Method, key: &DecodingKey, message: &[u8], signature: &[u8]) -> bool {
    match (method, key.family(), key.kind()) {
        (Method::Hmac(algorithm), AlgorithmFamily::Hmac, DecodingKeyKind::SecretOrDer(secret)) => {
            hmac::verify(&hmac::Key::new(*algorithm, secret), message, signature).is_ok()
        }
        (Method::Rsa(parameters), AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
        }
        (Method::Rsa(parameters), AlgorithmFamily::Rsa, DecodingKeyKind::SecretOrDer(der)) => {
            UnparsedPublicKey::new(*parameters, der).verify(message, signature).is_ok()
        }
        (Method::Ec(algorithm), AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) => {
            UnparsedPublicKey::new(*algorithm, point).verify(message, signature).is_ok()
        }
        (Method::P521, AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) => {
            p521_holds(point, message, signature).is_ok()
        }
        (Method::Ed, AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(point)) => {
            UnparsedPublicKey::new(&signature::ED25519, point).verify(message, signature).is_ok()
        }
        _ => false,
    }
}

fn p521_holds(point: &[u8], message: &[u8], signature: &[u8]) -> Result<(), p521::ecdsa::Error> {
    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point)?;
    key.verify(message, &p521::ecdsa::Signature::from_slice(signature)?)
}

#[cfg(test)]
mod tests;
