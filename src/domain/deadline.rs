//! The table of deadlines. They run in calendar time, Asia/Shanghai, from the entry named; the obliged node's own entry
//! time decides.

use super::Urgency;

/// How long the recipient of a dispatch has to sign for it, in seconds, from its `DispatchReceived`.
///
/// House rule, after Directive (EU) 2023/977 and 公安机关办理刑事案件程序规定 (2020) art. 175.
pub const fn sign_within_seconds(urgency: Urgency) -> u32 {
    match urgency {
        Urgency::Critical | Urgency::Urgent => 8 * 3600,
        Urgency::Normal => 24 * 3600,
    }
}
