//! Partners and their node cards.

use serde::Serialize;

/// A partner or a draft.
#[derive(Serialize)]
pub(crate) struct Partner<'a> {
    pub(crate) jurisdiction: &'a str,
    pub(crate) name: &'a str,
    pub(crate) endpoint: &'a str,
    pub(crate) origin: &'a str,
    pub(crate) approved: bool,
    pub(crate) connected: bool,
    /// Dispatches that wait for it.
    pub(crate) outbox: u64,
    pub(crate) verified_size: u64,
    pub(crate) proposed_by: &'a str,
    pub(crate) approved_by: Option<&'a str>,
    pub(crate) card_fingerprint: &'a str,
    pub(crate) ca_fingerprint: &'a str,
    pub(crate) key_fingerprint: &'a str,
    pub(crate) clock_ahead_s: Option<i64>,
    pub(crate) key_exchange_in: &'a str,
    pub(crate) key_exchange_out: &'a str,
    /// The key of a [`Standing`](crate::casework::Standing).
    pub(crate) state: &'static str,
    /// Why nothing can be exchanged with it, though it is approved.
    pub(crate) left_out: Option<&'a str>,
    /// The key of what was drafted to become of it.
    pub(crate) change: Option<&'static str>,
    pub(crate) change_by: Option<&'a str>,
    pub(crate) issued: &'a str,
    pub(crate) serial: u32,
    /// Pieces of evidence against its log that are kept.
    pub(crate) evidence: u64,
    /// Of the outbox: dispatches that it has seen and not taken yet, and why.
    pub(crate) put_off: u64,
    pub(crate) put_off_why: Option<&'a str>,
}

/// A partner that was suspended, resumed or removed.
#[derive(Serialize)]
pub(crate) struct PartnerChanged<'a> {
    #[serde(flatten)]
    pub(crate) partner: Partner<'a>,
    pub(crate) connections_cut: u64,
}

/// A node card in a file.
#[derive(Serialize)]
pub(crate) struct Card<'a> {
    pub(crate) jurisdiction: String,
    pub(crate) name: &'a str,
    pub(crate) endpoint: &'a str,
    pub(crate) origin: &'a str,
    pub(crate) file: &'a std::path::Path,
    pub(crate) card_fingerprint: String,
    pub(crate) ca_fingerprint: String,
    pub(crate) key_fingerprint: String,
}
