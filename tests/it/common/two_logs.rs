//! Two nodes' logs written by hand, entry by entry, so that each can be made to lie in one place.

use yichuan::{
    access::{Grounds, Principal, Role},
    audit::{Inspection, Inspector, NotTheLog, Trusted},
    casework::CardReader,
    domain::{
        Action, DispatchId, EntryId, Family, Handling, Jurisdiction, RecordId, RecordKind,
        Timestamp, Urgency, sign_within_seconds,
    },
    entry::{
        Cause, Consultation, DispatchAction, DispatchSent, Entry, Kind, PartnerProof, Received,
        Refusal, Terms,
    },
    exchange::Partner,
    merkle::{Hash, NodeReader, inclusion_proof, leaf_hash, root_at},
    note::{Checkpoint, LogSigner, SignedCheckpoint, VerifierKey},
    seal::{self, PurgeMonth},
};

pub(crate) const COUNTY: &str = "520624";
pub(crate) const PROVINCE: &str = "440000";
/// 2026-03-05 00:00 in China.
pub(crate) const START_MS: u64 = 1_772_640_000_000;

/// Reads `card <vkey>`.
#[derive(Debug)]
pub(crate) struct PlainCards;

impl CardReader for PlainCards {
    fn read(&self, card: &[u8]) -> Result<Partner, String> {
        let text = std::str::from_utf8(card).map_err(|_| "not text")?;
        let key: VerifierKey = text
            .strip_prefix("card ")
            .and_then(|key| key.parse().ok())
            .ok_or("not a card")?;
        Ok(Partner {
            code: key.name()[..6].parse().map_err(|_| "no code")?,
            name: "somewhere".to_owned(),
            endpoint: "https://127.0.0.1:1".to_owned(),
            key,
            ca: Vec::new(),
            issued: (jiff::civil::date(2026, 3, 5), 0),
        })
    }

    fn fits(&self, _: &Partner, _: Option<&[u8]>) -> Result<(), String> {
        Ok(())
    }
}

pub(crate) fn card(signer: &LogSigner) -> Vec<u8> {
    format!("card {}", signer.verifier_key()).into_bytes()
}

pub(crate) fn code(text: &str) -> Jurisdiction {
    text.parse().unwrap()
}

/// A log's signer; with another `seed` a key of the same name that is not the log's.
pub(crate) fn signer(of: &str, seed: u8) -> LogSigner {
    let [first, ..] = of.as_bytes() else { panic!() };
    LogSigner::from_seed(&format!("{of}.yichuan/log/1"), &[seed ^ first; 32]).unwrap()
}

pub(crate) fn person(of: &str, role: Role, number: &str) -> Cause {
    Cause {
        principal: Principal::person(code(of), role, number).unwrap(),
        grounds: Some(Grounds::parse("screening", "campaign:520624-2026-01").unwrap()),
    }
}

pub(crate) fn node(of: &str) -> Cause {
    Cause {
        principal: Principal::node(code(of)),
        grounds: None,
    }
}

/// Ids that tests can name.
pub(crate) fn record(number: u8) -> RecordId {
    RecordId::from([number; 16])
}

/// A tree over leaf hashes in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree(Vec<Hash>);

impl NodeReader for Tree {
    type Error = std::convert::Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let at = |index: u64| usize::try_from(index).unwrap();
        Ok(match level.checked_sub(1) {
            None => self.0[at(index)],
            Some(below) => yichuan::merkle::node_hash(
                &self.node(below, 2 * index)?,
                &self.node(below, 2 * index + 1)?,
            ),
        })
    }
}

/// A log, and the key that signs it.
#[derive(Debug)]
pub(crate) struct HandLog {
    pub(crate) of: &'static str,
    pub(crate) signer: LogSigner,
    pub(crate) leaves: Vec<Vec<u8>>,
    pub(crate) tree: Tree,
    pub(crate) now_ms: u64,
}

