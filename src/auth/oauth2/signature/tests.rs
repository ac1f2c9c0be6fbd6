use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    RsaKeyPair,
};
use serde_json::json;

use super::*;

/// PKCS #8, made for these tests; no library here makes such keys.
const RSA: &str = "
    MIIEpQIBAAKCAQEAuTSNwJQ3p56viX+ItRPj+gQ32dy9YDTGQqterKCgz5oFlgkAEgwLPGb7zc5wXSWyqAb7KPG6JDF3L+2GqFFU
    0TBTMyuEYcqEbzeBFkAwbCXB92d0TvPxNME+SZkPdCAOPsyo8qVK9PP462dYHTlll1scNoCVC3RjTwEizlh4lVDmbOORrToX4GQq
    7nGh09fVC2vCAp0f4uHH6nvmW+c+xAxF4eyoqdfgxIaDdrVKI87OA6LcxSS4fsB+ZrOVRw3BVuhNrgp3c44IFAGEaUfKolPo7xNh
    qMxBzvvYMlllTKFOeBkVZ/S6VNL1cN96lJ/sILzwkRuWLAklW3JoJsormQIDAQABAoIBABqsngnxjv5+VWvpSWhDIB+fQegH6eKU
    V0W85trYG7EqzskoLLFsuKWPc47Vv8s6pbubncrs3dFeqnrlq/JMHHowipshFmT7RQ27ocTxo8e/vGsEpHTGn6PofS8ec2JXR5X1
    5hNkiSI0jVJiRQeYf7BH+A1FgbHvpmn3kOrFRUDD8hpk/287aB6t37D7StFgUXlwzSJ3q8w9guuhfYYZ1K61CF7Xbhn0o4sUews5
    harpwgBWRxnW2mmATPSSIalqN5xgr/pdrL6FZ5Eohr9zjXLvVD/8UQzQ2ZqxX0hFRkjqaBNOzvgmNw5lkUCyVzOURL6m9Vv7ZJZ5
    WUAZXnkE5/ECgYEA73uj7NhGb6xwrWOEJajEC4jQ6DxIHPusaUPa+bwk6cRgocgtJf6X/xty88K/GV3ZAL4z9mkb/SVFKD5LJU5c
    iUfbjdHoLjo39zlN3kXd41jqe5OzSAZwd2+1pFM/qU8oJ9rCKb9Aw3TQl1LUKXFsk7Wrb1t3Hf4aEvAPrLtO7MUCgYEAxfqTX2T/
    m6ujeMzjPRDEBt2XELBCq4Ug8V/bgKoVMbLzkK9bFLwnPdqnZboTZz+kk0F3RL09JqH1URbwePz0IIc+iO/4G+z8Lsf8QX2xbPSb
    3kFZucGNDxVXc9xfjqNGg+SsGgm2Lshza21G9b17bPONSXn34TmEOHxmtBYlmMUCgYEA4IEqNZiyv3IK16EZeyxxTNbf8TbB69nL
    0Yr5N3E3saaVaFT+bkX0PAWBiB8jgyZFjrrAf9odkP1ljcqIK9sASPoCSztizCNr3+nqo9sfnkf22g6m3Xib6nvg7sHURmacoHAl
    4XkXv6Q8//94QbnBLd/7bRNz4bwauXIvX6Dg5nkCgYEAg90xOZGo2oPI3xYAqNS47CW9j6UG0v1aAsspBZrDgRXDOvRBQx9LN9yi
    MJRuhg+Sy24IRaWRzGCFZ9xSkRNSezP5h/XlmJwRIAudzfUtLvgBtVhrrdjn3ksFs6rtjrDbr8+ofbNIQALNNZlUcSsiwV+7FFyD
    qOTJV2IsefhiVE0CgYEA2kfV/pEuz637basRYhUdnRazu/UCWR+ZbK1muVQr8U1TMsJpF/0ScmphKB/iAiIHqD1lEQ3tr8KJlBuU
    yLhPMI5ddWv1Dlch9At+dQ7MEzQj0YiLUd7CszwWlQoNi8WURA4ESkzlmU8Vv2RJt0TkftmOmUT5K7FaNKSKPVoC/68=
";

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What is signed of a token.
fn body(header: &Value) -> String {
    let claims = json!({ "sub": "anna" });
    format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(claims.to_string().as_bytes()))
}

fn keys(key: Value) -> Keys {
    Keys::of_set(json!({ "keys": [{ "kty": "unknown" }, key] }).to_string().as_bytes()).unwrap()
}

fn verified(token: &str, keys: &Keys, rules: &Rules) -> Result<(), String> {
    let read = Unverified::read(token.as_bytes()).map_err(|error| error.to_string())?;
    let name = read.key().map(str::to_owned);
    let claims = read.verify(keys, name.as_deref(), rules).map_err(|error| error.to_string())?;
    assert_eq!(claims.get("sub"), Some(&json!("anna")));
    Ok(())
}

const INVALID: &str = "Authentication using an OAuth 2/JWT token failed: signature_invalid";

/// The token holds; changed anywhere, or with an algorithm that is not allowed, it does not.
#[track_caller]
fn check(algorithm: &str, key: Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let keys = keys(key);
    let body = body(&json!({ "alg": algorithm, "kid": "k" }));
    let token = format!("{body}.{}", encoded(&sign(body.as_bytes())));
    assert_eq!(verified(&token, &keys, &Rules::default()), Ok(()), "{algorithm}");
    let only =
        |names: &[&str]| Rules { algorithms: names.iter().map(|&name| name.to_owned()).collect(), ..Rules::default() };
    assert_eq!(verified(&token, &keys, &only(&["RS256", algorithm])), Ok(()), "{algorithm}");
    assert_eq!(verified(&token, &keys, &only(&["none"])), Err(INVALID.to_owned()), "{algorithm}");
    let other = format!("{body}.{}", encoded(&sign(b"something else")));
    assert_eq!(verified(&other, &keys, &Rules::default()), Err(INVALID.to_owned()), "{algorithm}");
    token
}

