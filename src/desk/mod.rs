//! What officers do: push, list, open and answer. And the views that answer them, which are functions of the log and of
//! the payloads that open.

mod admission;
mod answer;
mod leads;
mod lead_rows;
mod lead_view;
mod partners;
mod policy;
mod push;
mod query;

pub use admission::LeadAdmission;
pub use answer::{AnswerRefused, Answered, NewAnswer};
pub use leads::{Desk, DeskError, LeadDetail, LeadEvent, ReceiptSummary};
pub use lead_rows::{Direction, LeadRow};
pub use lead_view::LeadView;
pub use partners::{PartnerDesk, PartnerEntry, PartnerRefused, PartnerView};
pub use policy::{PolicyView, ensure_policy, start_log};
pub use push::{PushRefused, PushTicket, Pushed};
pub use query::{LeadQuery, Page, PAGE_LIMIT};
