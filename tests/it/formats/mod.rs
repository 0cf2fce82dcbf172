//! `docs/FORMATS.md` is true: every example in it is what the code makes from the inputs that the document names, and the
//! code makes no example that is not in it. These bytes are on disks and in partners' logs: where this test fails, the
//! code is wrong, or it is a new version of the format.

mod blocks;
mod card;
mod receipt;
mod storage;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    signature::{ED25519, UnparsedPublicKey},
};
use std::collections::BTreeMap;
use yichuan::{
    access::{Basis, Grounds, Principal, Purpose, Role, Units},
    domain::{
        Action, AssessmentOutcome, DispatchId, EntryId, Family, Handling, Jurisdiction, RecordId,
        Timestamp, Urgency, content::referral::ReferralFields, sign_within_seconds,
    },
    entry::{
        CONSULTED_LIMIT, Cause, Content, DISPATCH_LEAF_LIMIT, DispatchAction, DispatchSent, Entry,
        Kind, LEAF_LIMIT, LeadAnswer, Note, Plaintext, Terms,
    },
    log::MAX_PROPOSAL,
    merkle::{
        self, Frontier, Hash, MAX_PROOF_HASHES, NodeReader, leaf_hash, node_hash,
        verify_consistency, verify_inclusion,
    },
    note::{LogSigner, MAX_NOTE_BYTES, MAX_SIGNATURE_LINES, SignedCheckpoint},
    seal::{self, CIPHERTEXT_LIMIT, Keyring, PayloadKey, PurgeMonth},
    store::{MAX_VALUE, long_values},
};

const ORIGIN: &str = "530102.yichuan/log/1";
/// 2026-03-05 00:00 in Shanghai.
const NOW: Timestamp = Timestamp::from_millis(1_772_640_000_000);
const COSIGNED_AT: u64 = 1_772_640_060;

const COMMITMENT_KEY: [u8; 32] = [0x11; 32];
const PAYLOAD_KEY: [u8; 32] = [0x22; 32];
const PAYLOAD_NONCE: [u8; 12] = [0x33; 12];
const WRAP_KEY: [u8; 32] = [0x44; 32];
const WRAP_NONCE: [u8; 12] = [0x55; 12];
const LOOKUP_KEY: [u8; 32] = [0x66; 32];
const INDEX_KEY: [u8; 32] = [0x77; 32];

type Examples = BTreeMap<&'static str, Vec<u8>>;

fn id(last: u8) -> [u8; 16] {
    let mut id = *b"\x01\x9c\xb9\x93\xd8\x00\x70\x00\x80\x00\0\0\0\0\0\0";
    id[15] = last;
    id
}

fn code(text: &str) -> Jurisdiction {
    text.parse().unwrap()
}

fn record() -> RecordId {
    RecordId::from(id(1))
}

fn dispatch() -> DispatchId {
    DispatchId::from(id(2))
}

fn month() -> PurgeMonth {
    PurgeMonth::new(203_103).unwrap()
}

fn signer() -> LogSigner {
    LogSigner::from_seed(ORIGIN, &[7; 32]).unwrap()
}

fn witness() -> LogSigner {
    LogSigner::from_seed("520624.yichuan/log/1", &[9; 32]).unwrap()
}

fn officer() -> Principal {
    Principal::person(code("530102"), Role::Officer, "001").unwrap()
}

/// The leaves of the small log. A log does not look into its leaves.
fn leaves() -> [Vec<u8>; 3] {
    ["entry 0", "entry 1", "entry 2"].map(|leaf| leaf.as_bytes().to_vec())
}

fn tree() -> Frontier {
    let mut tree = Frontier::new();
    leaves().iter().for_each(|leaf| tree.push(leaf_hash(leaf)));
    tree
}

fn checkpoint() -> SignedCheckpoint {
    signer().sign(3, tree().root())
}

fn lines<'a>(rows: impl IntoIterator<Item = (String, &'a str)>) -> Vec<u8> {
    let rows: Vec<_> = rows.into_iter().collect();
    let width = rows.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
    let rows = rows
        .iter()
        .map(|(left, right)| format!("{left:width$}  {right}\n"));
    rows.collect::<String>().into_bytes()
}

fn seal_with(key: &[u8; 32], nonce: [u8; 12], associated: &[u8], plain: &[u8]) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let mut sealed = plain.to_vec();
    let tag = key
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated),
            &mut sealed,
        )
        .unwrap();
    [&nonce[..], &sealed, tag.as_ref()].concat()
}

