//! A sender that lies about what it sent.

use super::{
    heard::Heard,
    hostile::{Forger, Line, Parcel, bringing, hello, saying},
    world::{
        COUNTY, GUANGDONG, ZHEJIANG, channel, cluster, code, count, entries, honest_traffic_flows,
        introduce, is_evidence, kept, leads_to, verify,
    },
};
use tonic::Code;
use yichuan::{
    cli::demo::cluster::Cluster,
    domain::{DispatchId, LeadFields, LeadStep, Timestamp, Urgency},
    log::Log,
    merkle,
    note::Cosignature,
    record::{DispatchAction, Entry, Kind, Refusal},
    rpc::pb,
    seal::PurgeMonth,
    tls::EndpointUrl,
};

struct World {
    _dir: tempfile::TempDir,
    cluster: Cluster,
    forger: Forger,
    leads: std::vec::IntoIter<LeadFields>,
    others: std::vec::IntoIter<LeadFields>,
}

/// What the sample says of Zhejiang's leads, as leads that point to the county.
fn leads_to_the_county() -> Vec<LeadFields> {
    leads_to(GUANGDONG)
        .into_iter()
        .map(|mut fields| {
            fields.destination_code = COUNTY.to_owned();
            fields.destination_place.clear();
            fields
        })
        .collect()
}

impl World {
    /// The county and Zhejiang, and a Guangdong of which the county has verified something.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cluster = cluster(dir.path(), &[COUNTY, ZHEJIANG]).await;
        let mut forger = Forger::new(GUANGDONG);
        // Nobody listens there.
        let nowhere = "https://127.0.0.1:1".parse().unwrap();
        let card = forger.card(&nowhere);
        let endpoint = cluster.member(COUNTY).config.listen.endpoint.clone();
        introduce(&endpoint, COUNTY, &card).await;
        let mut leads = leads_to_the_county().into_iter();
        let first = forger.lead(COUNTY, &leads.next().unwrap());
        let mut line = Line::open(&endpoint, COUNTY, GUANGDONG, hello())
            .await
            .unwrap();
        let answers = line.deliver(&forger, &[first]).await;
        let mut world = Self {
            _dir: dir,
            cluster,
            forger,
            leads,
            others: leads_to(ZHEJIANG).into_iter(),
        };
        let (_, entry) = world.proved(&answers, 0);
        assert!(matches!(entry.kind, Kind::DispatchReceived(_)));
        world.goes_on().await;
        world
    }

    fn log(&self) -> &Log {
        self.cluster.member(COUNTY).node.log()
    }

    fn endpoint(&self) -> EndpointUrl {
        self.cluster.member(COUNTY).config.listen.endpoint.clone()
    }

    async fn line(&self) -> Line {
        Line::open(&self.endpoint(), COUNTY, GUANGDONG, hello())
            .await
            .unwrap()
    }

    /// One answer, once its proof and the county's cosignature are verified.
    fn proved(&self, answers: &pb::Answers, nth: usize) -> (u64, Entry) {
        let key = self.log().verifier_key();
        let head = key.verify(&answers.checkpoint).unwrap();
        let answer = &answers.answers[nth];
        let inclusion = merkle::proof_from_bytes(&answer.inclusion).unwrap();
        merkle::verify_inclusion(
            &merkle::leaf_hash(&answer.entry),
            answer.index,
            head.size(),
            &inclusion,
            head.root(),
        )
        .unwrap();
        let cosignature = Cosignature {
            at_seconds: answers.cosigned_at_s,
            signature: answers.cosignature.as_ref().try_into().unwrap(),
        };
        key.verify_cosignature(self.forger.head().checkpoint(), &cosignature)
            .unwrap();
        (answer.index, Entry::decode(&answer.entry).unwrap())
    }

    /// The county's log verifies, and it exchanges with Zhejiang.
    async fn goes_on(&mut self) {
        verify(self.log());
        let lead = self.others.next().unwrap();
        honest_traffic_flows(&self.cluster, &lead).await;
    }
}

