//! The `Exchange` service: the receiving side of a stream between nodes.

use super::{
    carrier::{HEAD, RevocationLists},
    pb, status,
};
use crate::{
    access::Quota,
    api::{RefusedFor, authorizer::Authorizer, rate_limit::Metered},
    exchange::{
        Answering, Delivery, Directory, Greeting, InboundSession, Inbox, OutboxError,
        PendingAnswers, SessionFault,
    },
    tls::Peer,
};
use futures_util::Stream;
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Code, Request, Response, Status, Streaming, metadata::MetadataValue};

/// A stream must say hello within this time.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

const QUOTAS: (Quota, Quota) = (Quota::DispatchesSteadily, Quota::Dispatches);

/// Earlier deliveries must be answered, and the partner told why its stream ends, within this time.
const LAST_WORD_WITHIN: Duration = Duration::from_secs(10);

/// Deliveries that wait for the log at once.
const UNDER_WAY: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct ExchangeService {
    pub(super) authorizer: Authorizer,
    pub(super) directory: Arc<Directory>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) lists: Arc<dyn RevocationLists>,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

type RelayStream = Pin<Box<dyn Stream<Item = Result<pb::RelayResponse, Status>> + Send>>;
type Responses = mpsc::Sender<Result<pb::RelayResponse, Status>>;

#[tonic::async_trait]
impl pb::exchange_server::Exchange for ExchangeService {
    type RelayStream = RelayStream;

