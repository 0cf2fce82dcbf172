//! The `Audit` service.

use super::{pb, status};
use crate::{
    access::{self, Permit},
    api::authorizer::Authorizer,
    casework::Casework,
    log::Log,
    merkle::Hash,
};
use futures_util::{Stream, stream};
use std::pin::Pin;
use tonic::{Request, Response, Status};

/// Leaves read at once.
pub(super) const REPLAY_LEAVES: usize = 1024;
/// Bytes of leaves in one message.
const REPLAY_BYTES: usize = 256 * 1024;

#[derive(Clone)]
pub(super) struct AuditService {
    pub(super) authorizer: Authorizer,
    pub(super) casework: Casework,
    pub(super) log: Log,
}

type ReplayStream = Pin<Box<dyn Stream<Item = Result<pb::ReplayResponse, Status>> + Send>>;

fn hashes(proof: &[Hash]) -> Vec<bytes::Bytes> {
    proof
        .iter()
        .map(|hash| hash.as_bytes().to_vec().into())
        .collect()
}

impl AuditService {
    /// Writes down that an auditor reads these entries: once a call, however long its answer, so that no look is read of
    /// without end.
    async fn trace(
        &self,
        permit: &Permit<access::ReadLog>,
        first: u64,
        count: u64,
    ) -> Result<(), Status> {
        let reading = self.authorizer.reading(permit, 0)?;
        let trace = self.casework.log_read(permit, first, count).await;
        reading.cost(trace.map_or(0, |trace| trace.bytes));
        Ok(())
    }

    /// A size asked for, where 0 means the newest.
    fn size(&self, asked: u64) -> u64 {
        if asked == 0 {
            self.log.checkpoint().size()
        } else {
            asked
        }
    }
}

#[tonic::async_trait]
impl pb::audit_server::Audit for AuditService {
    type ReplayStream = ReplayStream;

    async fn get_checkpoint(
        &self,
        request: Request<pb::GetCheckpointRequest>,
    ) -> Result<Response<pb::GetCheckpointResponse>, Status> {
        self.authorizer.admit(request, access::ReadCheckpoint)?;
        Ok(Response::new(pb::GetCheckpointResponse {
            checkpoint: self.log.checkpoint().note().as_bytes().to_vec().into(),
            verifier_key: self.log.verifier_key().to_string(),
        }))
    }

    async fn replay(
        &self,
        request: Request<pb::ReplayRequest>,
    ) -> Result<Response<ReplayStream>, Status> {
        let (permit, request) = self.authorizer.admit(request, access::ReadLog)?;
        let lease = self.authorizer.metered(permit.principal()).stream()?;
        let (log, end) = (self.log.clone(), self.size(request.to));
        if end > self.log.checkpoint().size() || request.from > end {
            return Err(Status::out_of_range(format!(
                "asked for entries {} to {end}, the log has {}",
                request.from,
                self.log.checkpoint().size()
            )));
        }
        // The newest size was taken before this: the answer does not grow by what is written of it.
        self.trace(&permit, request.from, end.saturating_sub(request.from))
            .await?;
        let authorizer = self.authorizer.clone();
        let leaves = stream::try_unfold(request.from, move |from| {
            let (log, authorizer, permit) = (log.clone(), authorizer.clone(), permit.clone());
            async move {
                if from >= end {
                    return Ok(None);
                }
                // Who is taken off the list reads no further.
                authorizer.again(&permit)?;
                let most = usize::try_from(end - from)
                    .unwrap_or(usize::MAX)
                    .min(REPLAY_LEAVES);
                let entries = log
                    .read(move |reader| reader.entries(from, most, REPLAY_BYTES))
                    .await
                    .and_then(|entries| entries)?;
                let next = from.saturating_add(u64::try_from(entries.len()).unwrap_or(u64::MAX));
                if next == from {
                    return Err(status::internal(
                        &"the log returned no entries within its size",
                    ));
                }
                let leaves = entries.into_iter().map(|(_, leaf)| leaf.into()).collect();
                Ok(Some((
                    pb::ReplayResponse {
                        first: from,
                        leaves,
                    },
                    next,
                )))
            }
        });
        Ok(Response::new(lease.over(leaves)))
    }

    async fn prove_inclusion(
        &self,
        request: Request<pb::ProveInclusionRequest>,
    ) -> Result<Response<pb::ProveInclusionResponse>, Status> {
        let (permit, request) = self.authorizer.admit(request, access::ReadLog)?;
        let (index, tree_size) = (request.index, self.size(request.tree_size));
        let (proof, leaf) = self
            .log
            .read(move |reader| {
                Ok((
                    reader.inclusion_proof(index, tree_size)?,
                    reader.entry(index)?,
                ))
            })
            .await
            .and_then(|read| read)?;
        self.trace(&permit, index, 1).await?;
        Ok(Response::new(pb::ProveInclusionResponse {
            tree_size,
            hashes: hashes(&proof),
            leaf: leaf.unwrap_or_default().into(),
        }))
    }

    async fn prove_consistency(
        &self,
        request: Request<pb::ProveConsistencyRequest>,
    ) -> Result<Response<pb::ProveConsistencyResponse>, Status> {
        let (_, request) = self.authorizer.admit(request, access::ReadLog)?;
        let (old, new_size) = (request.old_size, self.size(request.new_size));
        let proof = self
            .log
            .read(move |reader| reader.consistency_proof(old, new_size))
            .await
            .and_then(|read| read)?;
        Ok(Response::new(pb::ProveConsistencyResponse {
            new_size,
            hashes: hashes(&proof),
        }))
    }
}
