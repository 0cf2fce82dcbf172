//! Verifies a signed note that carries a checkpoint (C2SP signed-note, tlog-checkpoint).

use super::{Checkpoint, SIGNATURE_BYTES, VerifierKey, line::SignatureLine};
use crate::merkle::Hash;

/// The longest note that is read, in bytes.
pub const MAX_NOTE_BYTES: usize = 4096;

/// The most signatures that a note may carry, known or unknown.
pub const MAX_SIGNATURE_LINES: usize = 16;

/// A checkpoint that its log's key has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    signature: [u8; SIGNATURE_BYTES],
    note: String,
}

/// Why a note or a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE_BYTES`].
    #[error("a checkpoint has at most {MAX_NOTE_BYTES} bytes, this has {found}")]
    TooLong {
        /// How many bytes the note has.
        found: usize,
    },
    /// Not UTF-8, or with control characters.
    #[error("a checkpoint is UTF-8 text without control characters, this is not")]
    NotText,
    /// There is no empty line with signature lines after it.
    #[error("the checkpoint is not signed: an empty line and signature lines must end it")]
    Unsigned,
    /// More than [`MAX_SIGNATURE_LINES`].
    #[error("a checkpoint carries at most {MAX_SIGNATURE_LINES} signatures, this one {found}")]
    TooManySignatures {
        /// How many signature lines the note has.
        found: usize,
    },
    /// Not of the form `— <name> <base64>`.
    #[error("signature line {number} of the checkpoint is malformed")]
    MalformedLine {
        /// The line, from 1.
        number: usize,
    },
    /// Nothing in the note is signed with this key.
    #[error("the checkpoint is not signed with the key of {name}: is this the log's present key?")]
    NotByThisKey {
        /// The key's name.
        name: String,
    },
    /// It claims to be this key's signature and is not.
    #[error(
        "the signature is not one of the key of {name}: what it signs or the signature was changed"
    )]
    BadSignature {
        /// The key's name.
        name: String,
    },
    /// It is signed, but not a checkpoint.
    #[error("the signed text is not a checkpoint of three lines: origin, size, root")]
    NotACheckpoint,
    /// It is signed by the right key for another log.
    #[error("the checkpoint is not one of {expected}")]
    OtherLog {
        /// The key's name.
        expected: String,
    },
    /// A cosignature's time is out of range.
    #[error("a cosignature's time is at most 2^63 - 1 seconds")]
    Time,
}

impl SignedCheckpoint {
    /// Neither signs nor verifies: for callers that have just done so.
    pub(super) fn assemble(
        checkpoint: Checkpoint,
        signature: [u8; SIGNATURE_BYTES],
        note: String,
    ) -> Self {
        Self {
            checkpoint,
            signature,
            note,
        }
    }

    /// The checkpoint that was signed.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.checkpoint.origin
    }

    /// How many entries the log has.
    pub const fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// The root of the tree over them.
    pub const fn root(&self) -> &Hash {
        &self.checkpoint.root
    }

    /// The log's Ed25519 signature over [`Checkpoint::body`].
    pub const fn signature(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.signature
    }

    /// The whole signed note, with the other signature lines that came with it.
    pub fn note(&self) -> &str {
        &self.note
    }
}

