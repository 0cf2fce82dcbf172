//! What a node verifies before it believes anything that a partner says. Pure.

use super::{DeliveredDispatch, Link, Partner, Tree};
use crate::{
    domain::{DispatchId, Jurisdiction, Timestamp},
    entry::{
        Content, DISPATCH_LEAF_LIMIT, DispatchSent, Entry, Kind, Plaintext, Received, Refusal,
    },
    merkle::{self, Hash},
    note::{Checkpoint, NoteError, SignedCheckpoint},
    seal::{self, PayloadKey},
};
use zeroize::Zeroizing;

/// A tree that a partner claims does not follow from the one verified before.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TreeFault {
    /// The note does not carry the partner's signature.
    #[error("the checkpoint is not the partner's: {0}")]
    Note(#[from] NoteError),
    /// It is of another log.
    #[error("the checkpoint is of log {claimed}, expected {expected}")]
    Origin {
        /// The origin claimed.
        claimed: String,
        /// The origin on the card.
        expected: String,
    },
    /// It is smaller than the tree verified before: the log was rolled back, or an old checkpoint was sent.
    #[error("the checkpoint has size {claimed}, but {verified} was verified before")]
    Shrunk {
        /// The size claimed.
        claimed: u64,
        /// The size verified.
        verified: u64,
    },
    /// Two signed trees that cannot both be honest, or that the partner cannot reconcile.
    #[error("the tree of size {} is not a continuation of the one verified at size {verified}", checkpoint.size())]
    Irreconcilable {
        /// The size verified before.
        verified: u64,
        /// The new claim, signed.
        checkpoint: Box<SignedCheckpoint>,
    },
    /// An earlier tree is not where the partner says.
    #[error("the tree of size {size} that the checkpoint is linked to is not in its history")]
    Link {
        /// Its size.
        size: u64,
    },
    /// The two streams show trees of which neither is proved to continue the other.
    #[error(
        "the tree of size {claimed} is not linked to the one of size {verified} that was shown elsewhere"
    )]
    Unlinked {
        /// The size claimed.
        claimed: u64,
        /// The size shown on the other stream, or to another partner.
        verified: u64,
    },
    /// A newer stream of its kind has replaced this one.
    #[error("a newer stream of this partner took over")]
    Superseded,
    /// A leaf is not where the partner says.
    #[error("the leaf at index {index} is not in the tree of the checkpoint")]
    NotIncluded {
        /// Where it was said to be.
        index: u64,
    },
    /// A cosignature on our checkpoint is not the partner's.
    #[error("the cosignature on our checkpoint does not verify: {0}")]
    Cosignature(NoteError),
}

/// Verifies a partner's checkpoint and that its tree continues `base`.
///
/// # Errors
/// The fault; [`TreeFault::Irreconcilable`] is to be kept as evidence.
pub fn verify_tree(
    partner: &Partner,
    base: &Tree,
    note: &[u8],
    consistency: &[Hash],
) -> Result<SignedCheckpoint, TreeFault> {
    let signed = partner.key.verify(note)?;
    if signed.checkpoint().origin != partner.key.name() {
        return Err(TreeFault::Origin {
            claimed: signed.checkpoint().origin.clone(),
            expected: partner.key.name().to_owned(),
        });
    }
    if signed.size() < base.size {
        return Err(TreeFault::Shrunk {
            claimed: signed.size(),
            verified: base.size,
        });
    }
    let continues = merkle::verify_consistency(
        base.size,
        &base.root,
        signed.size(),
        signed.root(),
        consistency,
    );
    match continues {
        Ok(()) => Ok(signed),
        Err(_) => Err(TreeFault::Irreconcilable {
            verified: base.size,
            checkpoint: Box::new(signed),
        }),
    }
}

/// Verifies that a checkpoint continues the trees that it is linked to.
///
/// # Errors
/// It does not continue one of them.
pub fn verify_links(signed: &SignedCheckpoint, links: &[Link]) -> Result<(), TreeFault> {
    for link in links {
        let continues = merkle::verify_consistency(
            link.size,
            &link.root,
            signed.size(),
            signed.root(),
            &link.consistency,
        );
        if link.size == 0 || continues.is_err() {
            return Err(TreeFault::Link { size: link.size });
        }
    }
    Ok(())
}

/// A dispatch that its sender's log proves, and whose payload opens and matches. Only [`verify_dispatch`] makes one.
#[derive(Debug)]
pub struct VerifiedDispatch {
    received: Received,
    entry: Entry,
    sent: DispatchSent,
    content: Content,
    ciphertext: Vec<u8>,
    key: PayloadKey,
}

impl VerifiedDispatch {
    /// What the public entry says.
    pub fn sent(&self) -> &DispatchSent {
        &self.sent
    }

    /// What its leaf says.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// When it was written, according to its sender.
    pub fn time(&self) -> Timestamp {
        self.entry.time
    }

    /// What the payload says.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The sender's leaf with its proof.
    pub fn received(&self) -> &Received {
        &self.received
    }

