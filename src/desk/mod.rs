//! What officers do: push, list, open and answer. And the views that answer them, which are functions of the log and of
//! the payloads that open.

mod admission;
mod answer;
mod lead_rows;
mod lead_view;
mod leads;
mod partners;
mod policy;
mod push;
mod query;
mod rows;

pub use admission::LeadAdmission;
pub use answer::{AnswerRefused, Answered, NewAnswer};
pub use lead_rows::{Direction, LeadRow};
pub use lead_view::LeadView;
pub use leads::{Desk, DeskError, LeadDetail, LeadEvent, ReceiptSummary};
pub use partners::{
    CARD_LIMIT, CardReader, PartnerDesk, PartnerEntry, PartnerRefused, PartnerView,
};
pub use policy::{PolicyView, ensure_policy, start_log};
pub use push::{PushRefused, PushTicket, Pushed};
pub use query::{LeadQuery, PAGE_LIMIT, Page};
pub use rows::{RowDamaged, RowsError};