fn rsa() -> RsaKeyPair {
    let text: String = RSA.split_whitespace().collect();
    RsaKeyPair::from_der(&STANDARD.decode(text).unwrap()).unwrap()
}

fn rsa_key() -> Value {
    let pair = rsa();
    let RsaPublicKeyComponents { n, e }: RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
    json!({ "kty": "RSA", "kid": "k", "use": "sig", "key_ops": ["strange"], "n": encoded(&n), "e": encoded(&e) })
}

#[test]
fn rsa_signs() {
    let algorithms: [(&str, &'static dyn RsaEncoding); 6] = [
        ("RS256", &RSA_PKCS1_SHA256),
        ("RS384", &RSA_PKCS1_SHA384),
        ("RS512", &RSA_PKCS1_SHA512),
        ("PS256", &RSA_PSS_SHA256),
        ("PS384", &RSA_PSS_SHA384),
        ("PS512", &RSA_PSS_SHA512),
    ];
    let pair = rsa();
    for (name, encoding) in algorithms {
        check(name, rsa_key(), |message| {
            let mut signature = vec![0; pair.public().modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        });
    }
}

#[test]
fn curves_sign() {
    let random = SystemRandom::new();
    for (name, curve, algorithm, bytes) in [
        ("ES256", "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING, 32),
        ("ES384", "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING, 48),
    ] {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(bytes);
        let key = json!({ "kty": "EC", "kid": "k", "crv": curve, "x": encoded(x), "y": encoded(y), "alg": name });
        check(name, key, |message| pair.sign(&random, message).unwrap().as_ref().to_vec());
    }
    let pair = Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref()).unwrap();
    let key = json!({ "kty": "OKP", "kid": "k", "crv": "Ed25519", "x": encoded(pair.public_key().as_ref()) });
    check("EdDSA", key, |message| pair.sign(message).as_ref().to_vec());
}

#[test]
fn the_curve_that_ring_does_not_know_signs() {
    use p521::ecdsa::signature::Signer;
    use p521::ecdsa::{Signature, SigningKey};

    let pair = SigningKey::from_slice(&[1; 66]).unwrap();
    let point = pair.verifying_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(66);
    let key = json!({ "kty": "EC", "kid": "k", "crv": "P-521", "x": encoded(x), "y": encoded(y), "alg": "ES512" });
    check("ES512", key, |message| {
        let signature: Signature = pair.sign(message);
        signature.to_bytes().to_vec()
    });
}

#[test]
fn shared_secrets_sign() {
    let sign = |message: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"secret"), message).as_ref().to_vec();
    let token = check("HS256", json!({ "kty": "oct", "kid": "k", "k": encoded(b"secret") }), sign);
    check("HS256", json!({ "kty": "MAC", "kid": "k", "alg": "HMACSHA256", "value": "secret" }), sign);
    let unknown = Err("Authentication using an OAuth 2/JWT token failed: {error,key_not_found}".to_owned());
    assert_eq!(
        verified(&token, &keys(json!({ "kty": "oct", "kid": "other", "k": "c2VjcmV0" })), &Rules::default()),
        unknown
    );
    let other = keys(json!({ "kty": "oct", "kid": "k", "k": "c2VjcmV0", "alg": "HS512" }));
    assert_eq!(
        verified(&token, &other, &Rules::default()),
        Err(INVALID.to_owned()),
        "the key is for another algorithm"
    );
}

/// Whoever knows a public key could sign with it if it were taken for a shared secret.
#[test]
fn a_public_key_is_no_shared_secret() {
    let body = body(&json!({ "alg": "HS256", "kid": "k" }));
    let n = rsa_key()["n"].as_str().unwrap().to_owned();
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, n.as_bytes()), body.as_bytes());
    let token = format!("{body}.{}", encoded(signature.as_ref()));
    assert_eq!(verified(&token, &keys(rsa_key()), &Rules::default()), Err(INVALID.to_owned()));
    let unsigned = format!("{}.", self::body(&json!({ "alg": "none", "kid": "k" })));
    assert_eq!(verified(&unsigned, &keys(rsa_key()), &Rules::default()), Err(INVALID.to_owned()));
}

#[test]
fn what_is_no_token_is_malformed() {
    let malformed = "Authentication using an OAuth 2/JWT token failed: provided token is invalid";
    let critical = format!("{}.c2ln", body(&json!({ "alg": "HS256", "crit": ["b64"] })));
    for token in ["", "guest", "a.b", "a.b.c", "e30.e30.", "....", &critical, &"x".repeat(200_000)] {
        assert_eq!(Unverified::read(token.as_bytes()).unwrap_err().to_string(), malformed, "{token:.20}");
    }
    assert!(Unverified::read(&[0xff; 3]).is_err());
}

#[test]
fn sets_that_hold_no_key_are_told() {
    assert_eq!(Keys::of_set(b"<html>").unwrap_err(), crate::auth::oauth2::InvalidKey::NoSet);
    assert_eq!(Keys::of_set(br#"{"keys":[{"kty":"strange"}]}"#).unwrap_err(), crate::auth::oauth2::InvalidKey::Empty);
    assert!(Keys::default().add_pem("k", b"-----BEGIN NONSENSE-----").is_err());
}
