//! A self-contained text that proves that an entry is in a log (C2SP tlog-proof, version 1).

use super::{MAX_NOTE_BYTES, NoteError, SignedCheckpoint, VerifierKey};
use crate::merkle::{Hash, MAX_PROOF_HASHES, ProofInvalid, leaf_hash, verify_inclusion};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// The most extra data in a proof, in bytes: the longest entry that a log takes.
const MAX_EXTRA_BYTES: usize = 65_535;

/// The longest proof that is read, in bytes: the longest of each part, and the text before them.
pub const MAX_TLOG_PROOF_BYTES: usize =
    MAX_EXTRA_BYTES.div_ceil(3) * 4 + MAX_PROOF_HASHES * 45 + MAX_NOTE_BYTES + 64;

/// A proof as it was written down. It is only a claim until [`TlogProof::verify`] has checked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Data that the writer added; empty if there is none. It is not signed: here it is the entry itself, which its
    /// hash vouches for.
    pub extra: Vec<u8>,
    /// The entry's index in the log.
    pub index: u64,
    /// RFC 6962 inclusion proof, from the leaf's sibling up.
    pub hashes: Vec<Hash>,
    /// The log's signed checkpoint with its signature lines: a signed note.
    pub note: String,
}

/// Why a text is not a proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedTlogProof {
    /// Longer than [`MAX_TLOG_PROOF_BYTES`].
    #[error("a tlog-proof has at most {MAX_TLOG_PROOF_BYTES} bytes, this has {found}")]
    TooLong {
        /// Its length, or one more than the limit.
        found: usize,
    },
    /// Not UTF-8.
    #[error("a tlog-proof is UTF-8 text, this is not")]
    NotText,
    /// The first line belongs to something else, or to another version.
    #[error("a tlog-proof begins with the line {FIRST_LINE}, this does not")]
    FirstLine,
    /// The extra data is not standard base64, is empty, or is longer than an entry.
    #[error("the line `extra` is not the standard base64 of 1 to {MAX_EXTRA_BYTES} bytes")]
    Extra,
    /// There is no index, or it is not a canonical decimal number.
    #[error("the line `index` is missing or is not a decimal number without leading zeroes")]
    Index,
    /// A line of the inclusion proof is not a hash.
    #[error("line {line} is not the standard base64 of a hash of 32 bytes")]
    Hash {
        /// The line, from 1.
        line: usize,
    },
    /// More than [`MAX_PROOF_HASHES`].
    #[error("an inclusion proof has at most {MAX_PROOF_HASHES} hashes, this has more")]
    TooManyHashes,
    /// The empty line before the checkpoint is missing.
    #[error("the text ends before the empty line that a checkpoint follows")]
    NoCheckpoint,
}

