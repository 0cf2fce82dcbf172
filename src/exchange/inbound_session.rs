//! One stream from a partner, and why it is closed.

use super::{
    BYTES_PER_DELIVERY, DISPATCHES_PER_DELIVERY, Opening, OutboxError, PROTOCOL, Partner,
    TreeFault, VaultError, answer_delivery::Answering, deferral::DeferredDispatches,
};
use crate::store::DiskShort;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// One stream from a partner, on the side that reads deliveries.
#[derive(Debug)]
pub(crate) struct InboundSession {
    pub(super) partner: Arc<Partner>,
    pub(super) taken_over: CancellationToken,
    pub(super) opening: Opening,
    pub(super) expected: u64,
    pub(super) deferred: Arc<Mutex<DeferredDispatches>>,
    pub(super) answering: Option<Answering>,
}

impl InboundSession {
    /// Cancelled when a newer stream of this partner takes over and this one must end.
    pub(crate) fn taken_over(&self) -> CancellationToken {
        self.taken_over.clone()
    }

    /// The state from which the answers continue. Whoever writes the answers takes it once.
    pub(crate) fn take_answering(&mut self) -> Option<Answering> {
        self.answering.take()
    }
}

/// Why a stream is closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionFault {
    /// The partner speaks another version.
    #[error("exchange protocol {0} is not supported here; this node speaks {PROTOCOL}")]
    Protocol(u32),
    /// What the partner claims about its log does not verify.
    #[error(transparent)]
    Tree(#[from] TreeFault),
    /// The partner says that it verified a tree of ours that our log does not contain; or our log failed.
    #[error(transparent)]
    Own(#[from] OutboxError),
    /// Deliveries are numbered from 1.
    #[error("delivery {found} came where {expected} was due")]
    Sequence {
        /// The number expected.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// A message makes no sense.
    #[error("the stream is malformed: {0}")]
    Malformed(String),
    /// Too many dispatches in one delivery.
    #[error("a delivery carries 1 to {DISPATCHES_PER_DELIVERY} dispatches, this one {0}")]
    Count(usize),
    /// Too many bytes in one delivery.
    #[error(
        "a delivery of more than one dispatch carries at most {BYTES_PER_DELIVERY} bytes of ciphertext, this one {0}"
    )]
    Bytes(usize),
    /// The partner opened a newer stream.
    #[error("a newer stream from this partner took over, or its card is no longer in force")]
    TakenOver,
    /// The stream brings more and more dispatches that cannot be accepted yet.
    #[error(
        "too many dispatches on this stream are not taken yet; bring the oldest ones again first"
    )]
    TooManyDeferred,
    /// A payload cannot be stored.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// There is no room for what is delivered.
    #[error(transparent)]
    Disk(#[from] DiskShort),
}
