//! What an entry of one log proves about another log: that a dispatch came from it, or that it answered one.

use super::{Keys, first_that};
use crate::{
    access::Principal,
    audit::reading::{
        PartnerEntry, as_optional_rfc3339, as_rfc3339, owner_of, partner_entry, sent_entry,
    },
    domain::{DispatchId, Jurisdiction, Timestamp},
    entry::{DISPATCH_LEAF_LIMIT, Entry, Kind, PartnerProof, Received, Refusal},
    merkle::{Hash, ProofInvalid, leaf_hash, verify_inclusion},
    note::{Checkpoint, Cosignature, NoteError, VerifierKey},
};
use serde::Serialize;

/// An entry's place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The log's origin.
    pub log: String,
    /// The index in it.
    pub index: u64,
}

impl Place {
    pub(super) fn new(log: &str, index: u64) -> Self {
        let log = log.to_owned();
        Self { log, index }
    }
}

/// A dispatch on which two logs agree: the sender's, which has it, and the recipient's, which has the very same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The dispatch; `None` if what arrived was not well-formed.
    pub dispatch_id: Option<String>,
    /// The sender.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// The sender's entry.
    pub sent: Place,
    /// The recipient's entry.
    pub answered: Place,
    /// When the answer was written, by the recipient's clock, RFC 3339.
    #[serde(serialize_with = "as_rfc3339")]
    pub answered_at: Timestamp,
    /// Why the recipient refused it; `None` if it accepted it.
    pub refusal: Option<&'static str>,
    /// The sender's entry that keeps the answer, if it is proved here.
    pub logged: Option<Place>,
    /// The size of the sender's tree that the recipient then cosigned, proved to contain the dispatch. `None` if it
    /// cosigned a later tree, in a second delivery, whose content is not proved here.
    pub cosigned_size: Option<u64>,
    /// When it cosigned, by its clock, RFC 3339.
    #[serde(serialize_with = "as_optional_rfc3339")]
    pub cosigned_at: Option<Timestamp>,
}