fn words(examples: &mut Examples) {
    let person = |role, number| {
        Principal::person(code("530102"), role, number)
            .unwrap()
            .to_string()
    };
    let principals = [
        Principal::node(code("530102")).to_string(),
        person(Role::Officer, "001"),
        person(Role::Supervisor, "A-7"),
        person(Role::Auditor, "12"),
        person(Role::Admin, "1"),
    ];
    examples.insert("principals", (principals.join("\n") + "\n").into());

    let bases = [
        Basis::Case("A5301020000002026030001".to_owned()),
        Basis::Lead(record()),
        Basis::Referral(record()),
        Basis::Campaign {
            jurisdiction: code("520624"),
            year: 2026,
            number: 1,
        },
    ];
    for basis in &bases {
        assert_eq!(basis.to_string().parse().as_ref(), Ok(basis));
    }
    examples.insert(
        "bases",
        bases.map(|basis| format!("{basis}\n")).concat().into(),
    );
}

fn limits(examples: &mut Examples) {
    let limits = [
        (LEAF_LIMIT, "bytes in any leaf"),
        (DISPATCH_LEAF_LIMIT, "bytes in a DispatchSent leaf"),
        (
            yichuan::domain::PREDECESSOR_LIMIT,
            "predecessors in a DispatchSent",
        ),
        (CONSULTED_LIMIT, "record ids in a Consulted"),
        (
            CIPHERTEXT_LIMIT,
            "bytes of ciphertext, nonce and tag included",
        ),
        (MAX_PROOF_HASHES, "hashes in a proof"),
        (MAX_NOTE_BYTES, "bytes in a signed note"),
        (MAX_SIGNATURE_LINES, "signature lines in a signed note"),
        (MAX_VALUE, "bytes in a value of the store"),
        (long_values::MAX_LONG, "bytes in a long value of the store"),
        (
            MAX_PROPOSAL,
            "bytes of leaves and rows that enter the log together",
        ),
    ];
    let limits = limits.map(|(limit, what)| (format!("{limit:>7}"), what));
    examples.insert("limits", lines(limits));
}

fn payload(examples: &mut Examples) -> DispatchSent {
    let content = Content::LeadAnswer(LeadAnswer {
        outcome: Some(AssessmentOutcome::Verified),
        note: "属实".to_owned(),
    });
    // The key is random; the example puts its own in its place, behind the tag and length of field 1.
    let mut plain = Plaintext::new(&content).unwrap().to_bytes().to_vec();
    plain[2..34].copy_from_slice(&COMMITMENT_KEY);
    let commitment = Plaintext::from_bytes(&plain).unwrap().commitment();
    examples.insert("payload-content", plain[36..].to_vec());
    assert_eq!(commitment, seal::commitment(&COMMITMENT_KEY, &plain[36..]));

    let associated = [b"yichuan payload v1\0", &id(2)[..]].concat();
    let ciphertext = seal_with(&PAYLOAD_KEY, PAYLOAD_NONCE, &associated, &plain);
    let key = PayloadKey::from_slice(&PAYLOAD_KEY).unwrap();
    assert_eq!(seal::open(&ciphertext, &key, dispatch()).unwrap(), plain);
    let ciphertext_sha256 = seal::sha256(&ciphertext);
    let ciphertext_length = u32::try_from(ciphertext.len()).unwrap();
    examples.insert("payload", plain);
    examples.insert("commitment", commitment.to_vec());
    examples.insert("associated-data", associated);
    examples.insert("ciphertext", ciphertext);

    DispatchSent {
        dispatch_id: dispatch(),
        from: code("530102"),
        to: code("520624"),
        action: DispatchAction::act(Family::Lead, Action::Assess).unwrap(),
        record: record(),
        urgency: Urgency::Normal,
        handling: Handling::H1,
        terms: Terms {
            sign_within_s: sign_within_seconds(Urgency::Normal),
            review_by_day: 20_882,
            purge_month: month(),
        },
        return_reason: None,
        predecessors: vec![Hash::from([0xaa; 32])],
        ciphertext_sha256,
        ciphertext_length,
        commitment,
    }
}

