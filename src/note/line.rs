//! Key names, key ids and signature lines (C2SP signed-note).

use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine, engine::general_purpose::STANDARD};

/// The signature types in use, with the specification's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureType {
    /// Ed25519 over the note's text.
    Ed25519 = 0x01,
    /// Ed25519 over a time and the note's text (C2SP tlog-cosignature).
    CosignatureV1 = 0x04,
}

/// Tells which key made a signature. Too short to prove it.
pub(super) type KeyId = [u8; 4];

/// The first four bytes of SHA-256(name || 0x0A || type || public key).
pub(super) fn key_id(name: &str, kind: SignatureType, public_key: &[u8; 32]) -> KeyId {
    let mut context = Context::new(&SHA256);
    context.update(name.as_bytes());
    context.update(&[b'\n', kind as u8]);
    context.update(public_key);
    let mut id = KeyId::default();
    for (byte, digest) in id.iter_mut().zip(context.finish().as_ref()) {
        *byte = *digest;
    }
    id
}

/// Not a valid name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key's name is not empty and has no spaces, plus signs or control characters")]
pub struct InvalidName;

/// Refuses names with which a note could not be parsed again.
pub(super) fn check_name(name: &str) -> Result<(), InvalidName> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.contains(forbidden) {
        Err(InvalidName)
    } else {
        Ok(())
    }
}

/// Every signature line begins with an em dash and a space.
const DASH: &str = "\u{2014} ";

/// `— <name> base64(key id || signature)`, without its newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignatureLine<'a> {
    pub(super) name: &'a str,
    pub(super) key_id: KeyId,
    /// Its meaning depends on the key.
    pub(super) signature: Vec<u8>,
}

impl<'a> SignatureLine<'a> {
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
        check_name(name).ok()?;
        let bytes = STANDARD.decode(encoded).ok()?;
        let (key_id, signature) = bytes.split_first_chunk()?;
        if signature.is_empty() {
            return None;
        }
        Some(Self {
            name,
            key_id: *key_id,
            signature: signature.to_vec(),
        })
    }

    pub(super) fn encode(&self) -> String {
        let bytes = [&self.key_id[..], &self.signature].concat();
        format!("{DASH}{} {}\n", self.name, STANDARD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_specification_are_read_and_written() {
        // C2SP tlog-cosignature, the example.
        let text = "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
        let line = SignatureLine::parse(text).unwrap();
        assert_eq!(line.name, "witness.example.com/w1");
        assert_eq!(line.key_id, [0x8d, 0x66, 0xcf, 0x3f]);
        assert_eq!(line.signature[..8], 1_679_315_147_u64.to_be_bytes());
        assert_eq!(line.signature.len(), 72);
        assert_eq!(line.encode(), format!("{text}\n"));
    }

    #[test]
    fn other_lines_are_none() {
        for text in [
            "",
            "- name AAAAAAA=",
            "—name AAAAAAA=",
            "— name",
            "— name ",
            "— name AAAAAA==", // a key id and nothing else
            "— name AAAAAAA",  // no padding
            "— name AAAAAAB=", // bits beyond the last byte
            "— name AAAAAAA= ",
            "— na+me AAAAAAA=",
            "—  AAAAAAA=",
            "— two words AAAAAAA=",
            "— na\u{3000}me AAAAAAA=",
        ] {
            assert_eq!(SignatureLine::parse(text), None, "{text:?}");
        }
        assert!(SignatureLine::parse("— name AAAAAAA=").is_some());
    }
}
