//! The inbox: it verifies deliveries before it believes anything in them, stores them, and answers with proof.

use super::{
    ClockSkews, Directory, DisclosedTrees, Greeting, Lane, OutboxError, OwnLog, PROTOCOL, Partner,
    Tree, TreeFault, Vault, Witness,
    admission::Admission,
    answer_delivery::Answering,
    evidence,
    inbound_session::{InboundSession, SessionFault},
    own_log::own_tree,
};
use crate::{
    domain::{Clock, Jurisdiction},
    log::Log,
    note::LogSigner,
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// The receiving side of a node.
pub(crate) struct Inbox {
    pub(super) log: Log,
    pub(super) own: Jurisdiction,
    pub(super) signer: Arc<LogSigner>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) vault: Arc<Vault>,
    pub(super) witness: Arc<Witness>,
    pub(super) shown: Arc<DisclosedTrees>,
    directory: Arc<Directory>,
    pub(super) admission: Arc<dyn Admission>,
    own_log: Arc<OwnLog>,
    pub(super) skews: Arc<ClockSkews>,
    /// The newest stream of each partner: the card under which it was opened, and the token that ends it when a newer
    /// stream takes over or the card is no longer in force.
    streams: Mutex<BTreeMap<Jurisdiction, (Arc<Partner>, CancellationToken)>>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

/// The parts of a node's receiving side.
#[derive(Debug)]
pub(crate) struct InboxParts {
    pub own: Jurisdiction,
    /// Signs cosignatures.
    pub signer: Arc<LogSigner>,
    pub clock: Arc<dyn Clock>,
    /// Stores payloads.
    pub vault: Arc<Vault>,
    /// Remembers partners' trees.
    pub witness: Arc<Witness>,
    /// Remembers which of our trees partners were shown.
    pub shown: Arc<DisclosedTrees>,
    pub directory: Arc<Directory>,
    /// The rules of each kind of dispatch.
    pub admission: Arc<dyn Admission>,
    /// What partners hold of our log.
    pub own_log: Arc<OwnLog>,
    /// How far their clocks are from ours.
    pub skews: Arc<ClockSkews>,
}

impl Inbox {
    /// The receiving side of the node that owns this log.
    pub(crate) fn new(log: Log, parts: InboxParts) -> Self {
        let InboxParts {
            own,
            signer,
            clock,
            vault,
            witness,
            shown,
            directory,
            admission,
            own_log,
            skews,
        } = parts;
        Self {
            log,
            own,
            signer,
            clock,
            vault,
            witness,
            shown,
            directory,
            admission,
            own_log,
            skews,
            streams: Mutex::default(),
        }
    }

    /// Answers a partner's hello.
    ///
    /// # Errors
    /// Another protocol version; the partner verified a tree of ours that our log does not continue; or its card was
    /// replaced or suspended meanwhile.
    pub(crate) async fn greet(
        &self,
        partner: Arc<Partner>,
        hello: &Greeting,
        crl: Vec<u8>,
    ) -> Result<(InboundSession, Greeting), SessionFault> {
        if hello.protocol != PROTOCOL {
            return Err(SessionFault::Protocol(hello.protocol));
        }
        self.own_log
            .partner_holds(partner.code, &hello.checkpoint)
            .await?;
        self.saw_clock(partner.code, hello.time_s);
        let Tree { origin, size, root } = hello.verified.clone();
        let own_origin = self.log.origin().to_owned();
        let answered = self
            .log
            .read(move |reader| own_tree(reader, &own_origin, &origin, size, root))
            .await
            .map_err(OutboxError::from)??;
        self.compare_witnessed(&partner, &hello.witnessed).await;
        let taken_over = CancellationToken::new();
        {
            let mut streams = self.streams();
            // Under the lock that `follow` takes: a stream that `follow` did not find sees the directory that it
            // followed.
            if self.directory.get(partner.code).as_ref() != Some(&partner) {
                return Err(SessionFault::TakenOver);
            }
            let stream = (Arc::clone(&partner), taken_over.clone());
            if let Some((_, older)) = streams.insert(partner.code, stream) {
                older.cancel();
            }
        }
        self.shown.open(partner.code, Lane::Answers, answered.size);
        let opening = self.witness.open(&partner, Lane::Deliveries);
        let welcome = Greeting {
            protocol: PROTOCOL,
            verified: opening.tree.clone(),
            crl,
            witnessed: self.witness.notes_for(&self.directory, partner.code),
            asked: opening.asked.iter().map(|(_, it)| it.size()).collect(),
            checkpoint: opening.note.clone(),
            time_s: self.clock.now().seconds(),
        };
        let answering = Answering {
            partner: partner.code,
            answered,
            wanted: hello.asked.iter().copied().collect(),
        };
        let session = InboundSession {
            partner,
            taken_over,
            opening,
            expected: 1,
            deferred: Arc::default(),
            answering: Some(answering),
        };
        Ok((session, welcome))
    }

    /// Ends the streams of partners whose card is no longer in force: replaced, suspended or removed. They reopen under
    /// the card that is in force, if there is one.
    pub(crate) fn follow(&self) {
        let partners = self.directory.snapshot();
        self.streams().retain(|code, (partner, stream)| {
            let stays = partners.get(code).is_some_and(|now| now == partner);
            if !stays {
                stream.cancel();
            }
            stays
        });
    }

    fn streams(&self) -> MutexGuard<'_, BTreeMap<Jurisdiction, (Arc<Partner>, CancellationToken)>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the checkpoints of common partners that somebody showed with our own, and keeps contradictions as
    /// evidence.
    pub(crate) async fn compare_witnessed(&self, shown_by: &Partner, notes: &[Vec<u8>]) {
        let partners = self.directory.snapshot();
        // By name, so that a note costs one verification, however many partners there are.
        let others: BTreeMap<&str, &Arc<Partner>> = partners
            .values()
            .filter(|partner| partner.code != shown_by.code)
            .map(|partner| (partner.key.name(), partner))
            .collect();
        for note in notes.iter().take(super::WITNESSED_LIMIT) {
            let origin = note.split(|byte| *byte == b'\n').next();
            let origin = origin.and_then(|line| str::from_utf8(line).ok());
            if origin == Some(self.log.origin()) {
                if let Err(error) = self.own_log.compare(shown_by.code, note).await {
                    tracing::warn!(partner = %shown_by.code, %error, "what a partner shows of our log");
                }
                continue;
            }
            let Some(partner) = origin.and_then(|origin| others.get(origin)) else {
                continue;
            };
            // Without the partner's signature it proves nothing against it.
            let Ok(shown) = partner.key.verify(note) else {
                continue;
            };
            if let Err(fault) = self.witness.compare(partner, &shown, shown_by.code) {
                self.keep_evidence(partner, &fault, Some(shown_by.code))
                    .await;
            }
        }
    }

    /// A partner closed a stream because its log does not contain what it signed and we hold: `note` is its newest
    /// checkpoint. It is kept as evidence beside ours.
    pub(super) async fn disowned(&self, partner: &Arc<Partner>, note: &[u8]) {
        let Ok(head) = partner.key.verify(note) else {
            return;
        };
        let fault = TreeFault::Irreconcilable {
            verified: self.witness.tree(partner).size,
            checkpoint: Box::new(head),
        };
        self.keep_evidence(partner, &fault, Some(partner.code))
            .await;
    }

    /// This node's clock, seconds since 1970-01-01 UTC.
    pub(super) fn now_s(&self) -> u64 {
        self.clock.now().seconds()
    }

    /// Our newest checkpoint, as a note.
    pub(crate) fn head(&self) -> Vec<u8> {
        self.log.checkpoint().note().as_bytes().to_vec()
    }

    /// Writes an irreconcilable checkpoint to the log as evidence. Other faults only cause a warning.
    pub(crate) async fn keep_evidence(
        &self,
        partner: &Arc<Partner>,
        fault: &TreeFault,
        shown_by: Option<Jurisdiction>,
    ) {
        let (log, witness) = (&self.log, &self.witness);
        evidence::keep((log, self.own), witness, partner, fault, shown_by).await;
    }

    /// Notes a partner's clock, as it just stated it; 0 if it did not.
    pub(crate) fn saw_clock(&self, partner: Jurisdiction, at_seconds: u64) {
        if at_seconds == 0 {
            return;
        }
        self.skews.saw(partner, at_seconds, self.clock.now());
    }

    /// How far partners' clocks are from ours.
    pub(crate) fn skews(&self) -> &ClockSkews {
        &self.skews
    }
}
