//! What the exchange asks of the rules above it: whether a dispatch is admitted.

use super::{Partner, RowError, Unfit, verify::VerifiedDispatch};
use crate::log::Txn;
use std::fmt;

/// Decides whether a verified dispatch is admitted. The rules of each kind live above the exchange.
pub(crate) trait Admission: Send + Sync + fmt::Debug {
    /// Judges a dispatch with everything before it in view.
    ///
    /// # Errors
    /// A refusal, which is logged and proved to the sender; a temporary reason, so that it is sent again; or the store
    /// failed.
    fn admit(
        &self,
        txn: &mut Txn<'_>,
        dispatch: &VerifiedDispatch,
    ) -> Result<Result<(), Unfit>, RowError>;

    /// Whether a partner is in force with exactly this card, with everything before it in view.
    ///
    /// # Errors
    /// The store failed.
    fn is_in_force(&self, txn: &mut Txn<'_>, partner: &Partner) -> Result<bool, RowError>;
}