fn entries(examples: &mut Examples, sent: DispatchSent) {
    let entry = |last, cause, kind| Entry {
        time: NOW,
        id: EntryId::from(id(last)),
        cause,
        kind,
    };
    let started = entry(
        3,
        Cause {
            principal: Principal::node(code("530102")),
            grounds: None,
        },
        Kind::LogStarted {
            origin: ORIGIN.to_owned(),
            verifier_key: signer().verifier_key().to_string(),
            jurisdiction: code("530102"),
        },
    );
    // A message with nothing in it.
    let policy = entry(
        9,
        started.cause.clone(),
        Kind::PolicyChanged {
            auditors: Vec::new(),
            units: Units::default(),
        },
    );
    let grounds = Grounds {
        purpose: Purpose::Screening,
        basis: Basis::Lead(record()),
    };
    let cause = Cause {
        principal: officer(),
        grounds: Some(grounds),
    };
    let sent = entry(4, cause, Kind::DispatchSent(sent));
    for (name, entry) in [
        ("leaf-log-started", started),
        ("leaf-policy-changed", policy),
        ("leaf-dispatch-sent", sent),
    ] {
        let leaf = entry.encode();
        assert_eq!(Entry::decode(&leaf), Ok(entry));
        examples.insert(name, leaf);
    }
    let hash = leaf_hash(&examples["leaf-dispatch-sent"]);
    examples.insert("dispatch-leaf-hash", hash.as_bytes().to_vec());
}

fn node_keys(examples: &mut Examples) {
    let mut file = [&b"YCKEYS\0\x01"[..], &LOOKUP_KEY].concat();
    file.extend_from_slice(&month().number().to_be_bytes());
    file.extend_from_slice(&WRAP_KEY);
    file.extend_from_slice(&INDEX_KEY);
    let checksum = seal::sha256(&file);
    file.extend_from_slice(&checksum);
    let ring = Keyring::from_bytes(&file).unwrap();
    examples.insert("key-file", ring.to_bytes().to_vec());
    let number_tag = ring.lookup_tag("lead number", &[b"520624", b"L-001"]);
    examples.insert("lead-number-tag", number_tag.to_vec());

    let associated = [b"yichuan payload key v1\0", &id(2)[..]].concat();
    let wrapped = seal_with(&WRAP_KEY, WRAP_NONCE, &associated, &PAYLOAD_KEY);
    let bucket = ring.bucket(month()).unwrap();
    assert_eq!(
        *bucket.unwrap(&wrapped, dispatch()).unwrap().expose(),
        PAYLOAD_KEY
    );
    examples.insert("wrapped-key", wrapped);
}

/// The nodes of the small log's tree.
struct Nodes;

impl NodeReader for Nodes {
    type Error = ();

    fn node(&self, level: u8, index: u64) -> Result<Hash, ()> {
        let [a, b, c] = leaves().map(|leaf| leaf_hash(&leaf));
        match (level, index) {
            (0, 0) => Ok(a),
            (0, 1) => Ok(b),
            (0, 2) => Ok(c),
            (1, 0) => Ok(node_hash(&a, &b)),
            _ => Err(()),
        }
    }
}

fn proofs(examples: &mut Examples) {
    let [a, b, c] = leaves().map(|leaf| leaf_hash(&leaf));
    let root = tree().root();
    let hashes = [
        (merkle::empty_root(), "root of no leaves"),
        (a, "leaf 0"),
        (b, "leaf 1"),
        (c, "leaf 2"),
        (node_hash(&a, &b), "node over leaves 0 and 1"),
        (root, "root of 3 leaves"),
    ];
    examples.insert(
        "hashes",
        lines(hashes.map(|(hash, what)| (hash.to_string(), what))),
    );

    let inclusion = merkle::inclusion_proof(&Nodes, 1, 3).unwrap();
    verify_inclusion(&b, 1, 3, &inclusion, &root).unwrap();
    examples.insert("inclusion-proof", merkle::proof_to_bytes(&inclusion));
    let consistency = merkle::consistency_proof(&Nodes, 1, 3).unwrap();
    verify_consistency(1, &a, 3, &root, &consistency).unwrap();
    examples.insert("consistency-proof", merkle::proof_to_bytes(&consistency));
}