/// Why a proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofInvalid {
    /// The log's key did not sign the checkpoint.
    #[error("the checkpoint in the proof is not this log's")]
    Note(#[from] NoteError),
    /// The entry is not in that tree at that index.
    #[error("the entry is not in the log that was signed")]
    NotIncluded(#[from] ProofInvalid),
}

impl TlogProof {
    /// Parses what its `Display` writes, and nothing else.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &[u8]) -> Result<Self, MalformedTlogProof> {
        if text.len() > MAX_TLOG_PROOF_BYTES {
            return Err(MalformedTlogProof::TooLong { found: text.len() });
        }
        let text = str::from_utf8(text).map_err(|_| MalformedTlogProof::NotText)?;
        let (head, note) = text
            .split_once("\n\n")
            .ok_or(MalformedTlogProof::NoCheckpoint)?;
        let mut lines = (1..).zip(head.split('\n')).peekable();
        if lines.next().is_none_or(|(_, line)| line != FIRST_LINE) {
            return Err(MalformedTlogProof::FirstLine);
        }
        let extra = lines.next_if(|(_, line)| line.starts_with("extra "));
        let extra = extra.map_or(Ok(Vec::new()), |(_, line)| extra_bytes(line))?;
        let index = lines.next().and_then(|(_, line)| index(line));
        let index = index.ok_or(MalformedTlogProof::Index)?;
        let mut hashes = Vec::new();
        for (line, text) in lines {
            let hash = STANDARD.decode(text).ok();
            let hash = hash.and_then(|bytes| Hash::from_slice(&bytes).ok());
            hashes.push(hash.ok_or(MalformedTlogProof::Hash { line })?);
        }
        if hashes.len() > MAX_PROOF_HASHES {
            return Err(MalformedTlogProof::TooManyHashes);
        }
        Ok(Self {
            extra,
            index,
            hashes,
            note: note.to_owned(),
        })
    }

    /// Verifies that this key's log has this leaf at the proof's index, under the checkpoint that is returned.
    ///
    /// # Errors
    /// The checkpoint is not the log's, or the leaf is not there.
    pub fn verify(
        &self,
        key: &VerifierKey,
        leaf: &[u8],
    ) -> Result<SignedCheckpoint, TlogProofInvalid> {
        let head = key.verify(self.note.as_bytes())?;
        verify_inclusion(
            &leaf_hash(leaf),
            self.index,
            head.size(),
            &self.hashes,
            head.root(),
        )?;
        Ok(head)
    }
}