impl HandLog {
    /// Of nothing yet.
    pub(crate) fn empty(of: &'static str) -> Self {
        Self {
            of,
            signer: signer(of, 0),
            leaves: Vec::new(),
            tree: Tree::default(),
            now_ms: START_MS,
        }
    }

    /// Started as a node starts one.
    pub(crate) fn started(of: &'static str) -> Self {
        let mut log = Self::empty(of);
        let kind = log.start();
        log.append(node(of), kind);
        log.append(
            node(of),
            Kind::PolicyChanged {
                auditors: vec![format!("spiffe://{of}.yichuan/auditor/1")],
                units: Default::default(),
            },
        );
        log
    }

    pub(crate) fn start(&self) -> Kind {
        Kind::LogStarted {
            origin: self.signer.origin().to_owned(),
            verifier_key: self.signer.verifier_key().to_string(),
            jurisdiction: code(self.of),
        }
    }

    /// Appends any bytes; gives their index.
    pub(crate) fn append_leaf(&mut self, leaf: Vec<u8>) -> u64 {
        self.tree.0.push(leaf_hash(&leaf));
        self.leaves.push(leaf);
        self.size() - 1
    }

    /// Appends an entry, a second after the one before.
    pub(crate) fn append(&mut self, cause: Cause, kind: Kind) -> u64 {
        self.now_ms += 1000;
        let time = Timestamp::from_millis(self.now_ms);
        let entry = Entry {
            time,
            id: EntryId::from([7; 16]),
            cause,
            kind,
        };
        self.append_leaf(entry.encode())
    }

    pub(crate) fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    pub(crate) fn leaf(&self, index: u64) -> Vec<u8> {
        self.leaves[usize::try_from(index).unwrap()].clone()
    }

    pub(crate) fn head(&self) -> SignedCheckpoint {
        self.head_at(self.size())
    }

    pub(crate) fn head_at(&self, size: u64) -> SignedCheckpoint {
        let Ok(root) = root_at(&self.tree, size);
        self.signer.sign(size, root)
    }

    /// Drafted by an officer, approved by a supervisor.
    pub(crate) fn befriend(&mut self, other: &LogSigner) {
        let card = card(other);
        let approved = Kind::PartnerApproved {
            jurisdiction: code(&other.origin()[..6]),
            card_sha256: seal::sha256(&card),
            abandoned: None,
        };
        self.append(
            person(self.of, Role::Officer, "001"),
            Kind::PartnerProposed { card },
        );
        self.append(person(self.of, Role::Supervisor, "002"), approved);
    }

    /// A lead, or an answer to one.
    pub(crate) fn dispatch(&self, to: &str, action: Action, number: u8) -> DispatchSent {
        DispatchSent {
            dispatch_id: DispatchId::from([number; 16]),
            from: code(self.of),
            to: code(to),
            action: if action == Action::Open {
                DispatchAction::open(RecordKind::Lead)
            } else {
                DispatchAction::act(Family::Lead, action).unwrap()
            },
            record: record(number),
            urgency: Urgency::Normal,
            handling: Handling::H0,
            terms: Terms {
                sign_within_s: sign_within_seconds(Urgency::Normal),
                review_by_day: 20_600,
                purge_month: PurgeMonth::new(202_703).unwrap(),
            },
            return_reason: None,
            predecessors: Vec::new(),
            ciphertext_sha256: [number; 32],
            ciphertext_length: 512,
            commitment: [number; 32],
        }
    }

    pub(crate) fn send(&mut self, to: &str, number: u8) -> u64 {
        let sent = self.dispatch(to, Action::Open, number);
        self.append(
            person(self.of, Role::Officer, "001"),
            Kind::DispatchSent(sent),
        )
    }

    /// An entry of this log, as its newest checkpoint proves it.
    pub(crate) fn proved(&self, index: u64) -> Received {
        let head = self.head();
        Received {
            sender_entry: self.leaf(index),
            sender_index: index,
            inclusion: inclusion_proof(&self.tree, index, self.size()).unwrap(),
            checkpoint: head.checkpoint().clone(),
            signature: *head.signature(),
        }
    }

