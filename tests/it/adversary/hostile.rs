//! A partner whose log key the test holds: it can prove anything that is in its log, and claim anything that is not.

use super::world::{card, channel, code};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use yichuan::{
    access::{Grounds, Principal},
    domain::{
        ArrestNoticeFields, Clock as _, DispatchId, EntryId, Handling, Lead, LeadFields, RecordId,
        RecordKind, Urgency, sign_within_seconds,
    },
    entry::{Cause, Content, DispatchAction, DispatchSent, Entry, Kind, Plaintext, Terms},
    merkle::{self, Hash, NodeReader},
    note::{LogSigner, SignedCheckpoint},
    rpc::pb,
    seal::{self, PurgeMonth},
    telemetry::SystemClock,
    tls::{EndpointUrl, NodeCard},
};

/// A log in memory, under a key of a real jurisdiction.
pub(crate) struct Forger {
    pub(crate) of: &'static str,
    pub(crate) signer: Arc<LogSigner>,
    pub(crate) leaves: Vec<Vec<u8>>,
    /// Sizes of the heads that it has shown, on whatever stream: it links them to the next one.
    pub(crate) shown: Mutex<BTreeSet<u64>>,
}

struct Nodes<'a>(&'a [Vec<u8>]);

impl NodeReader for Nodes<'_> {
    type Error = std::convert::Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        if level == 0 {
            return Ok(merkle::leaf_hash(&self.0[usize::try_from(index).unwrap()]));
        }
        let (left, right) = (
            self.node(level - 1, index * 2)?,
            self.node(level - 1, index * 2 + 1)?,
        );
        Ok(merkle::node_hash(&left, &right))
    }
}

