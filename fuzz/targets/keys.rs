//! The key file, which may rot, and payloads under keys that a partner brings.

use super::{
    input::{Input, discreet, edit},
    world::{KEY, sealed as seal_under_key},
};
use yichuan::{
    domain::DispatchId,
    seal::{self, Keyring, PayloadKey, PurgeMonth},
};

/// A key file as it is, and the same with a checksum that fits. What is read is written as it was.
pub(crate) fn keys(bytes: &[u8]) {
    read(bytes);
    read(&[bytes, &seal::sha256(bytes)].concat());
}

fn read(bytes: &[u8]) {
    match Keyring::from_bytes(bytes) {
        Ok(ring) => {
            assert_eq!(*ring.to_bytes(), bytes, "one spelling");
            for (month, keys) in ring.buckets() {
                assert_eq!(PurgeMonth::new(month.number()), Some(month));
                let wrapped = &bytes[..bytes.len().min(60)];
                assert!(keys.unwrap(wrapped, DispatchId::from([1; 16])).is_err());
            }
        }
        Err(defect) => discreet(bytes, &defect.to_string()),
    }
}

/// A payload that was changed, or is opened for another dispatch or with another key, does not open.
pub(crate) fn sealed(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let id = DispatchId::from([1; 16]);
    let plaintext = input.piece();
    let truth = seal_under_key(plaintext, id);
    let (mut ciphertext, mut key) = (truth.clone(), KEY.to_vec());
    edit(&mut input, &mut ciphertext);
    edit(&mut input, &mut key);
    let other = if input.byte() == 1 {
        DispatchId::from(input.array())
    } else {
        id
    };
    let Some(opening) = PayloadKey::from_slice(&key) else {
        return assert_ne!(key.len(), 32);
    };
    match seal::open(&ciphertext, &opening, other) {
        Ok(opened) => {
            // The input may hold what was sealed for another one under the same key.
            assert_eq!((key.as_slice(), other), (&KEY[..], id));
            assert_eq!(ciphertext, seal_under_key(&opened, id));
            assert!(ciphertext != truth || opened == plaintext);
        }
        Err(_) => assert!(ciphertext != truth || key != KEY || other != id),
    }
}
