//! The auditor of the story: reads each log over the wire and writes it out; then, on their own machine and asking nobody,
//! recomputes it, reads what its entries mean, and lays every two logs side by side.

use super::cluster::{Cluster, Member, grounds};
use crate::{
    access::Purpose,
    audit::{
        ExportDefect, ExportedLog, ExportedTree, Inspection, Inspector, Reconciler, Reconciliation,
        TileWriter, Trusted, VerifiedLog, entries, feed, verify_export,
    },
    note::VerifierKey,
    rpc::pb,
    tls::Cards,
};
use anyhow::Context as _;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A log in the auditor's hands, every hash of it verified.
#[derive(Debug)]
pub(super) struct Exported {
    name: &'static str,
    key: VerifierKey,
    dir: PathBuf,
    log: VerifiedLog,
    tree: ExportedTree,
}

/// What the auditor found in one log.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) name: &'static str,
    pub(super) inspection: Inspection,
}

impl Verdict {
    /// True where nothing is wrong, nothing is open, and nobody is accused.
    pub(super) const fn is_clean(&self) -> bool {
        self.inspection.is_clean()
            && self.inspection.unanswered.is_empty()
            && self.inspection.evidence.is_empty()
    }
}

/// What the auditor found between two logs.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) names: [&'static str; 2],
    pub(super) told: Reconciliation,
}

impl Compared {
    /// True where both tell the same, and nothing is under way.
    pub(super) const fn is_clean(&self) -> bool {
        self.told.differences.is_empty() && self.told.pending.is_empty()
    }
}

/// Writes a node's log to `dir/export` and its verifier key to `dir/vkey`, and verifies the export against that key.
pub(super) async fn export(
    cluster: &Cluster,
    member: &Member,
    dir: &Path,
) -> anyhow::Result<Exported> {
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
    let request = pb::ReplayRequest {
        grounds: Some(grounds),
        from: 0,
        to: checkpoint.size(),
    };
    let mut leaves = audit.replay(request).await?.into_inner();
    while let Some(message) = leaves.message().await? {
        for leaf in message.leaves {
            writer.push(&leaf)?;
        }
    }
    writer.finish(&checkpoint)?;
    fs::write(dir.join("vkey"), format!("{key}\n")).context("the verifier key")?;
    let log = verify_export(&export, &key, |_, _| {})?;
    let tree = ExportedTree::new(&export, log.size());
    Ok(Exported {
        name: member.name,
        key,
        dir: export,
        log,
        tree,
    })
}

impl Exported {
    fn leaves(&self) -> impl Iterator<Item = Result<Vec<u8>, ExportDefect>> + use<> {
        entries(&self.dir, self.log.size())
    }

    /// Whether what the log says holds together.
    pub(super) fn inspect(&self) -> anyhow::Result<Verdict> {
        let trusted = Trusted {
            key: self.key.clone(),
            // As the log itself has them: the reconciliation compares them with the partners' own.
            partners: Vec::new(),
        };
        let mut inspector = Inspector::new(trusted, &Cards)?.with_tree(&self.tree);
        for leaf in self.leaves() {
            inspector.push(&leaf?)?;
        }
        Ok(Verdict {
            name: self.name,
            inspection: inspector.finish(self.log.checkpoint())?,
        })
    }

    fn beside<'a>(&'a self) -> ExportedLog<'a, ExportedTree> {
        ExportedLog {
            key: &self.key,
            size: self.log.size(),
            tree: &self.tree,
        }
    }

    /// Whether two logs tell the same of what went between them.
    pub(super) fn reconcile(&self, other: &Self) -> anyhow::Result<Compared> {
        let mut reconciler = Reconciler::new(&self.beside(), &other.beside())?;
        feed(
            &mut reconciler,
            self.leaves().map(|leaf| leaf.map_err(anyhow::Error::from)),
            other.leaves().map(|leaf| leaf.map_err(anyhow::Error::from)),
        )?;
        Ok(Compared {
            names: [self.name, other.name],
            told: reconciler.finish(self.log.checkpoint(), other.log.checkpoint())?,
        })
    }
}

/// Every two of them.
pub(super) fn reconcile_all(logs: &[Exported]) -> anyhow::Result<Vec<Compared>> {
    let mut compared = Vec::new();
    let mut rest = logs;
    while let [first, others @ ..] = rest {
        for other in others {
            compared.push(first.reconcile(other)?);
        }
        rest = others;
    }
    Ok(compared)
}