fn received(log: &Log) -> usize {
    count(log, |kind| matches!(kind, Kind::DispatchReceived(_)))
}

fn flip(bytes: &mut bytes::Bytes) {
    let mut changed = bytes.to_vec();
    changed[0] ^= 1;
    *bytes = changed.into();
}

fn note(head: &yichuan::note::SignedCheckpoint) -> bytes::Bytes {
    head.note().as_bytes().to_vec().into()
}

type Change = fn(&Forger, u64, &mut pb::Delivery);

/// What does not verify is not answered: the stream is given up, and the node has kept nothing of it.
#[tokio::test]
async fn what_does_not_verify_is_given_up() {
    let mut world = World::new().await;
    let lies: [(&str, Code, Change); 17] = [
        ("inclusion", Code::FailedPrecondition, |_, _, d| {
            flip(&mut d.dispatches[0].inclusion);
        }),
        ("index", Code::FailedPrecondition, |_, _, d| {
            d.dispatches[0].index -= 1;
        }),
        ("index beyond", Code::FailedPrecondition, |_, _, d| {
            d.dispatches[0].index = u64::MAX;
        }),
        ("leaf", Code::FailedPrecondition, |forger, _, d| {
            d.dispatches[0].entry = forger.leaves[1].clone().into();
        }),
        ("no leaf", Code::FailedPrecondition, |_, _, d| {
            d.dispatches[0].entry.clear();
        }),
        ("another log's key", Code::FailedPrecondition, |_, _, d| {
            d.checkpoint = note(&Forger::new(GUANGDONG).head());
        }),
        ("changed head", Code::FailedPrecondition, |_, _, d| {
            flip(&mut d.checkpoint);
        }),
        (
            "rolled back",
            Code::FailedPrecondition,
            |forger, base, d| {
                d.checkpoint = note(&forger.head_at(base - 1));
            },
        ),
        ("no consistency", Code::FailedPrecondition, |_, _, d| {
            d.consistency.clear();
        }),
        ("ragged proof", Code::InvalidArgument, |_, _, d| {
            d.consistency = vec![7; 33].into();
        }),
        ("endless proof", Code::InvalidArgument, |_, _, d| {
            d.dispatches[0].inclusion = vec![7; 65 * 32].into();
        }),
        ("sequence gap", Code::InvalidArgument, |_, _, d| {
            d.sequence += 1;
        }),
        ("sequence 0", Code::InvalidArgument, |_, _, d| {
            d.sequence = 0;
        }),
        ("nothing", Code::InvalidArgument, |_, _, d| {
            d.dispatches.clear();
        }),
        ("65 dispatches", Code::InvalidArgument, |_, _, d| {
            d.dispatches = vec![d.dispatches[0].clone(); 65];
        }),
        ("2 MiB of ciphertext", Code::InvalidArgument, |_, _, d| {
            d.dispatches[0].ciphertext = vec![7; 256 * 1024].into();
            d.dispatches = vec![d.dispatches[0].clone(); 8];
        }),
        ("8 MiB", Code::InvalidArgument, |_, _, d| {
            d.dispatches[0].ciphertext = vec![7; 8 << 20].into();
        }),
    ];
    let heard = Heard::listen();
    for (what, expected, change) in lies {
        let parcel = {
            let lead = world.leads.next().unwrap();
            world.forger.lead(COUNTY, &lead)
        };
        let (before, evidence) = (kept(world.log()), count(world.log(), is_evidence));
        let mut line = world.line().await;
        let base = line.base;
        heard.take();
        let refused = line
            .try_deliver(&world.forger, std::slice::from_ref(&parcel), |delivery| {
                change(&world.forger, base, delivery);
            })
            .await
            .unwrap_err();
        assert_eq!(refused.code(), expected, "{what}: {refused:?}");
        assert!(
            heard.take().iter().any(|said| said.contains_key("fault")),
            "{what} is not logged"
        );
        let unproved = what == "no consistency";
        if unproved {
            // Two heads that the partner does not reconcile are kept, and only they.
            assert_eq!(count(world.log(), is_evidence), evidence + 1);
        } else {
            assert!(kept(world.log()) == before, "{what} left a trace");
        }
        // The honest thing is still taken, once.
        let had = received(world.log());
        let mut line = world.line().await;
        let answers = line.deliver(&world.forger, &[parcel]).await;
        let (_, entry) = world.proved(&answers, 0);
        assert!(
            matches!(entry.kind, Kind::DispatchReceived(_)),
            "{what}: {:?}",
            entry.kind.as_str()
        );
        assert_eq!(received(world.log()), had + 1);
    }
    world.goes_on().await;
    world.cluster.stop().await;
}

