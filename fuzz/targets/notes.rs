//! Signed notes, as partners and exports bring them.

use super::{
    input::{Input, edit, nameless},
    world::{COUNTY, seed, sender, signer},
};
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use signed_note::{Note, StandardVerifier, VerifierList};
use yichuan::{
    entry::checkpoint_from_bytes,
    merkle::Hash,
    note::{Cosignature, TlogProof, VerifierKey},
};

/// A whole note. What is believed, another implementation believes too, and reads the same in it.
pub(crate) fn note(bytes: &[u8]) {
    let key = signer(COUNTY).verifier_key();
    match key.verify(bytes) {
        Ok(signed) => {
            assert_eq!(signed.note().as_bytes(), bytes, "kept as it came");
            believed_by_others(bytes, &key);
            let parts = key.verify_parts(signed.checkpoint(), signed.signature());
            let parts = parts.expect("the parts of what was verified");
            assert_eq!(parts.checkpoint(), signed.checkpoint());
        }
        Err(error) => nameless(bytes, &error.to_string()),
    }
    match checkpoint_from_bytes(bytes) {
        Ok((checkpoint, signature)) => {
            if let Ok(signed) = key.verify_parts(&checkpoint, &signature) {
                believed_by_others(signed.note().as_bytes(), &key);
            }
        }
        Err(error) => nameless(bytes, &error.to_string()),
    }
}

/// The text of a note, whatever it is, with a true signature: a partner signs what it likes. Then more lines.
pub(crate) fn checkpoint(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let at_seconds = input.number();
    let text = input.piece();
    let lines = input.rest();
    let key = signer(COUNTY).verifier_key();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed(COUNTY)).expect("a key");
    let id = key.to_string().split('+').nth(1).expect("an id").to_owned();
    let id = u32::from_str_radix(&id, 16).expect("hexadecimal");
    let signature = [&id.to_be_bytes()[..], pair.sign(text).as_ref()].concat();
    let line = format!("\n\u{2014} {} {}\n", key.name(), STANDARD.encode(signature));
    let note = [text, line.as_bytes(), lines].concat();
    match key.verify(&note) {
        Ok(signed) => {
            assert_eq!(signed.checkpoint().body().as_bytes(), text, "one spelling");
            assert_eq!(signed.origin(), key.name());
            believed_by_others(&note, &key);
            let signature = *signed.signature();
            let cosignature = Cosignature {
                at_seconds,
                signature,
            };
            // A checkpoint's signature is no cosignature, at whatever time.
            assert!(
                key.verify_cosignature(signed.checkpoint(), &cosignature)
                    .is_err()
            );
        }
        Err(error) => nameless(bytes, &error.to_string()),
    }
}

fn believed_by_others(note: &[u8], key: &VerifierKey) {
    let verifier = StandardVerifier::new(&key.to_string()).expect("a key");
    let known = VerifierList::new(vec![Box::new(verifier)]);
    let read = Note::from_bytes(note).expect("a note to signed_note too");
    read.verify(&known).expect("signed, to signed_note too");
    let theirs = tlog_tiles::Checkpoint::from_bytes(read.text()).expect("a checkpoint");
    let ours = key.verify(note).expect("verified before");
    assert_eq!(theirs.origin(), ours.origin());
    assert_eq!(theirs.size(), ours.size());
    assert_eq!(Hash::from(theirs.hash().0), *ours.root());
    assert_eq!(theirs.extension(), "");
}

/// A proof of an entry as text, and an honest one changed. What proves an entry is what the log has there.
pub(crate) fn proof(bytes: &[u8]) {
    read_proof(bytes);
    let mut input = Input::new(bytes);
    let honest = sender();
    let index = input.number() % honest.tree.size();
    let at = usize::try_from(index).expect("an index");
    let truth = TlogProof {
        extra: honest.leaves[at].clone(),
        index,
        hashes: honest.tree.inclusion(index, honest.tree.size()),
        note: honest.head.note().to_owned(),
    };
    let mut text = truth.to_string().into_bytes();
    while !input.is_empty() {
        edit(&mut input, &mut text);
    }
    let proved = read_proof(&text);
    assert!(
        proved || text != truth.to_string().as_bytes(),
        "an honest proof is refused"
    );
}

/// Whether it proves the entry in it.
fn read_proof(bytes: &[u8]) -> bool {
    let proof = match TlogProof::parse(bytes) {
        Ok(proof) => proof,
        Err(error) => {
            nameless(bytes, &error.to_string());
            return false;
        }
    };
    assert_eq!(proof.to_string().as_bytes(), bytes, "one spelling");
    let key = signer(COUNTY).verifier_key();
    match proof.verify(&key, &proof.extra) {
        Ok(head) => {
            believed_by_others(proof.note.as_bytes(), &key);
            let leaf = tlog_tiles::record_hash(&proof.extra);
            let hashes = proof.hashes.iter();
            let hashes = hashes
                .map(|hash| tlog_tiles::Hash(*hash.as_bytes()))
                .collect();
            let root = tlog_tiles::Hash(*head.root().as_bytes());
            let theirs = tlog_tiles::check_record(&hashes, head.size(), root, proof.index, leaf);
            theirs.expect("proved, to tlog_tiles too");
            true
        }
        Err(error) => {
            nameless(bytes, &error.to_string());
            false
        }
    }
}
