//! What officers do with records: submit, list, open and act. And the views that answer them, which are functions of the log
//! and of the payloads that open. Begin with [`Desk`]; then [`Views`], from which everything is read.

mod act;
mod admission;
mod assignment;
mod carried;
mod changes;
mod drafting;
mod findable;
mod list;
mod looks;
mod open;
mod pages;
mod partner_cards;
mod partner_rows;
mod partners;
mod policy;
mod quotas;
mod record_row;
mod record_view;
mod refer;
mod rows;
mod service;
mod sight;
mod submit;
mod views;

pub use act::{ActRefused, ActionTaken, NewAction};
pub use admission::DeskAdmission;
pub use assignment::AssignRefused;
pub use changes::{Change, Changes};
pub use list::{About, Page, Query};
pub use looks::Trace;
pub use open::{Detail, EventDetail, ReceiptSummary};
pub use pages::{LOOK_LIMIT, PAGE_LIMIT};
pub use partner_cards::{Approval, CardChange, CardReader};
pub use partners::{CARD_LIMIT, PartnerDesk, PartnerEntry, PartnerRefused, Standing};
pub use policy::{ensure_policy, has_policy, start_log};
pub use quotas::{recount_quotas, report_attempt, report_quota};
pub use record_row::{Direction, RecordRow};
pub use refer::NewReferral;
pub use rows::{RowDamaged, RowsError};
pub use service::{Desk, DeskError};
pub use sight::Listed;
pub use submit::{SubmitRefused, SubmitTicket, Submitted};
pub use views::{LAYOUT, Views};
