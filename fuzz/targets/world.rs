//! Two nodes with known keys, one of which sends to the other whatever it likes.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::{convert::Infallible, sync::OnceLock};
use yichuan::{
    access::{Grounds, Principal, Role},
    domain::{
        DispatchId, EntryId, Handling, Jurisdiction, RecordId, RecordKind, Timestamp, Urgency,
        sign_within_seconds,
    },
    entry::{Cause, DispatchAction, DispatchSent, Entry, Kind, Terms, pb},
    exchange::Partner,
    merkle::{Hash, NodeReader, inclusion_proof, leaf_hash, node_hash, root_at},
    note::{LogSigner, SignedCheckpoint},
    seal::{self, PurgeMonth},
};

pub(crate) const COUNTY: &str = "520624";
pub(crate) const PROVINCE: &str = "440000";
/// 2026-03-05 00:00 in China.
pub(crate) const START_MS: u64 = 1_772_640_000_000;
/// The key of every payload here.
pub(crate) const KEY: [u8; 32] = [9; 32];

pub(crate) fn code(text: &str) -> Jurisdiction {
    text.parse().expect("a code")
}

/// The private half of a node's log key.
pub(crate) fn seed(of: &str) -> [u8; 32] {
    [of.as_bytes()[0]; 32]
}

/// A node's log key.
pub(crate) fn signer(of: &str) -> LogSigner {
    LogSigner::from_seed(&format!("{of}.yichuan/log/1"), &seed(of)).expect("a key")
}

/// What the other node knows of this one.
pub(crate) fn partner(of: &str) -> Partner {
    Partner {
        code: code(of),
        name: "somewhere".to_owned(),
        endpoint: "https://127.0.0.1:1".to_owned(),
        key: signer(of).verifier_key(),
        ca: Vec::new(),
        issued: (jiff::civil::date(2026, 3, 5), 0),
    }
}

/// A tree over leaf hashes in memory.
#[derive(Default)]
pub(crate) struct Tree(pub(crate) Vec<Hash>);

impl NodeReader for Tree {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        Ok(match level.checked_sub(1) {
            None => self.0[usize::try_from(index).expect("an index")],
            Some(below) => node_hash(
                &self.node(below, 2 * index)?,
                &self.node(below, 2 * index + 1)?,
            ),
        })
    }
}

impl Tree {
    pub(crate) fn of<'a>(leaves: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(leaves.into_iter().map(leaf_hash).collect())
    }

    pub(crate) fn size(&self) -> u64 {
        self.0.len() as u64
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        let Ok(root) = root_at(self, size);
        root
    }

    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        inclusion_proof(self, index, size).expect("a proof")
    }

    pub(crate) fn head(&self, of: &LogSigner) -> SignedCheckpoint {
        of.sign(self.size(), self.root(self.size()))
    }
}

pub(crate) fn node(of: &str) -> Cause {
    Cause {
        principal: Principal::node(code(of)),
        grounds: None,
    }
}

pub(crate) fn officer(of: &str) -> Cause {
    Cause {
        principal: Principal::person(code(of), Role::Officer, "001").expect("a principal"),
        grounds: Some(Grounds::parse("screening", "campaign:520624-2026-01").expect("grounds")),
    }
}

pub(crate) fn entry(cause: Cause, kind: Kind) -> Entry {
    Entry {
        time: Timestamp::from_millis(START_MS),
        id: EntryId::from([7; 16]),
        cause,
        kind,
    }
}

/// The first leaf of a node's log.
pub(crate) fn started(of: &str) -> Vec<u8> {
    let signer = signer(of);
    let kind = Kind::LogStarted {
        origin: signer.origin().to_owned(),
        verifier_key: signer.verifier_key().to_string(),
        jurisdiction: code(of),
    };
    entry(node(of), kind).encode()
}

