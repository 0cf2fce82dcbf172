//! Encryption of payloads, and the keys whose destruction purges them.
//!
//! Everything about a person is in a payload, encrypted under a key of its own. A node stores that key only wrapped
//! under the key of a *bucket*: the records due for purge in one month. Destroying a bucket's key purges its month; the
//! log and every proof stay intact.
//!
//! Begin with `payload.rs`, then `bucket.rs` and `keyring.rs`.

mod bucket;
mod keyring;
mod payload;

pub use bucket::{BucketKeys, PurgeMonth, WRAPPED_KEY_BYTES, WrappedKey};
pub use keyring::{Keyring, KeyringDefect};
pub use payload::{
    CIPHERTEXT_LEAST, CIPHERTEXT_LIMIT, Commitment, OpenError, PayloadKey, SealError,
    SealedPayload, commitment, open, seal, sha256,
};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// The system's random source failed; no key can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random source failed")]
pub struct NoRandomness;

/// 32 fresh random bytes.
///
/// # Errors
/// The random source failed.
pub fn random_key() -> Result<[u8; 32], NoRandomness> {
    random()
}

fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| NoRandomness)?;
    Ok(bytes)
}
