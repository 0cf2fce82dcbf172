//! A partner's statement about a log's checkpoint (C2SP tlog-cosignature, version 1).

use super::{
    Checkpoint, InvalidName, NoteError, SIGNATURE_BYTES, SignedCheckpoint, VerifierKey,
    line::{SignatureLine, SignatureType, check_name, key_id},
};

/// The largest time that a cosignature may carry.
const MAX_SECONDS: u64 = i64::MAX.unsigned_abs();

/// States that at a certain time the cosigner knew of no larger checkpoint of a log, nor of one that contradicts this
/// one.
///
/// The signature covers the time and the checkpoint. It does **not** cover the cosigner's name: only the key tells who
/// it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// Seconds since 1970.
    pub at_seconds: u64,
    /// The Ed25519 signature.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// The text that is signed.
pub(super) fn message(checkpoint: &Checkpoint, at_seconds: u64) -> String {
    format!("cosignature/v1\ntime {at_seconds}\n{}", checkpoint.body())
}

impl Cosignature {
    fn from_line(line: &SignatureLine<'_>) -> Option<Self> {
        let (at, signature) = line.signature.split_first_chunk()?;
        Some(Self {
            at_seconds: u64::from_be_bytes(*at),
            signature: signature.try_into().ok()?,
        })
    }

    /// The signature line, with its newline, to append to the cosigned checkpoint's note.
    ///
    /// # Errors
    /// Notes cannot carry this name.
    pub fn line(&self, cosigner_name: &str, key: &VerifierKey) -> Result<String, InvalidName> {
        check_name(cosigner_name)?;
        let key_id = key_id(
            cosigner_name,
            SignatureType::CosignatureV1,
            key.public_key(),
        );
        let signature = [&self.at_seconds.to_be_bytes()[..], &self.signature].concat();
        Ok(SignatureLine {
            name: cosigner_name,
            key_id,
            signature,
        }
        .encode())
    }
}

impl VerifierKey {
    /// Verifies that this key cosigned this checkpoint at the time in the cosignature.
    ///
    /// # Errors
    /// It did not, or the time is out of range.
    pub fn verify_cosignature(
        &self,
        checkpoint: &Checkpoint,
        cosignature: &Cosignature,
    ) -> Result<(), NoteError> {
        if cosignature.at_seconds > MAX_SECONDS {
            return Err(NoteError::Time);
        }
        let message = message(checkpoint, cosignature.at_seconds);
        self.verify_bytes(message.as_bytes(), &cosignature.signature)
    }
}