/// A dispatch with all that a delivery says of it.
#[derive(Clone)]
pub(crate) struct Parcel {
    pub(crate) index: u64,
    pub(crate) sent: DispatchSent,
    pub(crate) leaf: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl Forger {
    /// Its log begins with an entry about nothing, so that no tree is empty.
    pub(crate) fn new(of: &'static str) -> Self {
        let signer = LogSigner::generate(&format!("{of}.yichuan/log/1")).unwrap();
        let mut forger = Self {
            of,
            signer: Arc::new(signer),
            leaves: Vec::new(),
            shown: Mutex::default(),
        };
        let kind = Kind::PolicyChanged {
            auditors: Vec::new(),
            units: Default::default(),
        };
        forger.leaves.push(forger.own_entry(kind).encode());
        forger
    }

    /// Another that has the same key and the same history, and from here on one of its own.
    pub(crate) fn twin(&self) -> Self {
        Self {
            of: self.of,
            signer: Arc::clone(&self.signer),
            leaves: self.leaves.clone(),
            shown: Mutex::new(self.shown.lock().unwrap().clone()),
        }
    }

    pub(crate) fn card(&self, endpoint: &EndpointUrl) -> NodeCard {
        card(self.of, &self.signer.verifier_key().to_string(), endpoint)
    }

    pub(crate) fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    pub(crate) fn append(&mut self, leaf: Vec<u8>) -> u64 {
        self.leaves.push(leaf);
        self.size() - 1
    }

    pub(crate) fn head(&self) -> SignedCheckpoint {
        self.head_at(self.size())
    }

    pub(crate) fn head_at(&self, size: u64) -> SignedCheckpoint {
        let root = merkle::root_at(&Nodes(&self.leaves), size).unwrap();
        self.signer.sign(size, root)
    }

    /// A head of the same size over something else, as truly signed as the other.
    pub(crate) fn fork_at(&self, size: u64, salt: u8) -> SignedCheckpoint {
        self.signer.sign(size, merkle::leaf_hash(&[salt]))
    }

    pub(crate) fn inclusion(&self, index: u64) -> Vec<u8> {
        let proof = merkle::inclusion_proof(&Nodes(&self.leaves), index, self.size()).unwrap();
        merkle::proof_to_bytes(&proof)
    }

    pub(crate) fn consistency(&self, old: u64) -> Vec<u8> {
        let proof = merkle::consistency_proof(&Nodes(&self.leaves), old, self.size()).unwrap();
        merkle::proof_to_bytes(&proof)
    }

    /// Links what it has shown, and what it is asked for, to its newest head.
    pub(crate) fn links(&self, asked: &[u64]) -> Vec<pb::LinkedTree> {
        let mut shown = self.shown.lock().unwrap();
        let sizes: BTreeSet<u64> = shown.iter().chain(asked).copied().collect();
        shown.insert(self.size());
        while shown.len() > 20 {
            shown.pop_first();
        }
        let link = |&size: &u64| pb::LinkedTree {
            size,
            root: self.head_at(size).root().as_bytes().to_vec().into(),
            consistency: self.consistency(size).into(),
        };
        sizes.range(1..=self.size()).map(link).collect()
    }

    /// An entry of its node's own doing.
    pub(crate) fn own_entry(&self, kind: Kind) -> Entry {
        let now = SystemClock.now();
        Entry {
            time: now,
            id: EntryId::new(now),
            cause: Cause {
                principal: Principal::node(code(self.of)),
                grounds: None,
            },
            kind,
        }
    }

    /// A lead to `to`, in its log.
    pub(crate) fn lead(&mut self, to: &str, fields: &LeadFields) -> Parcel {
        self.lead_but(to, fields, |_, _| {})
    }

    /// A lead to `to` as `change` has it, in its log.
    pub(crate) fn lead_but(
        &mut self,
        to: &str,
        fields: &LeadFields,
        change: impl FnOnce(&mut Entry, &mut DispatchSent),
    ) -> Parcel {
        let read = Lead::reread(fields).ok();
        let ungraded = (Urgency::Normal, Handling::H0);
        let (urgency, handling) = read.as_ref().map_or(ungraded, Lead::terms);
        let content = Content::Lead(Box::new(fields.clone()));
        let action = DispatchAction::open(RecordKind::Lead);
        self.dispatch_but(to, &content, action, |entry, sent| {
            (sent.urgency, sent.handling) = (urgency, handling);
            sent.terms.sign_within_s = sign_within_seconds(urgency);
            change(entry, sent);
        })
    }

    /// A caught notice to `to` as `change` has it, in its log.
    pub(crate) fn caught_but(
        &mut self,
        to: &str,
        fields: &ArrestNoticeFields,
        change: impl FnOnce(&mut Entry, &mut DispatchSent),
    ) -> Parcel {
        let content = Content::ArrestNotice(Box::new(fields.clone()));
        self.dispatch_but(
            to,
            &content,
            DispatchAction::open(RecordKind::ArrestNotice),
            change,
        )
    }

    /// A dispatch to `to` as `change` has it, in its log.
    pub(crate) fn dispatch_but(
        &mut self,
        to: &str,
        content: &Content,
        action: DispatchAction,
        change: impl FnOnce(&mut Entry, &mut DispatchSent),
    ) -> Parcel {
        let now = SystemClock.now();
        let dispatch_id = DispatchId::new(now);
        let plaintext = Plaintext::new(content).unwrap();
        let sealed = seal::seal(&plaintext.to_bytes(), dispatch_id).unwrap();
        let urgency = Urgency::Normal;
        let mut sent = DispatchSent {
            dispatch_id,
            from: code(self.of),
            to: code(to),
            action,
            record: RecordId::new(now),
            urgency,
            handling: Handling::H0,
            terms: Terms {
                sign_within_s: sign_within_seconds(urgency),
                review_by_day: 20_800,
                purge_month: PurgeMonth::years_after(now, 5),
            },
            return_reason: None,
            predecessors: Vec::new(),
            ciphertext_sha256: sealed.sha256,
            ciphertext_length: u32::try_from(sealed.ciphertext.len()).unwrap(),
            commitment: plaintext.commitment(),
        };
        // A transfer is sent by whoever approved it.
        let is_transfer = action == DispatchAction::open(RecordKind::Transfer);
        let (who, purpose) = match is_transfer {
            true => ("supervisor", "case"),
            false => ("officer", "screening"),
        };
        let person = format!("spiffe://{}.yichuan/{who}/001", self.of);
        let basis = format!("campaign:{}-2026-01", self.of);
        let mut entry = self.own_entry(Kind::PolicyChanged {
            auditors: Vec::new(),
            units: Default::default(),
        });
        entry.cause = Cause {
            principal: person.parse().unwrap(),
            grounds: Some(Grounds::parse(purpose, &basis).unwrap()),
        };
        change(&mut entry, &mut sent);
        entry.kind = Kind::DispatchSent(sent.clone());
        let leaf = entry.encode();
        let index = self.append(leaf.clone());
        Parcel {
            index,
            sent,
            leaf,
            ciphertext: sealed.ciphertext,
            key: sealed.key.expose().to_vec(),
        }
    }

    /// A delivery of these under its newest head, after a tree of `base` entries.
    pub(crate) fn delivery(&self, sequence: u64, base: u64, parcels: &[Parcel]) -> pb::Delivery {
        self.delivery_asked(sequence, base, parcels, &[])
    }

    /// The same, to somebody who asks for some of its trees.
    pub(crate) fn delivery_asked(
        &self,
        sequence: u64,
        base: u64,
        parcels: &[Parcel],
        asked: &[u64],
    ) -> pb::Delivery {
        pb::Delivery {
            sequence,
            checkpoint: self.head().note().as_bytes().to_vec().into(),
            consistency: self.consistency(base).into(),
            dispatches: parcels
                .iter()
                .map(|parcel| pb::DeliveredDispatch {
                    index: parcel.index,
                    entry: parcel.leaf.clone().into(),
                    inclusion: self.inclusion(parcel.index).into(),
                    ciphertext: parcel.ciphertext.clone().into(),
                    key: parcel.key.clone().into(),
                })
                .collect(),
            linked: self.links(asked),
            verified_size: 0,
        }
    }
}

/// A tree of nothing: what somebody says that has verified nothing yet.
pub(crate) fn nothing_verified() -> pb::VerifiedTree {
    pb::VerifiedTree {
        origin: String::new(),
        size: 0,
        root: merkle::empty_root().as_bytes().to_vec().into(),
    }
}

pub(crate) fn hello() -> pb::RelayHello {
    pb::RelayHello {
        protocol: 1,
        verified: Some(nothing_verified()),
        ..pb::RelayHello::default()
    }
}

pub(crate) fn saying(hello: pb::RelayHello) -> pb::RelayRequest {
    pb::RelayRequest {
        message: Some(pb::relay_request::Message::Hello(hello)),
    }
}

pub(crate) fn bringing(delivery: pb::Delivery) -> pb::RelayRequest {
    pb::RelayRequest {
        message: Some(pb::relay_request::Message::Delivery(delivery)),
    }
}

/// A stream that it opened to an honest node.
pub(crate) struct Line {
    requests: mpsc::Sender<pb::RelayRequest>,
    responses: Streaming<pb::RelayResponse>,
    pub(crate) welcome: pb::RelayWelcome,
    sequence: u64,
    /// Size of its tree that the other side has verified.
    pub(crate) base: u64,
}

impl Line {
    /// Dials as the node of `of` and says hello.
    pub(crate) async fn open(
        endpoint: &EndpointUrl,
        target: &str,
        of: &str,
        hello: pb::RelayHello,
    ) -> Result<Self, Status> {
        let (requests, outgoing) = mpsc::channel(16);
        requests.send(saying(hello)).await.unwrap();
        let node = channel(endpoint, target, of, "node");
        let mut responses = pb::exchange_client::ExchangeClient::new(node)
            .max_encoding_message_size(64 << 20)
            .relay(ReceiverStream::new(outgoing))
            .await?
            .into_inner();
        let first = super::world::within(responses.message()).await?.unwrap();
        let Some(pb::relay_response::Message::Welcome(welcome)) = first.message else {
            panic!("no welcome came first");
        };
        let base = welcome.verified.as_ref().unwrap().size;
        Ok(Self {
            requests,
            responses,
            welcome,
            sequence: 0,
            base,
        })
    }