/// Content as it is encrypted, under a known commitment key.
pub(crate) fn plaintext(content: &[u8]) -> Vec<u8> {
    use prost::Message as _;
    let payload = pb::Payload {
        commitment_key: vec![5; 32].into(),
        content: content.to_vec().into(),
    };
    payload.encode_to_vec()
}

/// As [`seal::seal`], under [`KEY`] and a fixed nonce, so that the same input is the same dispatch on every run.
pub(crate) fn sealed(plaintext: &[u8], dispatch: DispatchId) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &KEY).expect("a key"));
    let associated = [&b"yichuan payload v1\0"[..], dispatch.as_bytes()].concat();
    let mut content = plaintext.to_vec();
    let nonce = [3; 12];
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(associated),
        &mut content,
    )
    .expect("sealed");
    [&nonce[..], &content].concat()
}

/// A lead's public side, fitting this ciphertext and content.
pub(crate) fn lead_sent(number: u8, ciphertext: &[u8], content: &[u8]) -> DispatchSent {
    DispatchSent {
        dispatch_id: DispatchId::from([number; 16]),
        from: code(COUNTY),
        to: code(PROVINCE),
        action: DispatchAction::open(RecordKind::Lead),
        record: RecordId::from([number; 16]),
        urgency: Urgency::Normal,
        handling: Handling::H0,
        terms: Terms {
            sign_within_s: sign_within_seconds(Urgency::Normal),
            review_by_day: 20_600,
            purge_month: PurgeMonth::new(202_703).expect("a month"),
        },
        return_reason: None,
        predecessors: Vec::new(),
        ciphertext_sha256: seal::sha256(ciphertext),
        ciphertext_length: u32::try_from(ciphertext.len()).expect("short"),
        commitment: seal::commitment(&[5; 32], content),
    }
}

/// The content of a lead about somebody who was never born.
pub(crate) fn lead_content() -> Vec<u8> {
    use prost::Message as _;
    let lead = pb::Lead {
        number: "SN-2026-000001".into(),
        name: "钱癸子".into(),
        sex: "M".into(),
        resident_number: "520624190001010012".into(),
        registered_code: "520624".into(),
        destination_code: "440000".into(),
        substance: "冰毒".into(),
        conduct: "涉嫌外流贩毒".into(),
        facts: "多次往返，同行人员已供述。".into(),
        collection_method: "走访".into(),
        collected_on: "2024-05-06".into(),
        grade_scheme: "admiralty".into(),
        source_grade: "B".into(),
        information_grade: "2".into(),
        urgency: "normal".into(),
        handling: "H0".into(),
        ..Default::default()
    };
    let kind = Some(pb::payload_content::Kind::Lead(lead));
    pb::PayloadContent { kind }.encode_to_vec()
}

/// An honest sender: a log with two dispatches to the province, and their ciphertexts.
pub(crate) struct Sender {
    pub(crate) leaves: Vec<Vec<u8>>,
    pub(crate) tree: Tree,
    pub(crate) head: SignedCheckpoint,
    /// Indices of the dispatches and their ciphertexts.
    pub(crate) dispatches: Vec<(u64, Vec<u8>)>,
}

pub(crate) fn sender() -> &'static Sender {
    static SENDER: OnceLock<Sender> = OnceLock::new();
    SENDER.get_or_init(|| {
        let content = lead_content();
        let mut leaves = vec![started(COUNTY), b"an entry of a later version".to_vec()];
        let mut dispatches = Vec::new();
        for number in [1, 2] {
            let ciphertext = sealed(&plaintext(&content), DispatchId::from([number; 16]));
            let sent = lead_sent(number, &ciphertext, &content);
            dispatches.push((leaves.len() as u64, ciphertext));
            leaves.push(entry(officer(COUNTY), Kind::DispatchSent(sent)).encode());
            leaves.push(vec![number]);
        }
        let tree = Tree::of(leaves.iter().map(Vec::as_slice));
        let head = tree.head(&signer(COUNTY));
        Sender {
            leaves,
            tree,
            head,
            dispatches,
        }
    })
}
