//! OAuth 2: access tokens (JWT), what they allow, and who they are for. All of it is pure; `backends/oauth2.rs` gets the keys.
//!
//! ```text
//!   text --Unverified::read--> kid --(a key)--> Unverified::verify --> claims --Rules::token--> Token --Token::answer--> Answer
//! ```

pub(crate) mod audience;
mod claims;
mod fetching;
mod keys;
mod rich;
mod scope;
mod signature;
mod token;
mod wildcard;

pub(crate) use fetching::FetchPause;
pub(crate) use keys::{InvalidKey, Keys};
pub(crate) use signature::{Unverified, known_algorithm};
pub(crate) use token::{AccessToken, InvalidToken, Rules};
