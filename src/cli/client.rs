//! Calls to a node. Each has a deadline.

use super::{
    exit::{Exit, Failure},
    print::remark,
    refusal::failure,
};
use crate::{
    access::{Grounds, Principal},
    domain::{Jurisdiction, Lang},
    entry::pb,
    rpc::{
        MAX_MESSAGE, NodeChannel, RefusedFor,
        pb::{
            audit_client::AuditClient, partners_client::PartnersClient,
            records_client::RecordsClient,
        },
        retry_after_s,
    },
    tls::{Dialer, EndpointUrl},
};
use std::{sync::Arc, time::Duration};
use tonic::{Code, Response, Status, Streaming};

/// For a call that is answered at once, the connection included.
const CALL: Duration = Duration::from_secs(30);
/// For the next message of a stream. A stream outlives the deadline of its call, so each message has one.
const MESSAGE: Duration = Duration::from_secs(60);
/// So long a call waits in all where its caller's quota is used up; a quota of a day is not waited for.
const PATIENCE: Duration = Duration::from_secs(600);

/// A node, who asks it, and why. Connects when it is first asked.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    channel: NodeChannel,
    dialer: Arc<Dialer>,
    endpoint: EndpointUrl,
    node: Jurisdiction,
    principal: Principal,
    grounds: pb::Grounds,
    lang: Lang,
}

impl Connection {
    /// Call within a runtime.
    pub(super) fn new(
        dialer: Arc<Dialer>,
        endpoint: EndpointUrl,
        node: Jurisdiction,
        principal: Principal,
        grounds: Grounds,
        lang: Lang,
    ) -> Self {
        let grounds = pb::Grounds {
            purpose: crate::entry::purpose_to_wire(grounds.purpose),
            basis: grounds.basis.to_string(),
        };
        Self {
            channel: dialer.connect(&endpoint, node).into(),
            dialer,
            endpoint,
            node,
            principal,
            grounds,
            lang,
        }
    }

    /// Whose node.
    pub(super) const fn node(&self) -> Jurisdiction {
        self.node
    }

    /// Who asks.
    pub(super) const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Why, as every request says it.
    pub(super) fn grounds(&self) -> Option<pb::Grounds> {
        Some(self.grounds.clone())
    }

    pub(super) fn records(&self) -> RecordsClient<NodeChannel> {
        RecordsClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(super) fn partners(&self) -> PartnersClient<NodeChannel> {
        PartnersClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(super) fn audit(&self) -> AuditClient<NodeChannel> {
        AuditClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// Awaits a call, or its deadline.
    pub(super) async fn call<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(CALL, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(self.failed(&status)),
            Err(_) => Err(self.late(CALL)),
        }
    }

    /// As [`Connection::call`]; and where a quota is used up, comes back when the node says to. Such a call was refused
    /// before anything was done.
    pub(super) async fn patient<T>(
        &self,
        mut call: impl AsyncFnMut() -> Result<Response<T>, Status>,
    ) -> Result<T, Failure> {
        let mut waited = Duration::ZERO;
        loop {
            let status = match tokio::time::timeout(CALL, call()).await {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => return Err(self.late(CALL)),
            };
            let Some(wait) = told_to_wait(&status).filter(|wait| waited + *wait <= PATIENCE) else {
                return Err(self.failed(&status));
            };
            let seconds = wait.as_secs();
            remark(&match self.lang {
                Lang::Zh => format!("配额已用完，节点要求 {seconds} 秒后再来；等待中"),
                Lang::En => format!(
                    "the quota is used up, and the node says to come back in {seconds} s: waiting"
                ),
            });
            waited += wait;
            tokio::time::sleep(wait).await;
        }
    }

    /// The next message of a stream; none at its end.
    pub(super) async fn next<T>(&self, stream: &mut Streaming<T>) -> Result<Option<T>, Failure> {
        match tokio::time::timeout(MESSAGE, stream.message()).await {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(status)) => Err(self.failed(&status)),
            Err(_) => Err(self.late(MESSAGE)),
        }
    }

    /// The next message of a stream that may be silent for as long as it likes: the connection's keep-alive tells
    /// whether the node is still there. None at its end.
    pub(super) async fn follow<T>(&self, stream: &mut Streaming<T>) -> Result<Option<T>, Failure> {
        stream
            .message()
            .await
            .map_err(|status| self.failed(&status))
    }

    /// An answer that breaks the protocol.
    pub(super) fn nonsense(&self, what: &str) -> Failure {
        Failure::new(
            Exit::Internal,
            format!("{} 的答复不合协议：{what}", self.endpoint),
            format!("{} answered against the protocol: {what}", self.endpoint),
        )
    }

    fn failed(&self, status: &Status) -> Failure {
        failure(status, &self.endpoint, self.dialer.last_alert().as_deref())
    }

    fn late(&self, waited: Duration) -> Failure {
        let seconds = waited.as_secs();
        Failure::new(
            Exit::Unreachable,
            format!(
                "{} 在 {seconds} 秒内没有答复；是否已办理不能确定，可重做同一命令",
                self.endpoint
            ),
            format!(
                "{} did not answer within {seconds} seconds; whether it did what was asked is not known, and asking again \
                 does no harm",
                self.endpoint
            ),
        )
    }
}

/// How long to wait for a quota. A full disk says when to come back too, and nobody's waiting mends that.
fn told_to_wait(status: &Status) -> Option<Duration> {
    if status.code() != Code::ResourceExhausted || RefusedFor::of(status).is_some() {
        return None;
    }
    retry_after_s(status).map(|seconds| Duration::from_secs(seconds.max(1)))
}
