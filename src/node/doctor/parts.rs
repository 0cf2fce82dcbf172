//! Describes what was found of each part.

use super::{
    DoctorError,
    examine::{Examination, Part, State},
    source::Copied,
};
use crate::{
    domain::Jurisdiction,
    exchange::RowReport,
    log::{Damage, DamageReport, disowned_checkpoint_file, failure_marker_file, kept_checkpoint},
    node::data_dir::DataDir,
    note::{SignedCheckpoint, VerifierKey},
    seal::Keyring,
    store::KeyFile,
};
use std::{collections::BTreeSet, fs};

/// The key that the log's checkpoints verify with.
pub(super) fn log_key(
    files: &DataDir,
    found: &mut Examination,
) -> Result<Option<VerifierKey>, DoctorError> {
    let public = fs::read_to_string(files.vkey())
        .ok()
        .and_then(|text| text.trim().parse::<VerifierKey>().ok());
    let signer = match files.signer_alone() {
        Err(error @ super::DataDirError::NotANode(_)) if public.is_none() => {
            return Err(error.into());
        }
        signer => signer.map(|signer| signer.verifier_key()),
    };
    Ok(match (signer, public) {
        (Ok(key), Some(public)) if key == public => {
            found.note(Part::LogKey, State::Sound, "");
            Some(key)
        }
        (Ok(key), Some(public)) if key.name() == public.name() => {
            let what = "log.key and vkey are not of one pair: restore log.key from its backup, and vkey from a node card";
            found.note(Part::LogKey, State::Lost, what);
            // The public one is copied often, so it is more likely to be right.
            Some(public)
        }
        (Ok(key), Some(_) | None) => {
            let what = "vkey is missing or no verifier key; a repair writes it anew from log.key";
            found.note(Part::LogKey, State::Damaged, what);
            Some(key)
        }
        (Err(error), public) => {
            let what = format!("{error}; without it this log never goes on");
            found.note(Part::LogKey, State::Lost, what);
            public
        }
    })
}

pub(super) fn bucket_keys(files: &DataDir, found: &mut Examination) -> Option<Keyring> {
    match KeyFile::at(files.bucket_keys()).load() {
        Ok(Some(ring)) => {
            found.note(Part::BucketKeys, State::Sound, "");
            Some(ring)
        }
        Ok(None) => {
            let what = "bucket.keys is missing: restore it from its own backup";
            found.note(Part::BucketKeys, State::Lost, what);
            None
        }
        Err(error) => {
            found.note(Part::BucketKeys, State::Lost, error.to_string());
            None
        }
    }
}

pub(super) fn checkpoint_file(
    files: &DataDir,
    key: &VerifierKey,
    found: &mut Examination,
) -> Option<SignedCheckpoint> {
    // Somebody showed a checkpoint of ours that the log did not contain. It is compared with the log, and covers more.
    let shown = disowned_checkpoint_file(&files.checkpoint());
    match kept_checkpoint(&shown, key) {
        Ok(None) => {}
        Ok(Some(shown_to_us)) => {
            let what = format!(
                "a partner showed a checkpoint of {} entries with this log's signature, which the log did not contain: the \
                 store was rolled back or replaced. Put the newer store back; where it is lost, only a successor log goes \
                 on. It is kept in {}",
                shown_to_us.size(),
                shown.display()
            );
            found.note(Part::Checkpoint, State::Damaged, what);
            return Some(shown_to_us);
        }
        Err(error) => {
            found.note(Part::Checkpoint, State::Damaged, error.to_string());
            return None;
        }
    }
    match kept_checkpoint(&files.checkpoint(), key) {
        Ok(Some(kept)) => {
            found.note(Part::Checkpoint, State::Sound, "");
            Some(kept)
        }
        Ok(None) => {
            let what = "there is none; a repair writes it from the store, which it cannot then be held against";
            found.note(Part::Checkpoint, State::Damaged, what);
            None
        }
        Err(error) => {
            found.note(Part::Checkpoint, State::Damaged, error.to_string());
            None
        }
    }
}

pub(super) fn store_state(files: &DataDir, copied: &Copied, found: &mut Examination) {
    let failed = failure_marker_file(&files.checkpoint());
    if copied.unreadable > 0 {
        let what = format!(
            "{} sectors of it could not be read from the disk",
            copied.unreadable
        );
        found.note(Part::Store, State::Damaged, what);
    } else if let Some(without) = copied.without {
        let what = format!("opens only without {without}");
        found.note(Part::Store, State::Damaged, what);
    } else if copied.unsynced {
        let what = "holds values that were never synced";
        found.note(Part::Store, State::Damaged, what);
    } else if failed.exists() {
        let said = fs::read_to_string(&failed).unwrap_or_default();
        let what = format!("a storage error closed it: {}", said.trim());
        found.note(Part::Store, State::Damaged, what);
    } else {
        found.note(Part::Store, State::Sound, "");
    }
}

pub(super) fn log_state(damage: &DamageReport, found: &mut Examination) {
    found.entries = damage.checkpoint().size();
    found.lost = damage.lost().to_vec();
    found.forked = damage.forked();
    if damage.is_sound() {
        return found.note(Part::Log, State::Sound, "");
    }
    let named: Vec<String> = damage
        .damages()
        .iter()
        .take(5)
        .map(Damage::to_string)
        .collect();
    let mut what = named.join("; ");
    if damage.damage_count() > 5 {
        what = format!("{what}; {} in all", damage.damage_count());
    }
    if damage.recovered() > 0 {
        what = format!(
            "{what}; {} entries can be taken from elsewhere",
            damage.recovered()
        );
    }
    let state = if damage.can_continue() {
        State::Damaged
    } else {
        State::Lost
    };
    if what.is_empty() {
        "what was published is not there".clone_into(&mut what);
    }
    found.note(Part::Log, state, what);
}

pub(super) fn row_states(report: &RowReport, keyed: bool, found: &mut Examination) {
    let mut rows = |part, count: u64, what: &str| {
        if count == 0 {
            found.note(part, State::Sound, "");
        } else {
            found.note(part, State::Damaged, format!("{count} {what}"));
        }
    };
    let index = report.dispatches + report.refusals;
    rows(Part::Dispatches, index, "rows do not follow from the log");
    rows(
        Part::Outbox,
        report.outbox,
        "rows do not follow from the log",
    );
    if !keyed {
        found.note(Part::Payloads, State::NotExamined, "needs the bucket keys");
    } else if report.payload_count == 0 {
        found.note(Part::Payloads, State::Sound, "");
    } else {
        let named: Vec<_> = report
            .payloads
            .iter()
            .take(20)
            .map(u64::to_string)
            .collect();
        let what = format!(
            "{} damaged, of entries {}",
            report.payload_count,
            named.join(", ")
        );
        found.note(Part::Payloads, State::Lost, what);
    }
    let mut what = Vec::new();
    if !report.witness.is_empty() {
        what.push(format!("damaged: {}", codes(&report.witness)));
    }
    if report.evidence > 0 {
        let evidence = report.evidence;
        what.push(format!(
            "{evidence} rows of evidence do not follow from the log"
        ));
    }
    if what.is_empty() {
        found.note(Part::Witness, State::Sound, "");
    } else {
        found.note(Part::Witness, State::Damaged, what.join("; "));
    }
}

pub(super) fn codes(codes: &BTreeSet<Jurisdiction>) -> String {
    let texts: Vec<_> = codes.iter().map(ToString::to_string).collect();
    texts.join(", ")
}