/// Why what an entry keeps of another log proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkDefect {
    /// No key was given for the other log.
    #[error("the key of {origin} was not given")]
    NoKey {
        /// The other log.
        origin: String,
    },
    /// The other log's checkpoint is not signed by its key.
    #[error("the other log's checkpoint")]
    Signature(#[source] NoteError),
    /// The other log's entry is not under that checkpoint.
    #[error("the other log's entry")]
    NotIncluded(#[source] ProofInvalid),
    /// The sender's entry is not a dispatch from that sender to this log's jurisdiction.
    #[error("the sender's entry is no dispatch from that sender to this recipient")]
    NotADispatch,
    /// The partner's entry is not such an answer.
    #[error("the partner's entry is not its answer to this dispatch")]
    NotTheAnswer,
    /// The other log belongs to this log's own jurisdiction.
    #[error("the other log is {jurisdiction}'s too, and nobody is a witness of themselves")]
    OwnWitness {
        /// The jurisdiction of both logs.
        jurisdiction: Jurisdiction,
    },
    /// The partner's entry is about a checkpoint that this log never signed.
    #[error("the checkpoint of this log in the partner's entry")]
    OwnSignature(#[source] NoteError),
    /// The partner's entry is about a leaf that is not in this log.
    #[error("this log's entry in the partner's entry")]
    OwnNotIncluded(#[source] ProofInvalid),
    /// The refusal omits the leaf, though the leaf is not oversized or is elsewhere.
    #[error(
        "the partner's entry leaves out a leaf that is not the one over {DISPATCH_LEAF_LIMIT} bytes beside it"
    )]
    LeftOut,
    /// The partner did not cosign the checkpoint named.
    #[error("the partner's cosignature")]
    Cosignature(#[source] NoteError),
    /// The tree that was cosigned does not contain the dispatch.
    #[error("the partner cosigned a tree of {size} entries, the dispatch is entry {index}")]
    CosignedBefore {
        /// The size of that tree.
        size: u64,
        /// The dispatch.
        index: u64,
    },
}

/// What was verified in an entry.
pub(super) struct Linked {
    pub(super) delivery: Delivery,
    /// Entries of other logs inside it: log, index, bytes.
    pub(super) kept: Vec<(String, u64, Vec<u8>)>,
    /// Trees that were signed or cosigned.
    pub(super) trees: Vec<Checkpoint>,
    /// The keys that it rests on besides the log's own.
    pub(super) keys: Vec<String>,
}

/// Verifies what entry `place` of `own` log keeps of another; `None` if it keeps nothing. `beside` returns the entry of
/// the own log at an index, if that is to be proved too.
pub(super) fn check<'a>(
    keys: Keys<'_>,
    own: &VerifierKey,
    place: &Place,
    entry: &Entry,
    beside: impl Fn(u64) -> Option<&'a [u8]>,
) -> Result<Option<Linked>, LinkDefect> {
    match &entry.kind {
        Kind::DispatchReceived(received) => {
            arrival(keys, own, place, (entry.time, received, None)).map(Some)
        }
        Kind::DispatchRefused { received, reason } => {
            arrival(keys, own, place, (entry.time, received, Some(*reason))).map(Some)
        }
        Kind::ReceiptLogged {
            to,
            dispatch_id,
            sent_index,
            proof,
        } => {
            let about = (*to, *dispatch_id, *sent_index, None);
            answer(keys, own, place, about, proof, beside(*sent_index)).map(Some)
        }
        Kind::RefusalLogged {
            to,
            dispatch_id,
            sent_index,
            reason,
            proof,
        } => {
            let about = (*to, *dispatch_id, *sent_index, Some(*reason));
            answer(keys, own, place, about, proof, beside(*sent_index)).map(Some)
        }
        Kind::LogStarted { .. }
        | Kind::PolicyChanged { .. }
        | Kind::PartnerProposed { .. }
        | Kind::PartnerApproved { .. }
        | Kind::PartnerSuspended { .. }
        | Kind::PartnerChangeDrafted { .. }
        | Kind::PartnerResumed { .. }
        | Kind::PartnerRemoved { .. }
        | Kind::DispatchSent(_)
        | Kind::Consulted { .. }
        | Kind::EvidenceKept { .. }
        | Kind::ReferralDrafted(_)
        | Kind::ReferralApproved { .. }
        | Kind::RecordAssigned { .. }
        | Kind::QuotaReached(_)
        | Kind::AttemptRefused(_) => Ok(None),
    }
}

/// The owner of a checkpoint, after its signature is verified.
fn signed(
    keys: Keys<'_>,
    checkpoint: &Checkpoint,
    signature: &[u8; 64],
) -> Result<(Jurisdiction, String), LinkDefect> {
    let no_key = || LinkDefect::NoKey {
        origin: checkpoint.origin.clone(),
    };
    let verified = first_that(keys.of(&checkpoint.origin), |key| {
        key.verify_signature(checkpoint, signature)
    });
    let (key, ()) = verified
        .ok_or_else(no_key)?
        .map_err(LinkDefect::Signature)?;
    let code = owner_of(key.name()).ok_or_else(no_key)?;
    Ok((code, key.to_string()))
}

type Arrived<'a> = (Timestamp, &'a Received, Option<Refusal>);

