//! The auditor of the story: reads a log over the wire, recomputes it on their own machine, and writes it out for
//! anybody else to recompute.

use super::cluster::{Cluster, Member, grounds};
use crate::{
    access::Purpose,
    audit::{TileWriter, verify_export},
    note::VerifierKey,
    record::{Entry, Kind},
    rpc::pb,
};
use anyhow::Context as _;
use std::{collections::BTreeMap, fs, path::Path};

/// What the auditor found.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) name: &'static str,
    pub(super) origin: String,
    pub(super) size: u64,
    pub(super) root: String,
    pub(super) kinds: BTreeMap<&'static str, u64>,
    pub(super) defects: Vec<String>,
}

impl Verdict {
    /// True where nothing is wrong.
    pub(super) fn is_clean(&self) -> bool {
        self.defects.is_empty()
    }
}

/// Exports a node's log to `dir/export`, its verifier key to `dir/vkey`, and verifies the export against that key.
pub(super) async fn audit(
    cluster: &Cluster,
    member: &Member,
    dir: &Path,
) -> anyhow::Result<Verdict> {
    let code = member.code.as_str();
    let key: VerifierKey = member.vkey.parse()?;
    let mut audit =
        pb::audit_client::AuditClient::new(cluster.channel(code, code, "auditor-001")?)
            .max_decoding_message_size(crate::rpc::MAX_MESSAGE);
    let grounds = grounds(code, Purpose::Audit);
    let request = pb::GetCheckpointRequest {
        grounds: Some(grounds.clone()),
    };
    let head = audit.get_checkpoint(request).await?.into_inner();
    let checkpoint = key.verify(&head.checkpoint)?;

    let export = dir.join("export");
    let mut writer = TileWriter::create(&export)?;
    let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut defects = Vec::new();
    let request = pb::ReplayRequest {
        grounds: Some(grounds),
        from: 0,
        to: checkpoint.size(),
    };
    let mut leaves = audit.replay(request).await?.into_inner();
    while let Some(message) = leaves.message().await? {
        for (index, leaf) in (message.first..).zip(message.leaves) {
            match Entry::decode(&leaf) {
                Ok(entry) => {
                    if let Kind::EvidenceKept { jurisdiction, .. } = &entry.kind {
                        defects.push(format!("entry {index}: evidence against {jurisdiction}"));
                    }
                    *kinds.entry(entry.kind.as_str()).or_default() += 1;
                }
                Err(defect) => defects.push(format!("entry {index}: {defect}")),
            }
            writer.push(&leaf)?;
        }
    }
    writer.finish(&checkpoint)?;
    fs::write(dir.join("vkey"), format!("{key}\n")).context("the verifier key")?;
    let verified = verify_export(&export, &key, |_, _| {})?;
    Ok(Verdict {
        name: member.name,
        origin: verified.origin().to_owned(),
        size: verified.size(),
        root: verified.root().to_string(),
        kinds,
        defects,
    })
}
