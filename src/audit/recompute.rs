//! Recomputes a log's root from its leaves and compares it with what was signed.

use crate::{
    merkle::{Frontier, Hash, leaf_hash},
    note::SignedCheckpoint,
};

/// The longest leaf: entry bundles give its length in two bytes.
pub const MAX_LEAF_BYTES: usize = u16::MAX as usize;

/// A log whose every entry was hashed and found under a signed root. Only verification makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedLog {
    checkpoint: SignedCheckpoint,
}

impl VerifiedLog {
    /// The head that the log's key signed.
    pub const fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        self.checkpoint.origin()
    }

    /// Entries.
    pub const fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    /// The root over them, recomputed and signed.
    pub const fn root(&self) -> &Hash {
        self.checkpoint.root()
    }
}

/// The entries are not those for which the checkpoint was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another number of entries.
    #[error("the checkpoint was signed for {signed} entries, there are {found}")]
    Size {
        /// The number of entries in the checkpoint.
        signed: u64,
        /// The number of entries found.
        found: u64,
    },
    /// Another root.
    #[error("the {size} entries have the root {computed}, the checkpoint was signed for {signed}")]
    Root {
        /// Entries.
        size: u64,
        /// The root in the checkpoint.
        signed: Hash,
        /// The root of the entries.
        computed: Hash,
    },
}

/// A leaf longer than any log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {index} has {found} bytes, more than the {MAX_LEAF_BYTES} that an entry may have")]
pub struct LeafTooLong {
    /// The entry.
    pub index: u64,
    /// Its bytes.
    pub found: usize,
}

/// Recomputes a log from its leaves as they arrive.
#[derive(Clone, Debug, Default)]
pub struct LogVerifier {
    frontier: Frontier,
}

impl LogVerifier {
    /// A verifier that has taken no leaves yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next leaf.
    ///
    /// # Errors
    /// Longer than [`MAX_LEAF_BYTES`].
    pub fn push(&mut self, leaf: &[u8]) -> Result<(), LeafTooLong> {
        if leaf.len() > MAX_LEAF_BYTES {
            return Err(LeafTooLong {
                index: self.size(),
                found: leaf.len(),
            });
        }
        self.frontier.push(leaf_hash(leaf));
        Ok(())
    }

    /// Leaves so far.
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root over the leaves so far, to compare with an older checkpoint when its size is reached.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Checks that the leaves are those for which this checkpoint was signed.
    ///
    /// # Errors
    /// They are not.
    pub fn finish(self, checkpoint: &SignedCheckpoint) -> Result<VerifiedLog, Mismatch> {
        compare(&self.frontier, checkpoint)
    }
}

pub(super) fn compare(
    frontier: &Frontier,
    checkpoint: &SignedCheckpoint,
) -> Result<VerifiedLog, Mismatch> {
    let (size, signed) = (frontier.size(), *checkpoint.root());
    if size != checkpoint.size() {
        return Err(Mismatch::Size {
            signed: checkpoint.size(),
            found: size,
        });
    }
    let computed = frontier.root();
    if computed != signed {
        return Err(Mismatch::Root {
            size,
            signed,
            computed,
        });
    }
    Ok(VerifiedLog {
        checkpoint: checkpoint.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{merkle::empty_root, note::LogSigner};

    #[test]
    fn leaves_that_arrive_are_the_log_or_not() {
        let signer = LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap();
        let mut log = LogVerifier::new();
        assert!(log.clone().finish(&signer.sign(0, empty_root())).is_ok());
        log.push(b"one").unwrap();
        let first = signer.sign(1, log.root());
        log.push(b"two").unwrap();
        let second = signer.sign(2, log.root());
        assert_eq!(
            log.clone().finish(&first),
            Err(Mismatch::Size {
                signed: 1,
                found: 2
            })
        );
        let mut other = LogVerifier::new();
        other.push(b"two").unwrap();
        other.push(b"one").unwrap();
        let computed = other.root();
        assert_eq!(
            other.finish(&second),
            Err(Mismatch::Root {
                size: 2,
                signed: *second.root(),
                computed
            })
        );
        assert_eq!(log.finish(&second).unwrap().checkpoint(), &second);
    }
}