    /// Receives an entry of another log; gives the index here.
    pub(crate) fn receive(&mut self, from: &Self, index: u64) -> u64 {
        self.append(node(self.of), Kind::DispatchReceived(from.proved(index)))
    }

    pub(crate) fn refuse(&mut self, from: &Self, index: u64, reason: Refusal) -> u64 {
        let received = from.proved(index);
        self.append(node(self.of), Kind::DispatchRefused { received, reason })
    }

    /// The proof that entry `index` of `partner` is in its log, cosigned with our newest checkpoint.
    pub(crate) fn proof(&self, partner: &Self, index: u64) -> PartnerProof {
        let (head, ours) = (partner.head(), self.head());
        let cosigned = partner
            .signer
            .cosign(ours.checkpoint(), partner.now_ms / 1000);
        PartnerProof {
            partner_entry: partner.leaf(index),
            partner_index: index,
            inclusion: inclusion_proof(&partner.tree, index, partner.size()).unwrap(),
            checkpoint: head.checkpoint().clone(),
            signature: *head.signature(),
            cosigned_at_s: cosigned.at_seconds,
            cosignature: cosigned.signature,
            cosigned_size: ours.size(),
            cosigned_root: *ours.root(),
        }
    }

    /// What an honest node logs of the partner's entry `index` about our dispatch `sent_index`.
    pub(crate) fn answer(&self, partner: &Self, sent_index: u64, index: u64) -> Kind {
        let Kind::DispatchSent(sent) = Entry::decode(&self.leaf(sent_index)).unwrap().kind else {
            panic!("entry {sent_index} is no dispatch")
        };
        let (to, dispatch_id) = (sent.to, sent.dispatch_id);
        let proof = self.proof(partner, index);
        match Entry::decode(&proof.partner_entry).unwrap().kind {
            Kind::DispatchRefused { reason, .. } => Kind::RefusalLogged {
                to,
                dispatch_id,
                sent_index,
                reason,
                proof,
            },
            _ => Kind::ReceiptLogged {
                to,
                dispatch_id,
                sent_index,
                proof,
            },
        }
    }

    pub(crate) fn log_answer(&mut self, partner: &Self, sent_index: u64, index: u64) -> u64 {
        let kind = self.answer(partner, sent_index, index);
        self.append(node(self.of), kind)
    }

    pub(crate) fn consult(&mut self, cause: Cause, records: Vec<RecordId>) -> u64 {
        let how = Consultation::Open;
        let overridden = false;
        let kind = Kind::Consulted {
            how,
            records,
            overridden,
        };
        self.append(cause, kind)
    }

    pub(crate) fn inspect(&self) -> Inspection {
        self.inspect_with(Vec::new()).unwrap()
    }

    pub(crate) fn inspect_with(&self, partners: Vec<VerifierKey>) -> Result<Inspection, NotTheLog> {
        let key = signer(self.of, 0).verifier_key();
        let mut inspector = Inspector::new(Trusted { key, partners }, &PlainCards).unwrap();
        for leaf in &self.leaves {
            inspector.push(leaf).unwrap();
        }
        inspector.finish(&self.head())
    }
}

/// The proof inside a receipt or refusal.
pub(crate) fn proof_in(kind: &mut Kind) -> &mut PartnerProof {
    match kind {
        Kind::ReceiptLogged { proof, .. } | Kind::RefusalLogged { proof, .. } => proof,
        _ => panic!("no proof in it"),
    }
}

/// Two nodes that are each other's partners.
pub(crate) fn partners() -> (HandLog, HandLog) {
    let (mut county, mut province) = (HandLog::started(COUNTY), HandLog::started(PROVINCE));
    county.befriend(&province.signer);
    province.befriend(&county.signer);
    (county, province)
}

/// A checkpoint that a key signs though no log has it.
pub(crate) fn invented(by: &LogSigner, size: u64, root: u8) -> (Checkpoint, [u8; 64]) {
    let signed = by.sign(size, Hash::from([root; 32]));
    (signed.checkpoint().clone(), *signed.signature())
}