/// A dispatch that arrived here and that the sender's log has.
fn arrival(
    keys: Keys<'_>,
    own: &VerifierKey,
    place: &Place,
    (time, received, refusal): Arrived<'_>,
) -> Result<Linked, LinkDefect> {
    let (from, key) = signed(keys, &received.checkpoint, &received.signature)?;
    let to = owner_of(own.name()).ok_or(LinkDefect::NotADispatch)?;
    two_jurisdictions(from, to)?;
    let dispatch_id = arrived_leaf(received, from, to, refusal)?;
    let origin = &received.checkpoint.origin;
    // An oversized leaf is refused by its index alone.
    let kept = (!received.sender_entry.is_empty()).then(|| {
        let leaf = received.sender_entry.clone();
        (origin.clone(), received.sender_index, leaf)
    });
    Ok(Linked {
        delivery: Delivery {
            dispatch_id: dispatch_id.map(|id| id.to_string()),
            from: from.to_string(),
            to: to.to_string(),
            sent: Place::new(origin, received.sender_index),
            answered: place.clone(),
            answered_at: time,
            refusal: refusal.map(Refusal::as_str),
            logged: None,
            cosigned_size: None,
            cosigned_at: None,
        },
        kept: kept.into_iter().collect(),
        trees: vec![received.checkpoint.clone()],
        keys: vec![key],
    })
}

fn two_jurisdictions(one: Jurisdiction, other: Jurisdiction) -> Result<(), LinkDefect> {
    if one == other {
        return Err(LinkDefect::OwnWitness { jurisdiction: one });
    }
    Ok(())
}

/// Verifies that the leaf is in the sender's tree, and returns which dispatch it is. What was refused need not be one.
fn arrived_leaf(
    received: &Received,
    from: Jurisdiction,
    to: Jurisdiction,
    refusal: Option<Refusal>,
) -> Result<Option<DispatchId>, LinkDefect> {
    if received.sender_entry.is_empty() && refusal.is_some() {
        let (index, size) = (received.sender_index, received.checkpoint.size);
        let is_there = index < size;
        let nowhere = LinkDefect::NotIncluded(ProofInvalid::NoSuchLeaf { index, size });
        return is_there.then_some(None).ok_or(nowhere);
    }
    included(received, &received.leaf_hash()).map_err(LinkDefect::NotIncluded)?;
    let sent = sent_entry(&received.sender_entry).map(|entry| entry.sent);
    let addressed = sent
        .as_ref()
        .is_some_and(|sent| sent.from == from && sent.to == to);
    if refusal.is_none() && !addressed {
        return Err(LinkDefect::NotADispatch);
    }
    Ok(sent.map(|sent| sent.dispatch_id))
}

type About = (Jurisdiction, DispatchId, u64, Option<Refusal>);

/// A partner's answer to a dispatch of this log.
fn answer(
    keys: Keys<'_>,
    own: &VerifierKey,
    place: &Place,
    about: About,
    proof: &PartnerProof,
    beside: Option<&[u8]>,
) -> Result<Linked, LinkDefect> {
    let (to, dispatch_id, sent_index, refusal) = about;
    let (signer, key) = signed(keys, &proof.checkpoint, &proof.signature)?;
    verify_inclusion(
        &leaf_hash(&proof.partner_entry),
        proof.partner_index,
        proof.checkpoint.size,
        &proof.inclusion,
        &proof.checkpoint.root,
    )
    .map_err(LinkDefect::NotIncluded)?;
    let entry = partner_entry(proof).filter(|entry| {
        signer == to
            && entry.principal == Principal::node(to)
            && entry.refusal == refusal
            && entry.received.sender_index == sent_index
    });
    let entry = entry.ok_or(LinkDefect::NotTheAnswer)?;
    let from = owner_of(own.name()).ok_or(LinkDefect::NotTheAnswer)?;
    two_jurisdictions(from, to)?;
    own_leaf(own, &entry, (from, to, dispatch_id), beside)?;
    let (cosigner, tree) = cosigned(keys, own, to, sent_index, proof)?;
    let received = entry.received;
    let is_in_it = received.checkpoint == tree && !received.sender_entry.is_empty();
    let own_kept = (!received.sender_entry.is_empty()).then_some((
        own.name().to_owned(),
        sent_index,
        received.sender_entry,
    ));
    let partners = &proof.checkpoint.origin;
    let theirs = (
        partners.clone(),
        proof.partner_index,
        proof.partner_entry.clone(),
    );
    Ok(Linked {
        delivery: Delivery {
            dispatch_id: Some(dispatch_id.to_string()),
            from: from.to_string(),
            to: to.to_string(),
            sent: Place::new(own.name(), sent_index),
            answered: Place::new(partners, proof.partner_index),
            answered_at: entry.time,
            refusal: refusal.map(Refusal::as_str),
            logged: Some(place.clone()),
            cosigned_size: is_in_it.then_some(proof.cosigned_size),
            cosigned_at: is_in_it
                .then(|| Timestamp::from_millis(proof.cosigned_at_s.saturating_mul(1000))),
        },
        kept: own_kept.into_iter().chain([theirs]).collect(),
        trees: vec![proof.checkpoint.clone(), received.checkpoint, tree],
        keys: vec![key, cosigner],
    })
}