    async fn relay(
        &self,
        request: Request<Streaming<pb::RelayRequest>>,
    ) -> Result<Response<RelayStream>, Status> {
        let (_, extensions, mut requests) = request.into_parts();
        let (code, metered, lease) = self.authorizer.partner(&extensions)?;
        let partner = self
            .directory
            .get(code)
            .ok_or_else(|| Status::permission_denied("your node card is not approved here"))?;
        let first = tokio::time::timeout(HELLO_WITHIN, requests.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no hello came"))??;
        let Some(pb::relay_request::Message::Hello(hello)) = first.and_then(|m| m.message) else {
            let said = "a stream begins with a hello".to_owned();
            return Err(status::invalid(RefusedFor::Protocol, "hello", said));
        };
        let hello = Greeting::try_from(hello)?;
        let (mut session, welcome) = self
            .inbox
            .greet(Arc::clone(&partner), &hello, self.lists.own())
            .await
            .map_err(|fault| fault_status(&fault, &self.inbox))?;
        let answering = session
            .take_answering()
            .ok_or_else(|| Status::internal("the session is already answered"))?;

        let superseded = session.taken_over();
        let (responses, outgoing) = mpsc::channel(UNDER_WAY);
        let (waiting, pending) = mpsc::channel(UNDER_WAY);
        let (answering_ends, all_answered) = oneshot::channel::<()>();
        let welcome = pb::RelayResponse {
            message: Some(pb::relay_response::Message::Welcome(welcome.into())),
        };
        // The channel is new and has room.
        drop(responses.try_send(Ok(welcome)));

        let (inbox, stop, faults) = (
            Arc::clone(&self.inbox),
            self.stop.clone(),
            responses.clone(),
        );
        let lists = Arc::clone(&self.lists);
        self.tasks.spawn(async move {
            // After the welcome, because the list goes into the log. The log of a starting node waits for what partners hold
            // of it, and this partner may itself wait for the welcome. But before all deliveries.
            let listed = lists.accept(partner, hello.crl);
            stop.run_until_cancelled(listed).await;
            let taken_over = session.taken_over();
            let reading = async {
                tokio::select! {
                    biased;
                    () = taken_over.cancelled() => Err(SessionFault::TakenOver.into()),
                    read = read(&inbox, &mut session, &metered, requests, &waiting) => read,
                }
            };
            let ended = stop.run_until_cancelled(reading).await;
            drop(waiting);
            if let Some(Err(ended)) = ended {
                let status = match ended {
                    Ended::Fault(fault) => give_up(&extensions, &fault, &inbox),
                    Ended::Quota(status) => status,
                };
                let last_word = async {
                    // Nothing is ever sent: the channel closes when the answering task ends.
                    drop(all_answered.await);
                    faults.send(Err(status)).await
                };
                drop(tokio::time::timeout(LAST_WORD_WITHIN, last_word).await);
            }
        });
        let (inbox, stop) = (Arc::clone(&self.inbox), self.stop.clone());
        self.tasks.spawn(async move {
            let _answering_ends = answering_ends;
            let answering = answer(&inbox, answering, pending, &responses);
            // A newer stream answers what it took over.
            let answering = superseded.run_until_cancelled(answering);
            stop.run_until_cancelled(answering).await;
        });
        Ok(Response::new(lease.over(ReceiverStream::new(outgoing))))
    }
}

/// Why this node ends a stream.
enum Ended {
    /// Something does not verify.
    Fault(SessionFault),
    /// The partner has used up its quota of the day; what waits in its outbox comes later.
    Quota(Status),
}

impl<F: Into<SessionFault>> From<F> for Ended {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

/// Reads and verifies deliveries until the stream ends or something does not verify.
async fn read(
    inbox: &Inbox,
    session: &mut InboundSession,
    metered: &Metered,
    mut requests: Streaming<pb::RelayRequest>,
    waiting: &mpsc::Sender<PendingAnswers>,
) -> Result<(), Ended> {
    loop {
        let request = match requests.message().await {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(status) => return Ok(unread(&status)?),
        };
        let Some(pb::relay_request::Message::Delivery(delivery)) = request.message else {
            return Err(SessionFault::Malformed("a message was not a delivery".into()).into());
        };
        let delivery = Delivery::try_from(delivery)
            .map_err(|defect| SessionFault::Malformed(defect.to_string()))?;
        let bytes = delivery.dispatches.iter().map(|d| d.ciphertext.len()).sum();
        metered
            .pass(QUOTAS, delivery.dispatches.len(), bytes)
            .await
            .map_err(|refused| Ended::Quota(refused.into()))?;
        let pending = inbox.receive(session, delivery).await?;
        if waiting.send(pending).await.is_err() {
            return Ok(());
        }
    }
}

/// Why there is no next message: it is malformed, or the connection is gone, which is no fault.
fn unread(status: &Status) -> Result<(), SessionFault> {
    let code = status.code();
    if matches!(code, Code::OutOfRange | Code::ResourceExhausted) {
        return Err(SessionFault::Malformed("a message is too long".into()));
    }
    if matches!(
        code,
        Code::Internal | Code::InvalidArgument | Code::Unimplemented
    ) {
        return Err(SessionFault::Malformed("a message cannot be read".into()));
    }
    Ok(())
}

/// Answers deliveries, in order, as they become durable.
async fn answer(
    inbox: &Inbox,
    mut answering: Answering,
    mut pending: mpsc::Receiver<PendingAnswers>,
    responses: &Responses,
) {
    while let Some(delivery) = pending.recv().await {
        let response = match inbox.answer(&mut answering, delivery).await {
            Ok(answers) => Ok(pb::RelayResponse {
                message: Some(pb::relay_response::Message::Answers(answers.into())),
            }),
            Err(fault @ SessionFault::TakenOver) => Err(fault_status(&fault, inbox)),
            Err(fault) => {
                tracing::error!(%fault, "a delivery could not be answered");
                Err(Status::unavailable(
                    "this node could not answer; try again later",
                ))
            }
        };
        let failed = response.is_err();
        if responses.send(response).await.is_err() || failed {
            return;
        }
    }
}

/// Ends a stream that has begun, and logs why. A refusal before that is logged like that of any call.
fn give_up(extensions: &tonic::Extensions, fault: &SessionFault, inbox: &Inbox) -> Status {
    let peer = extensions
        .get::<Arc<Peer>>()
        .map(|peer| peer.identity().principal().to_string());
    tracing::warn!(peer, %fault, "a partner's stream was given up");
    metrics::counter!("yichuan_sessions_given_up_total").increment(1);
    fault_status(fault, inbox)
}

fn fault_status(fault: &SessionFault, inbox: &Inbox) -> Status {
    match fault {
        SessionFault::Protocol(_) | SessionFault::Tree(_) | SessionFault::TakenOver => {
            Status::failed_precondition(fault.to_string())
        }
        SessionFault::Sequence { .. }
        | SessionFault::Count(_)
        | SessionFault::Bytes(_)
        | SessionFault::Malformed(_) => {
            status::invalid(RefusedFor::Protocol, "delivery", fault.to_string())
        }
        // The partner is sent this log's signed checkpoint, as evidence beside what it holds.
        SessionFault::Own(OutboxError::NotOurTree { .. }) => {
            let mut status = Status::failed_precondition(fault.to_string());
            let head = MetadataValue::from_bytes(&inbox.head());
            status.metadata_mut().insert_bin(HEAD, head);
            status::with_reason(status, RefusedFor::RolledBack)
        }
        SessionFault::Disk(_) | SessionFault::TooManyDeferred => {
            Status::resource_exhausted(fault.to_string())
        }
        SessionFault::Own(_) | SessionFault::Vault(_) => {
            Status::unavailable("this node cannot receive now; try again later")
        }
    }
}