/// Streams that are not even streams.
#[tokio::test]
async fn a_stream_that_makes_no_sense_is_given_up() {
    let mut world = World::new().await;
    let heard = Heard::listen();
    let before = kept(world.log());
    let is_logged = |what: &str| {
        let said = heard.take();
        assert!(
            said.iter()
                .any(|event| event.contains_key("fault") || event.contains_key("reason")),
            "{what}: {said:?}"
        );
    };
    let open = |hello| {
        let endpoint = world.endpoint();
        async move { Line::open(&endpoint, COUNTY, GUANGDONG, hello).await }
    };

    let mut line = open(hello()).await.unwrap();
    line.send(saying(hello())).await;
    assert_eq!(
        line.answers().await.unwrap_err().code(),
        Code::InvalidArgument
    );
    is_logged("hello twice");

    let mut line = open(hello()).await.unwrap();
    line.send(pb::RelayRequest { message: None }).await;
    assert_eq!(
        line.answers().await.unwrap_err().code(),
        Code::InvalidArgument
    );
    is_logged("an empty message");

    for (what, expected, changed) in [
        (
            "protocol 2",
            Code::FailedPrecondition,
            pb::RelayHello {
                protocol: 2,
                ..hello()
            },
        ),
        (
            "no tree",
            Code::InvalidArgument,
            pb::RelayHello {
                verified: None,
                ..hello()
            },
        ),
        (
            "no root",
            Code::InvalidArgument,
            pb::RelayHello {
                verified: Some(pb::VerifiedTree::default()),
                ..hello()
            },
        ),
        (
            "65 witnessed",
            Code::InvalidArgument,
            pb::RelayHello {
                witnessed: vec![bytes::Bytes::new(); 65],
                ..hello()
            },
        ),
        (
            "a CRL of 65 KiB",
            Code::InvalidArgument,
            pb::RelayHello {
                crl: vec![0; 65 * 1024].into(),
                ..hello()
            },
        ),
        (
            "a tree that ours never was",
            Code::FailedPrecondition,
            pb::RelayHello {
                verified: Some(pb::VerifiedTree {
                    origin: world.log().origin().to_owned(),
                    size: 2,
                    root: vec![7; 32].into(),
                }),
                ..hello()
            },
        ),
        (
            "a tree larger than ours",
            Code::FailedPrecondition,
            pb::RelayHello {
                verified: Some(pb::VerifiedTree {
                    origin: world.log().origin().to_owned(),
                    size: u64::MAX,
                    root: vec![7; 32].into(),
                }),
                ..hello()
            },
        ),
    ] {
        let refused = open(changed).await.err().unwrap();
        assert_eq!(refused.code(), expected, "{what}");
        is_logged(what);
    }

    // Without a hello.
    let node = channel(&world.endpoint(), COUNTY, GUANGDONG, "node");
    let mut client = pb::exchange_client::ExchangeClient::new(node);
    let delivery = world.forger.delivery(1, 0, &[]);
    let refused = client
        .relay(tokio_stream::iter([bringing(delivery)]))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    is_logged("no hello");

    // Bytes that are no message, behind a good hello.
    let mut line = garbage(&world.endpoint()).await;
    assert!(line.message().await.unwrap().is_some());
    let refused = super::world::within(line.message()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    is_logged("garbage");

    assert!(kept(world.log()) == before);
    world.goes_on().await;
    world.cluster.stop().await;
}

/// Sends a hello, then bytes that are no protobuf.
async fn garbage(endpoint: &EndpointUrl) -> tonic::Streaming<pb::RelayResponse> {
    use bytes::{BufMut as _, Bytes};
    use prost::Message as _;

    #[derive(Clone, Default)]
    struct Raw;
    impl tonic::codec::Encoder for Raw {
        type Item = Bytes;
        type Error = tonic::Status;
        fn encode(
            &mut self,
            item: Bytes,
            to: &mut tonic::codec::EncodeBuf<'_>,
        ) -> Result<(), tonic::Status> {
            to.put(item);
            Ok(())
        }
    }
    impl tonic::codec::Decoder for Raw {
        type Item = pb::RelayResponse;
        type Error = tonic::Status;
        fn decode(
            &mut self,
            from: &mut tonic::codec::DecodeBuf<'_>,
        ) -> Result<Option<pb::RelayResponse>, tonic::Status> {
            Ok(pb::RelayResponse::decode(from).ok())
        }
    }
    impl tonic::codec::Codec for Raw {
        type Encode = Bytes;
        type Decode = pb::RelayResponse;
        type Encoder = Self;
        type Decoder = Self;
        fn encoder(&mut self) -> Self {
            Self
        }
        fn decoder(&mut self) -> Self {
            Self
        }
    }

    let node = channel(endpoint, COUNTY, GUANGDONG, "node");
    let mut client = tonic::client::Grpc::new(node);
    client.ready().await.unwrap();
    let messages = [
        Bytes::from(saying(hello()).encode_to_vec()),
        Bytes::from_static(&[0xff; 40]),
    ];
    let path = http::uri::PathAndQuery::from_static("/yichuan.v1.Exchange/Relay");
    client
        .streaming(tonic::Request::new(tokio_stream::iter(messages)), path, Raw)
        .await
        .unwrap()
        .into_inner()
}

type Make = fn(&mut Forger, &LeadFields) -> Parcel;

fn raw(forger: &mut Forger, fields: &LeadFields, leaf: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Parcel {
    let mut parcel = forger.lead(COUNTY, fields);
    parcel.leaf = leaf(parcel.leaf);
    parcel.index = forger.append(parcel.leaf.clone());
    parcel
}

/// What is truly in the sender's log, but cannot be kept, is refused with proof, once and for all.
#[tokio::test]
async fn what_cannot_be_kept_is_refused_with_proof() {
    let mut world = World::new().await;
    let unfit: [(&str, Refusal, Make); 22] = [
        ("to another", Refusal::Misaddressed, |f, l| {
            f.lead(ZHEJIANG, l)
        }),
        ("from another", Refusal::Misaddressed, |f, l| {
            f.lead_but(COUNTY, l, |_, sent| sent.from = code(ZHEJIANG))
        }),
        ("from ourselves", Refusal::Misaddressed, |f, l| {
            f.lead_but(COUNTY, l, |_, sent| sent.from = code(COUNTY))
        }),
        ("in another's name", Refusal::Misaddressed, |f, l| {
            f.lead_but(COUNTY, l, |entry, _| {
                entry.cause.principal = "spiffe://520624.yichuan/officer/001".parse().unwrap();
            })
        }),
        ("without grounds", Refusal::Malformed, |f, l| {
            f.lead_but(COUNTY, l, |entry, _| entry.cause.grounds = None)
        }),
        (
            "a ciphertext with another bit",
            Refusal::PayloadMismatch,
            |f, l| {
                let mut parcel = f.lead(COUNTY, l);
                parcel.ciphertext[20] ^= 1;
                parcel
            },
        ),
        (
            "a ciphertext cut short",
            Refusal::PayloadMismatch,
            |f, l| {
                let mut parcel = f.lead(COUNTY, l);
                parcel.ciphertext.pop();
                parcel
            },
        ),
        ("no ciphertext", Refusal::PayloadMismatch, |f, l| {
            let mut parcel = f.lead(COUNTY, l);
            parcel.ciphertext.clear();
            parcel
        }),
        ("another key", Refusal::PayloadMismatch, |f, l| {
            let mut parcel = f.lead(COUNTY, l);
            parcel.key[0] ^= 1;
            parcel
        }),
        ("a key of 31 bytes", Refusal::PayloadMismatch, |f, l| {
            let mut parcel = f.lead(COUNTY, l);
            parcel.key.pop();
            parcel
        }),
        ("another commitment", Refusal::PayloadMismatch, |f, l| {
            f.lead_but(COUNTY, l, |_, sent| sent.commitment[0] ^= 1)
        }),
        (
            "a payload sealed for another dispatch",
            Refusal::PayloadMismatch,
            |f, l| {
                f.lead_but(COUNTY, l, |_, sent| {
                    sent.dispatch_id = DispatchId::new(Timestamp::from_millis(7));
                })
            },
        ),
        ("purged nine years on", Refusal::InvalidContent, |f, l| {
            f.lead_but(COUNTY, l, |entry, sent| {
                sent.terms.purge_month = PurgeMonth::years_after(entry.time, 9);
            })
        }),
        ("purged long ago", Refusal::InvalidContent, |f, l| {
            f.lead_but(COUNTY, l, |_, sent| {
                sent.terms.purge_month = PurgeMonth::new(202_001).unwrap();
            })
        }),
        ("a lead to elsewhere", Refusal::InvalidContent, |f, l| {
            let mut elsewhere = l.clone();
            elsewhere.destination_code = ZHEJIANG.to_owned();
            f.lead(COUNTY, &elsewhere)
        }),
        ("a lead without facts", Refusal::InvalidContent, |f, l| {
            let mut hollow = l.clone();
            hollow.facts.clear();
            f.lead(COUNTY, &hollow)
        }),
        (
            "an urgency that the payload does not know",
            Refusal::InvalidContent,
            |f, l| {
                f.lead_but(COUNTY, l, |_, sent| {
                    sent.urgency = match sent.urgency {
                        Urgency::Normal => Urgency::Urgent,
                        Urgency::Urgent | Urgency::Critical => Urgency::Normal,
                    };
                    sent.terms.sign_within_s = yichuan::domain::sign_within_seconds(sent.urgency);
                })
            },
        ),
        (
            "an answer with a lead in it",
            Refusal::InvalidContent,
            |f, l| {
                f.lead_but(COUNTY, l, |_, sent| {
                    sent.action = DispatchAction::Lead(LeadStep::Sign);
                })
            },
        ),
        (
            "an entry that is no dispatch",
            Refusal::Malformed,
            |f, l| {
                let other = f.leaves[0].clone();
                raw(f, l, |_| other)
            },
        ),
        (
            "an entry with something behind it",
            Refusal::Malformed,
            |f, l| {
                raw(f, l, |mut leaf| {
                    // Field 99, varint 1: unknown here, so another reader might take it to mean something.
                    leaf.extend([0x98, 0x06, 0x01]);
                    leaf
                })
            },
        ),
        ("an empty entry", Refusal::Malformed, |f, l| {
            raw(f, l, |_| Vec::new())
        }),
        ("an entry of 1,025 bytes", Refusal::Malformed, |f, l| {
            raw(f, l, |mut leaf| {
                leaf.resize(1_025, 0);
                leaf
            })
        }),
    ];
    for (what, expected, make) in unfit {
        let had = received(world.log());
        let lead = world.leads.next().unwrap();
        let parcel = make(&mut world.forger, &lead);
        let mut line = world.line().await;
        let answers = line.deliver(&world.forger, std::slice::from_ref(&parcel)).await;
        let (index, entry) = world.proved(&answers, 0);
        let Kind::DispatchRefused {
            received: what_came,
            reason,
        } = entry.kind
        else {
            panic!("{what} is {}", entry.kind.as_str());
        };
        assert_eq!(reason, expected, "{what}");
        assert_eq!(what_came.sender_index, parcel.index, "{what}");
        if parcel.leaf.len() <= 1_024 {
            assert_eq!(what_came.sender_entry, parcel.leaf, "{what}");
        } else {
            assert!(what_came.sender_entry.is_empty());
        }
        assert_eq!(received(world.log()), had, "{what}");
        // Asked again, it is the same refusal.
        let size = world.log().checkpoint().size();
        let mut line = world.line().await;
        let answers = line.deliver(&world.forger, &[parcel]).await;
        assert_eq!(world.proved(&answers, 0).0, index, "{what}");
        assert_eq!(world.log().checkpoint().size(), size, "{what}");
    }
    world.goes_on().await;
    world.cluster.stop().await;
}

#[tokio::test]
async fn a_dispatch_or_a_lead_that_came_before_with_other_words_is_a_conflict() {
    let mut world = World::new().await;
    let lead = world.leads.next().unwrap();
    let first = world.forger.lead(COUNTY, &lead);
    let mut line = world.line().await;
    let answers = line.deliver(&world.forger, std::slice::from_ref(&first)).await;
    let (kept_at, entry) = world.proved(&answers, 0);
    assert!(matches!(entry.kind, Kind::DispatchReceived(_)));

    let changed = {
        let mut changed = lead.clone();
        changed.remarks = "另有补充".to_owned();
        changed
    };
    let same_id = world.forger.lead_but(COUNTY, &lead, |_, sent| {
        sent.dispatch_id = first.sent.dispatch_id;
    });
    let mut sealed_for_it = same_id.clone();
    // Its payload too is for this dispatch: all is well with it, but that it came before.
    let again = {
        let id = first.sent.dispatch_id;
        let plaintext = yichuan::record::Plaintext::new(&yichuan::record::Content::Lead(Box::new(
            changed.clone(),
        )))
        .unwrap();
        let sealed = yichuan::seal::seal(&plaintext.to_bytes(), id).unwrap();
        let parcel = world.forger.lead_but(COUNTY, &changed, |_, sent| {
            sent.dispatch_id = id;
            sent.ciphertext_sha256 = sealed.sha256;
            sent.ciphertext_length = u32::try_from(sealed.ciphertext.len()).unwrap();
            sent.commitment = plaintext.commitment();
        });
        sealed_for_it.ciphertext = sealed.ciphertext;
        sealed_for_it.key = sealed.key.expose().to_vec();
        Parcel {
            ciphertext: sealed_for_it.ciphertext.clone(),
            key: sealed_for_it.key.clone(),
            ..parcel
        }
    };
    let same_number = world.forger.lead(COUNTY, &changed);
    let same_lead = world.forger.lead(COUNTY, &lead);
    let same_record = {
        let other = world.leads.next().unwrap();
        world
            .forger
            .lead_but(COUNTY, &other, |_, sent| sent.record = first.sent.record)
    };
    for (parcel, expected) in [
        (again, Refusal::Conflict),
        (same_number, Refusal::ChangedContent),
        (same_lead, Refusal::Conflict),
        (same_record, Refusal::Conflict),
    ] {
        let answers = line.deliver(&world.forger, &[parcel]).await;
        let (_, entry) = world.proved(&answers, 0);
        assert!(
            matches!(entry.kind, Kind::DispatchRefused { reason, .. } if reason == expected),
            "{expected:?}"
        );
    }
    assert_eq!(received(world.log()), 2);

    // Twice in one delivery, and under its old index: one entry.
    let answers = line.deliver(&world.forger, &[first.clone(), first]).await;
    assert_eq!(world.proved(&answers, 0).0, kept_at);
    assert_eq!(world.proved(&answers, 1).0, kept_at);
    world.goes_on().await;
    world.cluster.stop().await;
}

/// Whoever got a receipt must not get a refusal of the same dispatch too, to show whichever suits.
#[tokio::test]
async fn an_answer_once_given_stands() {
    let mut world = World::new().await;
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let mut line = world.line().await;
    let answers = line.deliver(&world.forger, std::slice::from_ref(&parcel)).await;
    let (received_at, _) = world.proved(&answers, 0);
    let spoiled = Parcel {
        ciphertext: vec![7; parcel.ciphertext.len()],
        ..parcel.clone()
    };
    for delivered in [spoiled.clone(), parcel.clone()] {
        let answers = line.deliver(&world.forger, &[delivered]).await;
        assert_eq!(world.proved(&answers, 0).0, received_at);
    }

    // The other way round: what was refused stays refused.
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let spoiled = Parcel {
        key: vec![7; 32],
        ..parcel.clone()
    };
    let answers = line.deliver(&world.forger, &[spoiled]).await;
    let (refused_at, _) = world.proved(&answers, 0);
    let answers = line.deliver(&world.forger, &[parcel]).await;
    assert_eq!(world.proved(&answers, 0).0, refused_at);
    let refusals = count(world.log(), |kind| {
        matches!(kind, Kind::DispatchRefused { .. })
    });
    assert_eq!(refusals, 1);
    world.goes_on().await;
    world.cluster.stop().await;
}

#[tokio::test]
async fn evidence_of_forks_is_kept_and_bounded() {
    let mut world = World::new().await;
    let base = world.line().await.base;
    // The same head with a proof of nothing contradicts nothing.
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let mut line = world.line().await;
    let same = note(&world.forger.head_at(base));
    line.try_deliver(&world.forger, std::slice::from_ref(&parcel), |delivery| {
        delivery.checkpoint = same;
        delivery.consistency = vec![7; 32].into();
    })
    .await
    .unwrap_err();
    assert_eq!(count(world.log(), is_evidence), 0);

    for salt in 1..=12 {
        for _ in 0..2 {
            let mut line = world.line().await;
            let fork = note(&world.forger.fork_at(base, salt));
            line.try_deliver(&world.forger, std::slice::from_ref(&parcel), |delivery| {
                delivery.checkpoint = fork;
                delivery.consistency.clear();
            })
            .await
            .unwrap_err();
        }
        assert_eq!(count(world.log(), is_evidence), usize::from(salt.min(8)));
    }
    let key = world.forger.signer.verifier_key();
    for entry in entries(world.log()) {
        if let Kind::EvidenceKept {
            jurisdiction,
            first,
            second,
            shown_by,
        } = entry.kind
        {
            assert_eq!(jurisdiction, code(GUANGDONG));
            assert_eq!(shown_by, None);
            key.verify_signature(&first.0, &first.1).unwrap();
            key.verify_signature(&second.0, &second.1).unwrap();
            assert_eq!(first.0.size, second.0.size);
            assert_ne!(first.0.root, second.0.root);
        }
    }
    world.goes_on().await;
    world.cluster.stop().await;
}

/// The newest stream counts. What still comes on an older one is not taken.
#[tokio::test]
async fn a_newer_stream_takes_over() {
    let mut world = World::new().await;
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let mut older = world.line().await;
    let mut newer = world.line().await;
    let before = kept(world.log());
    let refused = older
        .try_deliver(&world.forger, std::slice::from_ref(&parcel), |_| {})
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(kept(world.log()) == before);
    newer.deliver(&world.forger, &[parcel]).await;
    assert_eq!(received(world.log()), 2);
    world.goes_on().await;
    world.cluster.stop().await;
}