/// Verifies that the leaf in the partner's entry is this dispatch of ours, under a checkpoint that our key signed.
fn own_leaf(
    own: &VerifierKey,
    entry: &PartnerEntry,
    (from, to, id): (Jurisdiction, Jurisdiction, DispatchId),
    beside: Option<&[u8]>,
) -> Result<(), LinkDefect> {
    let received = &entry.received;
    own.verify_signature(&received.checkpoint, &received.signature)
        .map_err(LinkDefect::OwnSignature)?;
    // An oversized leaf is refused by its index alone. The proof beside it shows which leaf that was.
    let leaf = if received.sender_entry.is_empty() && entry.refusal.is_some() {
        let (index, size) = (received.sender_index, received.checkpoint.size);
        match beside {
            None if index < size => return Ok(()),
            None => {
                let nowhere = ProofInvalid::NoSuchLeaf { index, size };
                return Err(LinkDefect::OwnNotIncluded(nowhere));
            }
            Some(leaf) if leaf.len() > DISPATCH_LEAF_LIMIT => leaf,
            Some(_) => return Err(LinkDefect::LeftOut),
        }
    } else {
        &received.sender_entry
    };
    included(received, &leaf_hash(leaf)).map_err(LinkDefect::OwnNotIncluded)?;
    sent_entry(leaf)
        .filter(|leaf| (leaf.sent.from, leaf.sent.to, leaf.sent.dispatch_id) == (from, to, id))
        .map(drop)
        .ok_or(LinkDefect::NotTheAnswer)
}

fn included(received: &Received, leaf: &Hash) -> Result<(), ProofInvalid> {
    verify_inclusion(
        leaf,
        received.sender_index,
        received.checkpoint.size,
        &received.inclusion,
        &received.checkpoint.root,
    )
}

/// The key with which the partner cosigned our tree with the dispatch in it; and that tree.
fn cosigned(
    keys: Keys<'_>,
    own: &VerifierKey,
    to: Jurisdiction,
    sent_index: u64,
    proof: &PartnerProof,
) -> Result<(String, Checkpoint), LinkDefect> {
    if proof.cosigned_size <= sent_index {
        return Err(LinkDefect::CosignedBefore {
            size: proof.cosigned_size,
            index: sent_index,
        });
    }
    let checkpoint = Checkpoint {
        origin: own.name().to_owned(),
        size: proof.cosigned_size,
        root: proof.cosigned_root,
    };
    let cosignature = Cosignature {
        at_seconds: proof.cosigned_at_s,
        signature: proof.cosignature,
    };
    let verified = first_that(keys.of_code(to), |key| {
        key.verify_cosignature(&checkpoint, &cosignature)
    });
    let (key, ()) = verified
        .ok_or_else(|| LinkDefect::NoKey {
            origin: proof.checkpoint.origin.clone(),
        })?
        .map_err(LinkDefect::Cosignature)?;
    Ok((key.to_string(), checkpoint))
}
