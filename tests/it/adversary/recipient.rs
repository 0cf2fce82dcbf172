//! The receiving side of a hostile partner: an `Exchange` service of its own, which answers as it was told to lie.

use super::{
    hostile::{Forger, nothing_verified},
    world::code,
};
use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, sync::mpsc, sync::watch};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Request, Response, Status, Streaming};
use yichuan::{
    domain::{Clock as _, Timestamp},
    entry::{Entry, Kind, Received, Refusal},
    merkle,
    note::{Checkpoint, VerifierKey},
    rpc::pb,
    telemetry::SystemClock,
    tls::{Authority, Credentials, Crl, EndpointUrl, Gate, GateLimits, TrustStore, dev, serve},
};

/// What it answers to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// The truth.
    None,
    /// One bit of the inclusion proof is another.
    WrongInclusion,
    /// The leaf shown is not the one in the tree.
    OtherLeaf,
    /// The entry is truly in its log, but speaks of another dispatch.
    OtherDispatch,
    /// The entry names another index in our log.
    OtherIndex,
    /// The entry refuses the dispatch and leaves it out, though it is short enough to be kept.
    LeavesOut,
    /// The entry says that it rests on a checkpoint of ours that we never signed.
    ForeignCheckpoint,
    /// The entry proves our leaf in a way that does not lead to our root.
    WrongSenderProof,
    /// The entry is in a third party's name.
    OtherName,
    /// The cosignature is on something else.
    WrongCosignature,
    /// The sequence is another delivery's.
    OtherSequence,
    /// The answers to the delivery before, once more.
    Replayed,
    /// One answer is missing.
    TooFew,
    /// One answer is too many.
    TooMany,
    /// An older head of its own.
    RolledBack,
    /// A head of a size that it has shown before, over other entries.
    Forked,
    /// The head that it has shown before, with a proof of nothing.
    SameHeadBadProof,
    /// A larger head that does not continue the one shown before.
    Inconsistent,
    /// Another log's key signed the head.
    OtherKey,
    /// Its answer claims a size and a hash that cannot be.
    Garbage,
    /// Answers without end that say nothing: two bytes on the wire, and fifty times that in memory.
    FullOfNothing,
    /// A message that says a lot, in a status.
    Abusive,
    /// A status whose details are no base64, behind the messages before it.
    NoBase64,
    /// The same, in place of a welcome.
    NoBase64AtOnce,
    /// No answer, for ever.
    Silent,
    /// Each answer only when the next delivery has come: there is always one under way.
    Late,
    /// Refuses what it has no reason to refuse; it may.
    Refuse,
    /// A receipt whose time is the end of time.
    EndOfTime,
    /// Not yet, for ever, to all that the other side had in its log below this index; a receipt for the rest.
    NotYetBelow(u64),
}

/// What it does, and what has happened to it.
pub(crate) struct State {
    pub(crate) forger: Forger,
    pub(crate) lie: Lie,
    /// Shown to whoever greets.
    pub(crate) witnessed: Vec<Vec<u8>>,
    /// The caller's tree that it verified last.
    verified: pb::VerifiedTree,
    /// What it answered truly last.
    last: pb::Answers,
    sender: VerifierKey,
}

/// A hostile recipient that listens.
pub(crate) struct Recipient {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) endpoint: EndpointUrl,
    /// Streams that were opened to it, and lies told.
    pub(crate) seen: watch::Receiver<Seen>,
    stop: CancellationToken,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) streams: usize,
    pub(crate) answered: usize,
}

#[derive(Clone)]
struct Service {
    state: Arc<Mutex<State>>,
    seen: Arc<watch::Sender<Seen>>,
    tasks: TaskTracker,
}

type RelayStream = Pin<Box<dyn Stream<Item = Result<pb::RelayResponse, Status>> + Send>>;

#[tonic::async_trait]
impl pb::exchange_server::Exchange for Service {
    type RelayStream = RelayStream;

