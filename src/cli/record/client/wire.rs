//! What messages of several kinds share.

use crate::{
    cli::{
        labels,
        print::lines,
        record::row::{Receipt, Said, Term},
    },
    domain::{Handling, ReturnReason, SheetColumn, Urgency},
    entry::{self, pb},
};

pub(super) fn action(value: i32) -> Term {
    let (key, zh) = labels::action(value);
    Term { key, zh }
}

pub(super) fn reason(value: i32) -> Option<Term> {
    entry::return_reason_from_wire(value).map(|reason| Term::of(reason, ReturnReason::label))
}

pub(super) fn urgency(value: i32) -> Option<Term> {
    entry::urgency_from_wire(value).map(|urgency| Term::of(urgency, Urgency::label))
}

pub(super) fn handling(value: i32) -> Option<Term> {
    entry::handling_from_wire(value)
        .map(|handling| Term::of(handling, |it, _| Handling::as_str(it)))
}

pub(super) fn stated(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

pub(super) fn receipt(receipt: pb::ReceiptSummary) -> Receipt {
    Receipt {
        log_index: receipt.log_index,
        partner_origin: receipt.partner_origin,
        partner_index: receipt.partner_index,
        tree_size: receipt.tree_size,
        time_ms: receipt.time_ms,
    }
}

/// What a record says whose fields are the columns of a sheet.
pub(super) fn columns<C: SheetColumn>(mut fields: C::Fields) -> Vec<Said> {
    let said = |column: &C| {
        let text = std::mem::take(column.text_mut(&mut fields));
        Said {
            key: column.as_str(),
            label: [column.header_zh(), column.as_str()],
            text: lines(&text),
            value: text.into(),
        }
    };
    C::ALL.iter().map(said).collect()
}