    pub(crate) async fn send(&self, request: pb::RelayRequest) {
        // Where the stream is over, its end is what comes next.
        drop(self.requests.send(request).await);
    }

    /// The next answers, or how the stream ended.
    pub(crate) async fn answers(&mut self) -> Result<pb::Answers, Status> {
        let next = super::world::within(self.responses.message()).await?;
        match next.and_then(|response| response.message) {
            Some(pb::relay_response::Message::Answers(answers)) => Ok(answers),
            Some(pb::relay_response::Message::Welcome(_)) => panic!("a second welcome"),
            None => Err(Status::unavailable("the stream ended")),
        }
    }

    /// Delivers, and waits for what becomes of it.
    pub(crate) async fn try_deliver(
        &mut self,
        forger: &Forger,
        parcels: &[Parcel],
        change: impl FnOnce(&mut pb::Delivery),
    ) -> Result<pb::Answers, Status> {
        self.sequence += 1;
        let asked = &self.welcome.asked;
        let mut delivery = forger.delivery_asked(self.sequence, self.base, parcels, asked);
        change(&mut delivery);
        self.send(bringing(delivery)).await;
        let answers = self.answers().await?;
        self.base = forger.size();
        Ok(answers)
    }

    /// Delivers as an honest node would.
    pub(crate) async fn deliver(&mut self, forger: &Forger, parcels: &[Parcel]) -> pb::Answers {
        let delivered = self.try_deliver(forger, parcels, |_| {}).await;
        delivered.unwrap()
    }
}