/// The text, to be stored under a name that ends in `.tlog-proof`.
impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if !self.extra.is_empty() {
            writeln!(f, "extra {}", STANDARD.encode(&self.extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", STANDARD.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.note)
    }
}

fn extra_bytes(line: &str) -> Result<Vec<u8>, MalformedTlogProof> {
    let encoded = line.strip_prefix("extra ").unwrap_or_default();
    STANDARD
        .decode(encoded)
        .ok()
        .filter(|bytes| (1..=MAX_EXTRA_BYTES).contains(&bytes.len()))
        .ok_or(MalformedTlogProof::Extra)
}

fn index(line: &str) -> Option<u64> {
    let digits = line.strip_prefix("index ")?;
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{merkle::node_hash, note::LogSigner};
    use proptest::prelude::*;

    /// Of leaf 1 in a log of `entry 0`, `entry 1`.
    fn proof() -> (TlogProof, VerifierKey) {
        let signer = LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap();
        let [zero, one] = [b"entry 0", b"entry 1"].map(|leaf| leaf_hash(leaf));
        let proof = TlogProof {
            extra: b"entry 1".to_vec(),
            index: 1,
            hashes: vec![zero],
            note: signer.sign(2, node_hash(&zero, &one)).note().to_owned(),
        };
        (proof, signer.verifier_key())
    }

    #[test]
    fn the_example_of_the_specification_is_read_and_written() {
        // C2SP tlog-proof; its extra data and signatures are cut there, and other data stand for them here.
        let text = "c2sp.org/tlog-proof@v1\n\
            extra YWdl\n\
            index 73894\n\
            gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n\
            B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n\
            \n\
            example.com/fancylog\n\
            109482\n\
            sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\
            \n\
            — example.com/fancylog hI2DJwAA\n";
        let proof = TlogProof::parse(text.as_bytes()).unwrap();
        assert_eq!((proof.index, proof.hashes.len()), (73_894, 2));
        assert_eq!(proof.extra, b"age");
        assert!(proof.note.starts_with("example.com/fancylog\n109482\n"));
        assert_eq!(proof.to_string(), text);
        let without = text.replace("extra YWdl\n", "");
        let proof = TlogProof::parse(without.as_bytes()).unwrap();
        assert_eq!((proof.extra.len(), proof.to_string()), (0, without));
    }

    #[test]
    fn text_of_another_shape_is_refused_by_what_is_wrong_with_it() {
        use MalformedTlogProof as M;
        let text = proof().0.to_string();
        let hash = text.lines().nth(3).unwrap();
        for (from, to, why) in [
            ("proof@v1", "proof@v2", M::FirstLine),
            ("c2sp", " c2sp", M::FirstLine),
            ("extra ZW", "extra ZW\r", M::Extra),
            ("extra ZW", "extra  ZW", M::Extra),
            ("extra ZW50cnkgMQ==", "extra ", M::Extra),
            ("extra ZW50cnkgMQ==", "extra ZW50cnkgMR==", M::Extra),
            ("extra ", "Extra ", M::Index),
            ("index 1", "index 01", M::Index),
            ("index 1", "index +1", M::Index),
            ("index 1", "index 1 ", M::Index),
            ("index 1", "index", M::Index),
            ("index 1", "index 18446744073709551616", M::Index),
            ("index 1\n", "", M::Index),
            (hash, "AAAA", M::Hash { line: 4 }),
            (hash, " ", M::Hash { line: 4 }),
            ("\n\n520624", "\n520624", M::Hash { line: 5 }),
        ] {
            let wrong = text.replacen(from, to, 1);
            assert_ne!(wrong, text, "{from}");
            assert_eq!(TlogProof::parse(wrong.as_bytes()), Err(why), "{to:?}");
        }
        assert_eq!(TlogProof::parse(b""), Err(M::NoCheckpoint));
        assert_eq!(TlogProof::parse(b"\xff"), Err(M::NotText));
        let long = vec![b'x'; MAX_TLOG_PROOF_BYTES + 1];
        assert!(matches!(
            TlogProof::parse(&long),
            Err(M::TooLong { found }) if found == long.len()
        ));
        let many = text.replacen(hash, &[hash; 65].join("\n"), 1);
        assert_eq!(TlogProof::parse(many.as_bytes()), Err(M::TooManyHashes));
    }

    #[test]
    fn the_longest_proof_is_not_too_long() {
        let longest = TlogProof {
            extra: vec![1; MAX_EXTRA_BYTES],
            index: u64::MAX,
            hashes: vec![leaf_hash(b""); MAX_PROOF_HASHES],
            note: "x".repeat(MAX_NOTE_BYTES),
        };
        let text = longest.to_string();
        assert!(text.len() <= MAX_TLOG_PROOF_BYTES, "{}", text.len());
        assert_eq!(TlogProof::parse(text.as_bytes()), Ok(longest));
    }

    #[test]
    fn only_the_entry_at_its_index_under_its_logs_key_is_proved() {
        let (proof, key) = proof();
        assert_eq!(proof.verify(&key, b"entry 1").unwrap().size(), 2);
        assert!(matches!(
            proof.verify(&key, b"entry 0"),
            Err(TlogProofInvalid::NotIncluded(ProofInvalid::Root))
        ));
        let elsewhere = TlogProof {
            index: 0,
            ..proof.clone()
        };
        assert!(matches!(
            elsewhere.verify(&key, b"entry 1"),
            Err(TlogProofInvalid::NotIncluded(_))
        ));
        let other = LogSigner::from_seed(key.name(), &[8; 32]).unwrap();
        assert!(matches!(
            proof.verify(&other.verifier_key(), b"entry 1"),
            Err(TlogProofInvalid::Note(_))
        ));
    }

    #[test]
    fn no_bit_of_a_proof_can_be_changed() {
        let (proof, key) = proof();
        let text = proof.to_string();
        for bit in 0..text.len() * 8 {
            let mut changed = text.clone().into_bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            let read = TlogProof::parse(&changed);
            let believed = read.is_ok_and(|proof| proof.verify(&key, &proof.extra).is_ok());
            assert!(!believed, "bit {bit} of\n{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_the_same(text in "(c2sp.org/tlog-proof@v1\n)?(extra [A-Za-z0-9+/]{0,8}={0,2}\n)?(index [0-9+]{1,3}\n)?[ -~\n]{0,60}") {
            if let Ok(proof) = TlogProof::parse(text.as_bytes()) {
                prop_assert_eq!(proof.to_string(), text);
            }
        }
    }
}
