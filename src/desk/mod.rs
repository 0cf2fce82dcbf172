//! What officers do: push, list, open and answer. And the views that answer them, which are functions of the log and of
//! the payloads that open.

mod admission;
mod answer;
mod assignment;
mod caught;
mod caught_admission;
mod caught_push;
mod caught_query;
mod caught_rows;
mod caught_view;
mod lead_rows;
mod lead_view;
mod leads;
mod pages;
mod partners;
mod policy;
mod push;
mod query;
mod quotas;
mod referral_admission;
mod referral_query;
mod referral_rows;
mod referral_steps;
mod referral_view;
mod referrals;
mod rows;

pub use admission::DeskAdmission;
pub use answer::{AnswerRefused, Answered, NewAnswer};
pub use assignment::{AssignRefused, AssignmentView, Listed};
pub use caught::CaughtDetail;
pub use caught_push::{CaughtRefused, CaughtTicket, PushedCaught};
pub use caught_query::{CaughtPage, CaughtQuery};
pub use caught_rows::CaughtRow;
pub use caught_view::CaughtView;
pub use lead_rows::{Direction, LeadRow};
pub use lead_view::LeadView;
pub use leads::{Desk, DeskError, LeadDetail, LeadEvent, ReceiptSummary};
pub use pages::PAGE_LIMIT;
pub use partners::{
    CARD_LIMIT, CardReader, PartnerDesk, PartnerEntry, PartnerRefused, PartnerView,
};
pub use policy::{PolicyView, ensure_policy, start_log};
pub use push::{PushRefused, PushTicket, Pushed};
pub use query::{LeadQuery, Page};
pub use quotas::{recount_quotas, report_quota};
pub use referral_query::{ReferralChange, ReferralPage, ReferralQuery};
pub use referral_rows::{ReferralRow, ReferralState};
pub use referral_steps::{NewReferral, ReferralRefused, ReferralStepTaken, Stepping};
pub use referral_view::ReferralView;
pub use referrals::{ReferralDetail, ReferralEvent};
pub use rows::{RowDamaged, RowsError};