    async fn relay(
        &self,
        request: Request<Streaming<pb::RelayRequest>>,
    ) -> Result<Response<RelayStream>, Status> {
        let mut requests = request.into_inner();
        let Some(first) = requests.message().await? else {
            return Err(Status::cancelled("no hello"));
        };
        let Some(pb::relay_request::Message::Hello(hello)) = first.message else {
            return Err(Status::cancelled("no hello"));
        };
        if self.state.lock().unwrap().lie == Lie::NoBase64AtOnce {
            self.seen.send_modify(|seen| seen.answered += 1);
            return Err(no_base64());
        }
        let mut base = hello.verified.unwrap().size;
        let asked = hello.asked;
        let (responses, outgoing) = mpsc::channel(16);
        {
            let state = self.state.lock().unwrap();
            let welcome = pb::RelayWelcome {
                protocol: 1,
                verified: Some(state.verified.clone()),
                witnessed: state.witnessed.iter().cloned().map(Into::into).collect(),
                ..pb::RelayWelcome::default()
            };
            let welcome = pb::RelayResponse {
                message: Some(pb::relay_response::Message::Welcome(welcome)),
            };
            responses.try_send(Ok(welcome)).unwrap();
        }
        self.seen.send_modify(|seen| seen.streams += 1);
        let service = self.clone();
        self.tasks.spawn(async move {
            let mut held = None;
            while let Ok(Some(request)) = requests.message().await {
                let Some(pb::relay_request::Message::Delivery(delivery)) = request.message else {
                    return;
                };
                let mut answer = {
                    let mut state = service.state.lock().unwrap();
                    state.answer(delivery, &mut base, &asked)
                };
                if service.state.lock().unwrap().lie == Lie::Late {
                    answer = std::mem::replace(&mut held, answer);
                }
                if let Some(answer) = answer {
                    let response = answer.map(|answers| pb::RelayResponse {
                        message: Some(pb::relay_response::Message::Answers(answers)),
                    });
                    if responses.send(response).await.is_err() {
                        return;
                    }
                    service.seen.send_modify(|seen| seen.answered += 1);
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}

fn no_base64() -> Status {
    let mut headers = http::HeaderMap::new();
    headers.insert("grpc-status-details-bin", "!!!".parse().unwrap());
    let metadata = tonic::metadata::MetadataMap::from_headers(headers);
    Status::with_metadata(tonic::Code::Unavailable, "", metadata)
}

fn flip(bytes: &[u8]) -> bytes::Bytes {
    let mut bytes = bytes.to_vec();
    match bytes.first_mut() {
        Some(first) => *first ^= 1,
        None => bytes = vec![7; 32],
    }
    bytes.into()
}

impl State {
    fn answer(
        &mut self,
        delivery: pb::Delivery,
        base: &mut u64,
        asked: &[u64],
    ) -> Option<Result<pb::Answers, Status>> {
        match self.lie {
            Lie::Silent => return None,
            Lie::NoBase64 => return Some(Err(no_base64())),
            Lie::Abusive => {
                let said = "first line\nERROR a forged line 张某某 520624190001010011";
                return Some(Err(Status::unavailable(said)));
            }
            _ => {}
        }
        let theirs = self.sender.verify(&delivery.checkpoint).unwrap();
        let shown = *base;
        let mut answers = Vec::new();
        let later = |dispatch: &pb::DeliveredDispatch| matches!(self.lie, Lie::NotYetBelow(index) if dispatch.index < index);
        let put_off: Vec<bool> = delivery.dispatches.iter().map(later).collect();
        for dispatch in delivery.dispatches.iter().filter(|it| !later(it)) {
            let entry = self.entry(dispatch, &theirs);
            let entry = entry.encode();
            let index = self.forger.append(entry.clone());
            answers.push((index, entry));
        }
        let mut answers = answers.into_iter().map(|(index, entry)| pb::Answer {
            index,
            entry: entry.into(),
            inclusion: self.forger.inclusion(index).into(),
            not_yet: 0,
        });
        let not_yet = pb::Answer {
            not_yet: pb::NotYet::Untimely.into(),
            ..pb::Answer::default()
        };
        let answers: Vec<_> = put_off
            .iter()
            .map(|later| {
                if *later {
                    not_yet.clone()
                } else {
                    answers.next().unwrap()
                }
            })
            .collect();
        let cosigned = self
            .forger
            .signer
            .cosign(theirs.checkpoint(), SystemClock.now().seconds());
        let mut said = pb::Answers {
            sequence: delivery.sequence,
            checkpoint: self.forger.head().note().as_bytes().to_vec().into(),
            consistency: self.forger.consistency(shown).into(),
            cosigned_at_s: cosigned.at_seconds,
            cosignature: cosigned.signature.to_vec().into(),
            answers,
            linked: self.forger.links(asked),
            verified_size: 0,
        };
        self.lie_about(&mut said, shown);
        if self.lie == Lie::None {
            self.last = said.clone();
        }
        *base = self.forger.size();
        if matches!(
            self.lie,
            Lie::None | Lie::Refuse | Lie::EndOfTime | Lie::NotYetBelow(_)
        ) {
            self.verified = pb::VerifiedTree {
                origin: theirs.origin().to_owned(),
                size: theirs.size(),
                root: theirs.root().as_bytes().to_vec().into(),
            };
        }
        Some(Ok(said))
    }

    fn entry(
        &self,
        dispatch: &pb::DeliveredDispatch,
        theirs: &yichuan::note::SignedCheckpoint,
    ) -> Entry {
        let mut received = Received {
            sender_entry: dispatch.entry.to_vec(),
            sender_index: dispatch.index,
            inclusion: merkle::proof_from_bytes(&dispatch.inclusion).unwrap(),
            checkpoint: Checkpoint::clone(theirs.checkpoint()),
            signature: *theirs.signature(),
        };
        match self.lie {
            Lie::OtherDispatch => received.sender_entry = self.forger.leaves[0].clone(),
            Lie::OtherIndex => received.sender_index += 1,
            Lie::LeavesOut => received.sender_entry.clear(),
            Lie::ForeignCheckpoint => received.checkpoint.root = merkle::leaf_hash(b"never"),
            Lie::WrongSenderProof => {
                received.inclusion = vec![merkle::leaf_hash(b"never"); received.inclusion.len()];
            }
            _ => {}
        }
        let kind = match self.lie {
            Lie::Refuse | Lie::LeavesOut => Kind::DispatchRefused {
                received,
                reason: Refusal::NotAllowed,
            },
            _ => Kind::DispatchReceived(received),
        };
        let mut entry = self.forger.own_entry(kind);
        if self.lie == Lie::OtherName {
            entry.cause.principal = "spiffe://330000.yichuan/node".parse().unwrap();
        }
        if self.lie == Lie::EndOfTime {
            entry.time = Timestamp::from_millis(u64::MAX);
        }
        entry
    }

    fn lie_about(&self, said: &mut pb::Answers, shown: u64) {
        let forger = &self.forger;
        let note = |head: yichuan::note::SignedCheckpoint| head.note().as_bytes().to_vec().into();
        match self.lie {
            Lie::WrongInclusion => said.answers[0].inclusion = flip(&said.answers[0].inclusion),
            Lie::OtherLeaf => said.answers[0].entry = forger.leaves[0].clone().into(),
            Lie::WrongCosignature => said.cosignature = flip(&said.cosignature),
            Lie::OtherSequence => said.sequence += 1,
            Lie::Replayed => {
                let sequence = said.sequence;
                *said = self.last.clone();
                said.sequence = sequence;
            }
            Lie::FullOfNothing => said.answers = vec![pb::Answer::default(); 100_000],
            Lie::TooFew => drop(said.answers.pop()),
            Lie::TooMany => said.answers.push(said.answers[0].clone()),
            Lie::RolledBack => {
                said.checkpoint = note(forger.head_at(shown - 1));
                said.consistency.clear();
            }
            Lie::Forked => {
                said.checkpoint = note(forger.fork_at(shown, 1));
                said.consistency.clear();
            }
            Lie::SameHeadBadProof => {
                said.checkpoint = note(forger.head_at(shown));
                said.consistency = vec![7; 32].into();
            }
            Lie::Inconsistent => said.checkpoint = note(forger.fork_at(shown + 5, 2)),
            Lie::OtherKey => said.checkpoint = note(Forger::new(forger.of).head()),
            Lie::Garbage => {
                said.answers[0].index = u64::MAX;
                said.cosigned_at_s = u64::MAX;
            }
            _ => {}
        }
    }
}

impl Recipient {
    /// Listens with the development certificate of `forger`'s jurisdiction for the node of `caller`.
    pub(crate) async fn listen(forger: Forger, caller: &str, sender: VerifierKey) -> Self {
        let of = code(forger.of);
        let ca = dev::ca(of).unwrap();
        let authority = Authority::parse(ca.certificate.as_bytes()).unwrap();
        let crl = Crl::parse(ca.crl.as_bytes(), &authority).unwrap();
        let node = dev::identity(of, "node").unwrap();
        let node = Credentials::from_pem(node.certificate.as_bytes(), node.key.as_bytes()).unwrap();
        let other = dev::ca(code(caller)).unwrap();
        let trust = TrustStore::new(authority, Some(crl))
            .unwrap()
            .with(
                Authority::parse(other.certificate.as_bytes()).unwrap(),
                None,
            )
            .unwrap();
        let limits = GateLimits {
            connections: 64,
            handshake_timeout: Duration::from_secs(5),
            ..GateLimits::default()
        };
        let gate = Gate::new(
            Arc::new(node),
            Arc::new(trust),
            limits,
            Arc::new(SystemClock),
        )
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let incoming = gate.incoming(listener, &tasks, stop.clone()).unwrap();
        let (seen, watching) = watch::channel(Seen::default());
        let state = Arc::new(Mutex::new(State {
            forger,
            lie: Lie::None,
            witnessed: Vec::new(),
            verified: nothing_verified(),
            last: pb::Answers::default(),
            sender,
        }));
        let service = Service {
            state: Arc::clone(&state),
            seen: Arc::new(seen),
            tasks: tasks.clone(),
        };
        let router = tonic::transport::Server::builder()
            .add_service(pb::exchange_server::ExchangeServer::new(service));
        let ending = stop.clone();
        tasks.spawn(async move {
            serve(&gate, incoming, ending, Duration::ZERO, |incoming, stop| {
                router.serve_with_incoming_shutdown(incoming, stop)
            })
            .await
        });
        Self {
            state,
            endpoint: endpoint.parse().unwrap(),
            seen: watching,
            stop,
        }
    }

    /// From now on it tells this lie.
    pub(crate) fn tell(&self, lie: Lie) {
        self.state.lock().unwrap().lie = lie;
    }

    /// Waits until something has been seen of it.
    pub(crate) async fn until(&mut self, enough: impl Fn(&Seen) -> bool) {
        super::world::within(self.seen.wait_for(enough))
            .await
            .unwrap();
    }
}

impl Drop for Recipient {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