    /// Turns it into a dispatch that verifies but must be refused.
    pub fn into_unfit(self, reason: Refusal) -> Proved {
        Proved::Unfit {
            dispatch_id: Some(self.sent.dispatch_id),
            received: self.received,
            reason,
        }
    }

    /// The payload as it is to be stored.
    pub fn sealed(&self) -> (&[u8], &PayloadKey) {
        (&self.ciphertext, &self.key)
    }
}

/// A dispatch that the sender's log proves.
#[derive(Debug)]
pub enum Proved {
    /// It can be accepted.
    Fit(Box<VerifiedDispatch>),
    /// It must be refused.
    Unfit {
        /// What arrived.
        received: Received,
        /// Its id, if the leaf could have been accepted before with another payload.
        dispatch_id: Option<DispatchId>,
        /// Why.
        reason: Refusal,
    },
}

impl Proved {
    /// The sender's leaf with its proof.
    pub fn received(&self) -> &Received {
        match self {
            Self::Fit(dispatch) => dispatch.received(),
            Self::Unfit { received, .. } => received,
        }
    }

    /// Its id; `None` if the leaf itself is at fault.
    pub fn dispatch_id(&self) -> Option<DispatchId> {
        match self {
            Self::Fit(dispatch) => Some(dispatch.sent.dispatch_id),
            Self::Unfit { dispatch_id, .. } => *dispatch_id,
        }
    }
}

/// Verifies one dispatch of a delivery against the delivery's checkpoint.
///
/// # Errors
/// The leaf is not in the tree: the sender proves nothing, and nothing can be answered with proof.
pub fn verify_dispatch(
    partner: &Partner,
    own: Jurisdiction,
    checkpoint: &SignedCheckpoint,
    dispatch: DeliveredDispatch,
) -> Result<Proved, TreeFault> {
    let DeliveredDispatch {
        index,
        entry,
        inclusion,
        ciphertext,
        key,
    } = dispatch;
    merkle::verify_inclusion(
        &merkle::leaf_hash(&entry),
        index,
        checkpoint.size(),
        &inclusion,
        checkpoint.root(),
    )
    .map_err(|_| TreeFault::NotIncluded { index })?;
    let too_long = entry.len() > DISPATCH_LEAF_LIMIT;
    let received = Received {
        // An oversized leaf is answered by its index and proof alone.
        sender_entry: if too_long { Vec::new() } else { entry },
        sender_index: index,
        inclusion,
        checkpoint: Checkpoint::clone(checkpoint.checkpoint()),
        signature: *checkpoint.signature(),
    };
    if too_long {
        return Ok(Proved::Unfit {
            received,
            dispatch_id: None,
            reason: Refusal::Malformed,
        });
    }
    let (entry, sent) = match read_sent(partner, own, &received.sender_entry) {
        Ok(sent) => sent,
        Err(reason) => {
            return Ok(Proved::Unfit {
                received,
                dispatch_id: None,
                reason,
            });
        }
    };
    match open_content(&sent, &ciphertext, key) {
        Ok((content, key)) => Ok(Proved::Fit(Box::new(VerifiedDispatch {
            received,
            entry,
            sent,
            content,
            ciphertext,
            key,
        }))),
        Err(reason) => Ok(Proved::Unfit {
            dispatch_id: Some(sent.dispatch_id),
            received,
            reason,
        }),
    }
}

fn read_sent(
    partner: &Partner,
    own: Jurisdiction,
    leaf: &[u8],
) -> Result<(Entry, DispatchSent), Refusal> {
    let entry = Entry::decode(leaf).map_err(|_| Refusal::Malformed)?;
    let Kind::DispatchSent(sent) = &entry.kind else {
        return Err(Refusal::Malformed);
    };
    let sent = sent.clone();
    let honest_sender =
        sent.from == partner.code && entry.cause.principal.jurisdiction() == partner.code;
    if !honest_sender || sent.to != own {
        return Err(Refusal::Misaddressed);
    }
    // Every dispatch has a person's purpose.
    if entry.cause.grounds.is_none() {
        return Err(Refusal::Malformed);
    }
    Ok((entry, sent))
}

fn open_content(
    sent: &DispatchSent,
    ciphertext: &[u8],
    key: Option<PayloadKey>,
) -> Result<(Content, PayloadKey), Refusal> {
    let mismatch = Refusal::PayloadMismatch;
    let length = usize::try_from(sent.ciphertext_length).unwrap_or(usize::MAX);
    if ciphertext.len() != length || seal::sha256(ciphertext) != sent.ciphertext_sha256 {
        return Err(mismatch);
    }
    let key = key.ok_or(mismatch)?;
    let plaintext =
        Zeroizing::new(seal::open(ciphertext, &key, sent.dispatch_id).map_err(|_| mismatch)?);
    let plaintext = Plaintext::from_bytes(&plaintext).map_err(|_| mismatch)?;
    if plaintext.commitment() != sent.commitment {
        return Err(mismatch);
    }
    let content = plaintext.content().map_err(|_| Refusal::InvalidContent)?;
    Ok((content, key))
}