fn notes(examples: &mut Examples) {
    examples.insert("vkey", format!("{}\n", signer().verifier_key()).into());
    examples.insert("checkpoint", checkpoint().note().into());

    let cosignature = witness().cosign(checkpoint().checkpoint(), COSIGNED_AT);
    let message = format!(
        "cosignature/v1\ntime {COSIGNED_AT}\n{}",
        checkpoint().checkpoint().body()
    );
    UnparsedPublicKey::new(&ED25519, witness().verifier_key().public_key())
        .verify(message.as_bytes(), &cosignature.signature)
        .unwrap();
    examples.insert("cosigned-message", message.into());
    let line = cosignature
        .line("520624.yichuan", &witness().verifier_key())
        .unwrap();
    examples.insert(
        "cosigned-checkpoint",
        format!("{}{line}", checkpoint().note()).into(),
    );
}

fn content(content: &Content) -> Vec<u8> {
    // Behind the random key, and the tags and lengths of both fields.
    let plain = Plaintext::new(content).unwrap().to_bytes();
    let header = if plain.len() - 36 < 128 { 36 } else { 37 };
    plain[header..].to_vec()
}

/// What is on the wire and in the log of referrals only.
fn referrals(examples: &mut Examples) {
    let referral = Content::Referral(Box::new(ReferralFields {
        title: "协查".to_owned(),
        matter: "核实住址".to_owned(),
        subject_name: "钱癸子".to_owned(),
        place_code: "440304".to_owned(),
        lead_ids: vec![record().to_string()],
        ..ReferralFields::default()
    }));
    examples.insert("referral-content", content(&referral));
    let note = Content::ReferralNote(Note("属实".to_owned()));
    examples.insert("referral-note-content", content(&note));

    let approved = Entry {
        time: NOW,
        id: EntryId::from(id(5)),
        cause: Cause {
            principal: Principal::person(code("530102"), Role::Supervisor, "A-7").unwrap(),
            grounds: Some(Grounds {
                purpose: Purpose::Case,
                basis: Basis::Case("A5301020000002026030001".to_owned()),
            }),
        },
        kind: Kind::ReferralApproved {
            record: record(),
            draft: Hash::from([0xaa; 32]),
        },
    };
    let leaf = approved.encode();
    assert_eq!(Entry::decode(&leaf), Ok(approved));
    examples.insert("leaf-referral-approved", leaf);

    let ring = Keyring::from_bytes(&examples["key-file"]).unwrap();
    let bucket = ring.bucket(month()).unwrap();
    let tags = [
        ("number", "522225190010142478"),
        ("name", "钱癸子"),
        ("place", "440304"),
        ("substance", "海洛因"),
    ];
    let tags = tags.map(|(kind, value)| (hex::encode(bucket.tag(kind, value)), kind, value));
    let named: Vec<_> = tags
        .iter()
        .map(|(tag, kind, value)| (tag.clone(), format!("{kind} {value}")))
        .collect();
    let named = named.iter().map(|(tag, what)| (tag.clone(), what.as_str()));
    examples.insert("subject-tags", lines(named));
}

async fn examples() -> Examples {
    let mut examples = Examples::new();
    words(&mut examples);
    limits(&mut examples);
    let sent = payload(&mut examples);
    entries(&mut examples, sent);
    node_keys(&mut examples);
    referrals(&mut examples);
    proofs(&mut examples);
    notes(&mut examples);
    card::card(&mut examples);
    receipt::receipt(&mut examples);
    storage::export(&mut examples);
    storage::rows(&mut examples).await;
    storage::row_keys(&mut examples);
    examples
}

/// As an example may be written: text where it is text in lines, otherwise hex.
fn shown(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) if text.ends_with('\n') => text.to_owned(),
        Ok(_) | Err(_) => bytes
            .chunks(32)
            .map(|row| hex::encode(row) + "\n")
            .collect(),
    }
}

#[tokio::test]
async fn every_example_is_what_the_code_makes() {
    let written = blocks::blocks(include_str!("../../../docs/FORMATS.md")).unwrap();
    let made = examples().await;
    let mut faults = Vec::new();
    for (name, bytes) in &made {
        let made = shown(bytes);
        match written.get(*name) {
            None => faults.push(format!(
                "{name} is not in the document. The code makes\n{made}"
            )),
            Some(block) if block.bytes != *bytes => faults.push(format!(
                "line {}: {name} says\n{}but the code makes\n{made}",
                block.line,
                shown(&block.bytes),
            )),
            Some(_) => {}
        }
    }
    for (name, block) in &written {
        if !made.contains_key(name.as_str()) {
            faults.push(format!("line {}: nothing makes {name}", block.line));
        }
    }
    assert!(faults.is_empty(), "docs/FORMATS.md:\n{}", faults.join("\n"));
}
