//! The log of a node as it is read over the wire: its checkpoint, and its leaves one after the other.

use crate::{
    cli::{client::Connection, exit::Failure, print::progress},
    domain::Lang,
    entry::pb,
    note::{SignedCheckpoint, VerifierKey},
};

/// The node's newest checkpoint, once its signature is found to be the log's.
pub(super) async fn checkpoint(
    node: &Connection,
    key: &VerifierKey,
) -> Result<SignedCheckpoint, Failure> {
    let request = pb::GetCheckpointRequest {
        grounds: node.grounds(),
    };
    let mut audit = node.audit();
    let answer = node
        .patient(async || audit.get_checkpoint(request.clone()).await)
        .await?;
    key.verify(&answer.checkpoint).map_err(|error| {
        Failure::from(error).hint(
            "所给公钥须是该节点日志的公钥，且线下核对过；如无误，则该节点出示了不是其日志的内容，请保留证据",
            "the key must be that of this node's log, compared out of band; if it is, the node shows what its log did not \
             sign: keep the evidence",
        )
    })
}

/// Hands over every leaf under a checkpoint.
pub(super) async fn each(
    node: &Connection,
    checkpoint: &SignedCheckpoint,
    lang: Lang,
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let size = checkpoint.size();
    if size == 0 {
        return Ok(());
    }
    let bar = progress(size, lang, "验证", "verifying");
    leaves(node, 0, size, |_, leaf| {
        bar.inc(1);
        take(leaf)
    })
    .await?;
    bar.finish_and_clear();
    Ok(())
}

/// Hands over a range of a node's leaves, one after the other, each with its index. `to` 0 is the newest checkpoint.
pub(super) async fn leaves(
    node: &Connection,
    from: u64,
    to: u64,
    mut take: impl FnMut(u64, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let request = pb::ReplayRequest {
        grounds: node.grounds(),
        from,
        to,
    };
    let mut audit = node.audit();
    let mut messages = node
        .patient(async || audit.replay(request.clone()).await)
        .await?;
    let mut next = from;
    while let Some(message) = node.next(&mut messages).await? {
        if message.first != next {
            return Err(node.nonsense("entries that do not follow each other"));
        }
        for leaf in message.leaves {
            take(next, &leaf)?;
            next += 1;
        }
    }
    if to > 0 && next != to {
        return Err(node.nonsense("fewer entries than asked for"));
    }
    Ok(())
}
