//! The client of a partner's node: carries deliveries over one gRPC stream.

use super::{answering::NodeChannel, codec::MAX_MESSAGE, pb};
use crate::{
    api::RefusedFor,
    exchange::{
        Answers, Carrier, CarrierError, CarrierFuture, Delivery, Greeting, Opened, Partner,
    },
    note::MAX_NOTE_BYTES,
    tls::{Dialer, EndpointUrl},
};
use futures_util::{StreamExt as _, stream};
use std::{error::Error as _, fmt, sync::Arc};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Code, Status, Streaming};

/// The header with the newest checkpoint, a signed note, of a node that refuses because its log lacks what it signed.
pub(super) const HEAD: &str = "yichuan-head-bin";

/// Messages queued on either side of a stream.
const WINDOW: usize = 8;

/// Certificate revocation lists: this node's own, and those that partners bring.
pub(crate) trait RevocationLists: Send + Sync + fmt::Debug {
    /// This node's newest list in DER; empty if it has none.
    fn own(&self) -> Vec<u8>;

    /// Takes a partner's list. A malformed or older one logs a warning and changes nothing.
    fn accept(&self, partner: Arc<Partner>, crl: Vec<u8>) -> CarrierFuture<'_, ()>;
}

/// Carries deliveries over gRPC.
pub(crate) struct GrpcCarrier {
    dialer: Arc<Dialer>,
    lists: Arc<dyn RevocationLists>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl fmt::Debug for GrpcCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GrpcCarrier")
    }
}

impl GrpcCarrier {
    /// A carrier that dials with this node's credentials.
    pub(crate) fn new(
        dialer: Arc<Dialer>,
        lists: Arc<dyn RevocationLists>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            dialer,
            lists,
            tasks,
            stop,
        }
    }

    async fn open_stream(
        &self,
        partner: Arc<Partner>,
        hello: Greeting,
    ) -> Result<Opened, CarrierError> {
        let endpoint: EndpointUrl = partner
            .endpoint
            .parse()
            .map_err(|_| CarrierError::from("the endpoint on the partner's card is malformed"))?;
        let channel = NodeChannel::from(self.dialer.connect(&endpoint, partner.code));
        let mut client = pb::exchange_client::ExchangeClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        let (deliveries, outgoing) = mpsc::channel(WINDOW);
        let hello = pb::RelayRequest {
            message: Some(pb::relay_request::Message::Hello(hello.into())),
        };
        let requests =
            stream::iter([hello]).chain(ReceiverStream::new(outgoing).map(|delivery: Delivery| {
                pb::RelayRequest {
                    message: Some(pb::relay_request::Message::Delivery(delivery.into())),
                }
            }));
        let mut responses = client.relay(requests).await.map_err(failed)?.into_inner();
        let first = responses.message().await.map_err(failed)?;
        let Some(pb::relay_response::Message::Welcome(welcome)) = first.and_then(|m| m.message)
        else {
            return Err(CarrierError::from(
                "the partner's first message was not a welcome",
            ));
        };
        let welcome = Greeting::try_from(welcome)
            .map_err(|defect| CarrierError::from(format!("the partner's welcome: {defect}")))?;
        let (incoming, answers) = mpsc::channel(WINDOW);
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(read(responses, &incoming)).await;
        });
        Ok(Opened {
            welcome,
            deliveries,
            answers,
        })
    }
}

async fn read(
    mut responses: Streaming<pb::RelayResponse>,
    incoming: &mpsc::Sender<Result<Answers, CarrierError>>,
) {
    loop {
        let answers = match responses.message().await {
            Ok(Some(response)) => match response.message {
                Some(pb::relay_response::Message::Answers(answers)) => Answers::try_from(answers)
                    .map_err(|defect| {
                        CarrierError::from(format!("the partner's answers: {defect}"))
                    }),
                Some(pb::relay_response::Message::Welcome(_)) | None => {
                    Err("the partner's message was not an answer".into())
                }
            },
            Ok(None) => return,
            Err(status) => Err(failed(status)),
        };
        let broken = answers.is_err();
        tokio::select! {
            sent = incoming.send(answers) => if sent.is_err() || broken { return },
            // The courier has dropped the stream.
            () = incoming.closed() => return,
        }
    }
}

/// A status in words. A partner's own words might be about a person, so only its code is repeated, with what it means here.
fn failed(status: Status) -> CarrierError {
    let code = status.code();
    if status.source().is_some() {
        // Made here: the partner was not reached, the connection broke, or its message was rejected undecoded.
        let message: String = status.message().chars().take(300).collect();
        return format!("{code:?}: {message}").into();
    }
    if code == Code::FailedPrecondition && RefusedFor::of(&status) == Some(RefusedFor::RolledBack) {
        let head = status.metadata().get_bin(HEAD);
        let head = head.and_then(|head| head.to_bytes().ok());
        return CarrierError {
            why: format!(
                "{code:?}: the partner's log does not contain what it signed and this node holds: it was rolled back or \
                 replaced, and takes nothing until its newer store is back"
            ),
            disowned: head
                .filter(|head| head.len() <= MAX_NOTE_BYTES)
                .map(|head| head.to_vec()),
        };
    }
    let meaning = if matches!(code, Code::PermissionDenied | Code::Unauthenticated) {
        "the partner does not admit this node; ask whether it has approved this node's card"
    } else if code == Code::FailedPrecondition {
        "the partner gave the stream up: what it verified of this node's log and what it is shown now do not go \
         together, or it speaks another version; its own log says which"
    } else if matches!(
        code,
        Code::InvalidArgument | Code::OutOfRange | Code::Internal | Code::Unimplemented
    ) {
        "the partner and this node cannot read what the other sends; compare versions with it"
    } else if code == Code::ResourceExhausted {
        "the partner takes no more from this node for now; what waits here goes on by itself"
    } else {
        "the partner cannot receive now"
    };
    format!("{code:?}: {meaning}").into()
}

impl Carrier for GrpcCarrier {
    fn open(
        &self,
        partner: Arc<Partner>,
        hello: Greeting,
    ) -> CarrierFuture<'_, Result<Opened, CarrierError>> {
        Box::pin(self.open_stream(partner, hello))
    }

    fn own_crl(&self) -> Vec<u8> {
        self.lists.own()
    }

    fn partner_crl(&self, partner: Arc<Partner>, crl: Vec<u8>) -> CarrierFuture<'_, ()> {
        self.lists.accept(partner, crl)
    }
}
