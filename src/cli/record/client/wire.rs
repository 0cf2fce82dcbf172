//! What messages of several kinds share.

use crate::{
    cli::{
        print::lines,
        record::row::{Receipt, Said, Term},
    },
    domain::{Handling, Lang, RecordKind, ReturnReason, SheetColumn, Urgency},
    entry::{self, DispatchAction, pb},
};

/// What an action is called. `unknown` where the node is newer.
pub(in crate::cli) fn action(value: i32) -> Term {
    let Some(action) = DispatchAction::from_wire(value) else {
        return Term::UNKNOWN;
    };
    let zh = match action.opens() {
        Some(RecordKind::Lead) => "发出线索",
        Some(RecordKind::Assistance) => "发起协作",
        Some(RecordKind::Transfer) => "发起移送",
        Some(RecordKind::ArrestNotice) => "抓获通报",
        None => action.action().label(Lang::Zh),
    };
    Term {
        key: action.as_str(),
        zh,
    }
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