impl VerifierKey {
    /// Reads a signed note and verifies that it is a checkpoint of this key's log, signed with this key.
    ///
    /// Signatures of other keys are kept as they are and prove nothing here. Every line that claims to be this key's
    /// must be valid.
    ///
    /// # Errors
    /// What is wrong with the note.
    pub fn verify(&self, note: &[u8]) -> Result<SignedCheckpoint, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong { found: note.len() });
        }
        let note = str::from_utf8(note).map_err(|_| NoteError::NotText)?;
        if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::NotText);
        }
        let (text, lines) = split(note).ok_or(NoteError::Unsigned)?;
        let found = lines.split('\n').count();
        if found > MAX_SIGNATURE_LINES {
            return Err(NoteError::TooManySignatures { found });
        }
        let mut signature = None;
        for (number, line) in (1..).zip(lines.split('\n')) {
            let line = SignatureLine::parse(line).ok_or(NoteError::MalformedLine { number })?;
            if line.name == self.name() && line.key_id == self.id() {
                self.verify_bytes(text.as_bytes(), &line.signature)?;
                signature = signature.or_else(|| line.signature.try_into().ok());
            }
        }
        let signature = signature.ok_or_else(|| NoteError::NotByThisKey {
            name: self.name().to_owned(),
        })?;
        let checkpoint = Checkpoint::parse(text).ok_or(NoteError::NotACheckpoint)?;
        if checkpoint.origin != self.name() {
            return Err(NoteError::OtherLog {
                expected: self.name().to_owned(),
            });
        }
        Ok(SignedCheckpoint::assemble(
            checkpoint,
            signature,
            note.to_owned(),
        ))
    }
}

