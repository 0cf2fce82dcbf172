//! Leaf and node hashes (RFC 6962 section 2.1, SHA-256).

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};
use std::fmt;

/// Distinguishes leaf hashes from node hashes.
const LEAF_PREFIX: u8 = 0x00;
const NODE_PREFIX: u8 = 0x01;

/// A SHA-256 hash in a tree: of a leaf, of a node, or the root. Shown as lowercase hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

/// A hash that does not have 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash has 32 bytes, this has {found}")]
pub struct MalformedHash {
    /// How many bytes there were.
    pub found: usize,
}

impl Hash {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Converts 32 bytes.
    ///
    /// # Errors
    /// Any other length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, MalformedHash> {
        <[u8; 32]>::try_from(bytes)
            .map(Self)
            .map_err(|_| MalformedHash { found: bytes.len() })
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<Digest> for Hash {
    /// Only for SHA-256 digests, the only ones made in this module.
    fn from(digest: Digest) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// SHA-256(0x00 || leaf).
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[LEAF_PREFIX]);
    context.update(leaf);
    context.finish().into()
}

/// SHA-256(0x01 || left || right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [0; 65];
    bytes[0] = NODE_PREFIX;
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    digest(&SHA256, &bytes).into()
}

/// The root of the empty tree: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    digest(&SHA256, &[]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_rfc_6962() {
        assert_eq!(
            empty_root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            leaf_hash(b"").to_string(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        assert_eq!(
            leaf_hash(b"L123456").to_string(),
            "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
        );
    }

    #[test]
    fn a_leaf_that_looks_like_a_node_hashes_differently() {
        let (left, right) = (leaf_hash(b"left"), leaf_hash(b"right"));
        let posing = [left.as_ref(), right.as_ref()].concat();
        assert_ne!(leaf_hash(&posing), node_hash(&left, &right));
        assert_ne!(node_hash(&left, &right), node_hash(&right, &left));
    }

    #[test]
    fn only_32_bytes_are_a_hash() {
        assert_eq!(Hash::from_slice(&[7; 32]), Ok(Hash::from([7; 32])));
        assert_eq!(Hash::from_slice(&[7; 31]), Err(MalformedHash { found: 31 }));
        assert_eq!(Hash::from_slice(&[7; 33]), Err(MalformedHash { found: 33 }));
    }
}