impl SignedCheckpoint {
    /// This cosigner's cosignature among the signature lines, verified; `None` if there is none.
    ///
    /// # Errors
    /// A line under the cosigner's name and key id is not this key's cosignature of this checkpoint.
    pub fn cosignature_of(
        &self,
        cosigner_name: &str,
        key: &VerifierKey,
    ) -> Result<Option<Cosignature>, NoteError> {
        let id = key_id(
            cosigner_name,
            SignatureType::CosignatureV1,
            key.public_key(),
        );
        let mut found = None;
        // The text of a checkpoint has no line that begins as signature lines do.
        let lines = self.note().lines().filter_map(SignatureLine::parse);
        for line in lines.filter(|line| line.name == cosigner_name && line.key_id == id) {
            let cosignature = Cosignature::from_line(&line).ok_or(NoteError::BadSignature {
                name: cosigner_name.to_owned(),
            })?;
            key.verify_cosignature(self.checkpoint(), &cosignature)?;
            found = found.or(Some(cosignature));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{merkle::leaf_hash, note::LogSigner};

    fn checkpoint() -> Checkpoint {
        let origin = "520624.yichuan/log/1".to_owned();
        Checkpoint {
            origin,
            size: 7,
            root: leaf_hash(b"root"),
        }
    }

    fn witness() -> LogSigner {
        LogSigner::from_seed("530102.yichuan/log/1", &[9; 32]).unwrap()
    }

    #[test]
    fn the_message_is_that_of_the_specification() {
        let body = "example.com/behind-the-sofa\n20852163\n\
                    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint = Checkpoint::parse(body).unwrap();
        assert_eq!(
            message(&checkpoint, 1_679_315_147),
            format!("cosignature/v1\ntime 1679315147\n{body}")
        );
    }

    #[test]
    fn a_cosignature_is_for_one_checkpoint_at_one_time_by_one_key() {
        let cosignature = witness().cosign(&checkpoint(), 1_700_000_000);
        let key = witness().verifier_key();
        assert_eq!(key.verify_cosignature(&checkpoint(), &cosignature), Ok(()));
        let refused = Err(NoteError::BadSignature {
            name: key.name().to_owned(),
        });
        let later = Cosignature {
            at_seconds: 1_700_000_001,
            ..cosignature
        };
        assert_eq!(key.verify_cosignature(&checkpoint(), &later), refused);
        let larger = Checkpoint {
            size: 8,
            ..checkpoint()
        };
        assert_eq!(key.verify_cosignature(&larger, &cosignature), refused);
        let forked = Checkpoint {
            root: leaf_hash(b"fork"),
            ..checkpoint()
        };
        assert_eq!(key.verify_cosignature(&forked, &cosignature), refused);
        let other = LogSigner::from_seed(key.name(), &[10; 32])
            .unwrap()
            .verifier_key();
        assert!(
            other
                .verify_cosignature(&checkpoint(), &cosignature)
                .is_err()
        );
        let mut changed = cosignature;
        changed.signature[63] ^= 1;
        assert_eq!(key.verify_cosignature(&checkpoint(), &changed), refused);
    }

    #[test]
    fn a_checkpoint_signature_is_no_cosignature_nor_the_reverse() {
        let signed = witness().sign(7, leaf_hash(b"root"));
        let key = witness().verifier_key();
        let posing = Cosignature {
            at_seconds: 0,
            signature: *signed.signature(),
        };
        assert!(
            key.verify_cosignature(signed.checkpoint(), &posing)
                .is_err()
        );
        let cosignature = witness().cosign(signed.checkpoint(), 0);
        assert!(
            key.verify_signature(signed.checkpoint(), &cosignature.signature)
                .is_err()
        );
    }

    #[test]
    fn a_time_out_of_range_is_refused() {
        let cosignature = witness().cosign(&checkpoint(), MAX_SECONDS + 1);
        let key = witness().verifier_key();
        assert_eq!(
            key.verify_cosignature(&checkpoint(), &cosignature),
            Err(NoteError::Time)
        );
    }

    #[test]
    fn the_line_carries_time_and_signature_and_leaves_the_note_valid() {
        let log = LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap();
        let signed = log.sign(7, leaf_hash(b"root"));
        let cosignature = witness().cosign(signed.checkpoint(), 1_700_000_000);
        let line = cosignature
            .line("530102.yichuan", &witness().verifier_key())
            .unwrap();
        let parsed = SignatureLine::parse(line.trim_end()).unwrap();
        assert_eq!(parsed.name, "530102.yichuan");
        assert_eq!(parsed.signature[..8], 1_700_000_000_u64.to_be_bytes());
        assert_eq!(parsed.signature[8..], cosignature.signature);
        let note = format!("{}{line}", signed.note());
        assert_eq!(
            log.verifier_key().verify(note.as_bytes()).unwrap().note(),
            note
        );
        assert_eq!(
            cosignature.line("a b", &witness().verifier_key()),
            Err(InvalidName)
        );
    }

    #[test]
    fn a_cosigner_is_found_among_the_lines_and_a_line_in_its_name_must_be_its_own() {
        const NAME: &str = "530102.yichuan";
        let log = LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap();
        let signed = log.sign(7, leaf_hash(b"root"));
        let key = witness().verifier_key();
        assert_eq!(signed.cosignature_of(NAME, &key), Ok(None));
        let read = |line: &str| {
            let note = format!("{}{line}", signed.note());
            let read = log.verifier_key().verify(note.as_bytes()).unwrap();
            read.cosignature_of(NAME, &key)
        };
        let cosignature = witness().cosign(signed.checkpoint(), 1_700_000_000);
        let line = cosignature.line(NAME, &key).unwrap();
        assert_eq!(read(&line), Ok(Some(cosignature)));
        let larger = log.sign(8, leaf_hash(b"root"));
        let of_another = witness().cosign(larger.checkpoint(), 1_700_000_000);
        let at_another_time = Cosignature {
            at_seconds: 1_700_000_001,
            ..cosignature
        };
        for wrong in [at_another_time, of_another] {
            let refused = Err(NoteError::BadSignature {
                name: key.name().to_owned(),
            });
            assert_eq!(read(&wrong.line(NAME, &key).unwrap()), refused);
        }
        let elsewhere = cosignature.line("530103.yichuan", &key).unwrap();
        assert_eq!(read(&elsewhere), Ok(None), "a stranger's line is nothing");
    }
}