impl VerifierKey {
    /// Verifies a checkpoint that was stored in parts, and makes its signed note.
    ///
    /// # Errors
    /// The checkpoint is another log's, or the signature is not this key's.
    pub fn verify_parts(
        &self,
        checkpoint: &Checkpoint,
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<SignedCheckpoint, NoteError> {
        self.verify_signature(checkpoint, signature)?;
        let line = SignatureLine {
            name: self.name(),
            key_id: self.id(),
            signature: signature.to_vec(),
        };
        let note = format!("{}\n{}", checkpoint.body(), line.encode());
        Ok(SignedCheckpoint::assemble(
            checkpoint.clone(),
            *signature,
            note,
        ))
    }
}

/// The text with its final newline, and the signature lines without theirs: the last empty line separates them.
fn split(note: &str) -> Option<(&str, &str)> {
    let end_of_text = note.rfind("\n\n")? + 1;
    let (text, signatures) = note.split_at_checked(end_of_text)?;
    let lines = signatures.strip_prefix('\n')?.strip_suffix('\n')?;
    Some((text, lines))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{merkle::leaf_hash, note::LogSigner};
    use proptest::prelude::*;

    const ORIGIN: &str = "520624.yichuan/log/1";
    const STRANGER: &str = "— somebody.else AAAAAAA=\n";

    fn signer() -> LogSigner {
        LogSigner::from_seed(ORIGIN, &[7; 32]).unwrap()
    }

    fn signed() -> SignedCheckpoint {
        signer().sign(42, leaf_hash(b"root"))
    }

    fn verify(note: &str) -> Result<SignedCheckpoint, NoteError> {
        signer().verifier_key().verify(note.as_bytes())
    }

    /// What only the holder of the log's key could make.
    fn sign_text(text: &str) -> String {
        format!("{text}\n{}", signer().signature_line(text.as_bytes()))
    }

    #[test]
    fn what_was_signed_verifies_and_says_the_same() {
        let signed = signed();
        assert_eq!(verify(signed.note()), Ok(signed.clone()));
        assert_eq!((signed.origin(), signed.size()), (ORIGIN, 42));
        assert_eq!(signed.root(), &leaf_hash(b"root"));
        let key = signer().verifier_key();
        assert_eq!(
            key.verify_signature(signed.checkpoint(), signed.signature()),
            Ok(())
        );
    }

    #[test]
    fn signatures_of_others_are_kept_whatever_they_are() {
        let before = signed().note().replacen('—', &format!("{STRANGER}—"), 1);
        let after = format!("{}{STRANGER}", signed().note());
        for note in [before, after] {
            let verified = verify(&note).unwrap();
            assert_eq!(verified.note(), note);
            assert_eq!(verified.signature(), signed().signature());
        }
    }

    #[test]
    fn a_note_of_another_shape_is_refused() {
        let note = signed().note().to_owned();
        let body = signed().checkpoint().body();
        for (wrong, why) in [
            (String::new(), NoteError::Unsigned),
            (body.clone(), NoteError::Unsigned),
            (format!("{body}\n"), NoteError::Unsigned),
            (format!("{body}\n\n"), NoteError::Unsigned),
            (note.trim_end().to_owned(), NoteError::Unsigned),
            (format!("{note}\n"), NoteError::Unsigned),
            (
                format!("{note}no signature\n"),
                NoteError::MalformedLine { number: 2 },
            ),
            (note.replace("\n\n", "\n\t\n"), NoteError::NotText),
            (
                format!("{note}{}", STRANGER.repeat(16)),
                NoteError::TooManySignatures { found: 17 },
            ),
        ] {
            assert_eq!(verify(&wrong), Err(why), "{wrong:?}");
        }
        let long = format!(
            "{note}— x {}=
",
            "A".repeat(MAX_NOTE_BYTES)
        );
        assert_eq!(verify(&long), Err(NoteError::TooLong { found: long.len() }));
        let bytes = [note.as_bytes(), &[0xff]].concat();
        assert_eq!(
            signer().verifier_key().verify(&bytes),
            Err(NoteError::NotText)
        );
        assert!(verify(&format!("{note}{}", STRANGER.repeat(15))).is_ok());
    }

    #[test]
    fn a_signed_text_that_is_no_checkpoint_of_this_log_is_refused() {
        let body = signed().checkpoint().body();
        assert_eq!(
            verify(&sign_text("hello\n")),
            Err(NoteError::NotACheckpoint)
        );
        assert_eq!(
            verify(&sign_text(&format!("{body}more\n"))),
            Err(NoteError::NotACheckpoint)
        );
        assert_eq!(
            verify(&sign_text(&format!("{body}\n\n"))),
            Err(NoteError::NotACheckpoint)
        );
        let other = body.replace("520624", "530102");
        let refused = NoteError::OtherLog {
            expected: ORIGIN.to_owned(),
        };
        assert_eq!(verify(&sign_text(&other)), Err(refused.clone()));
        let other = Checkpoint {
            origin: "530102.yichuan/log/1".to_owned(),
            ..signed().checkpoint
        };
        let key = signer().verifier_key();
        assert_eq!(
            key.verify_signature(&other, signed().signature()),
            Err(refused)
        );
    }

    #[test]
    fn another_key_of_the_same_name_is_not_this_log() {
        let impostor = LogSigner::from_seed(ORIGIN, &[8; 32]).unwrap();
        let note = impostor.sign(42, leaf_hash(b"root"));
        assert_eq!(
            verify(note.note()),
            Err(NoteError::NotByThisKey {
                name: ORIGIN.to_owned()
            })
        );
        assert_eq!(
            signer()
                .verifier_key()
                .verify_signature(note.checkpoint(), note.signature()),
            Err(NoteError::BadSignature {
                name: ORIGIN.to_owned()
            })
        );
    }

    #[test]
    fn a_second_signature_of_this_key_must_be_true_too() {
        let note = signed().note().to_owned();
        let (_, line) = split(&note).unwrap();
        assert!(verify(&format!("{note}{line}\n")).is_ok());
        let forged = SignatureLine {
            name: ORIGIN,
            key_id: signer().verifier_key().id(),
            signature: vec![1; SIGNATURE_BYTES],
        };
        assert_eq!(
            verify(&format!("{note}{}", forged.encode())),
            Err(NoteError::BadSignature {
                name: ORIGIN.to_owned()
            })
        );
    }

    proptest! {
        #[test]
        fn no_bit_of_a_note_can_change(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut note = signed().note().as_bytes().to_vec();
            let at = at.index(note.len());
            note[at] ^= 1 << bit;
            prop_assert!(signer().verifier_key().verify(&note).is_err());
        }

        #[test]
        fn any_bytes_are_refused_without_panic(note in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(signer().verifier_key().verify(&note).is_err());
        }
    }
}
