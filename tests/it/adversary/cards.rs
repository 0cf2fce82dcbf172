//! A partner that changes its card: for one that breaks what reads it, or to have forgotten what it showed before.

use super::{
    hostile::{Forger, Line, hello},
    sender::World,
    world::{
        COUNTY, GUANGDONG, ZHEJIANG, approve, cluster, code, count, eager, entries,
        honest_traffic_flows, kept, leads_to, listed, propose, verify,
    },
};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use std::{path::Path, sync::Arc};
use tonic::Code;
use yichuan::{
    access::{Grounds, Principal, Role},
    cli::demo::cluster::Member,
    config::Config,
    domain::{Clock as _, EntryId},
    entry::{AbandonedLog, Cause, Entry, Kind},
    exchange::LinkState,
    log::{Log, Proposal, TxnError},
    node::{Node, doctor},
    note::LogSigner,
    seal,
    telemetry::{Readiness, SystemClock},
    tls::{Ca, CardFacts, EndpointUrl, NodeCard, dev},
};

fn nowhere() -> EndpointUrl {
    "https://127.0.0.1:1".parse().unwrap()
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], content].concat()
}

/// Guangdong's CA certificate with another signature algorithm inside than outside: one parser takes it, the one that TLS
/// uses does not. Signed with Guangdong's CA key.
fn bad_ca() -> (String, &'static str) {
    let ca = dev::ca(code(GUANGDONG)).unwrap();
    let der = CertificateDer::from_pem_slice(ca.certificate.as_bytes()).unwrap();
    // SEQUENCE, two bytes of length, then the part that is signed, of the same form.
    assert_eq!((der[0], der[1], der[4], der[5]), (0x30, 0x82, 0x30, 0x82));
    let length = 4 + usize::from(u16::from_be_bytes([der[6], der[7]]));
    let mut signed = der[4..4 + length].to_vec();
    let sha256 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let at = signed.windows(10).position(|it| it == sha256).unwrap();
    signed[at + 9] = 0x03;
    let key = PrivatePkcs8KeyDer::from_pem_slice(ca.key.as_bytes()).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.secret_pkcs8_der());
    let signature = key.unwrap().sign(&SystemRandom::new(), &signed).unwrap();
    let algorithm = [&[0x30, 0x0a], &sha256[..]].concat();
    let bits = tlv(0x03, &[&[0], signature.as_ref()].concat());
    let der = tlv(0x30, &[signed, algorithm, bits].concat());
    let text = BASE64.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    let lines = lines.join("\n");
    let pem = format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n");
    (pem, ca.key)
}

fn bad_card(vkey: &str) -> NodeCard {
    let (certificate, key) = bad_ca();
    let facts = CardFacts {
        name: "x",
        endpoint: &nowhere(),
        vkey,
    };
    let ca = Ca::from_pem(&certificate, key).unwrap();
    NodeCard::make(&ca, &facts, &SystemClock).unwrap()
}

/// Writes what an earlier program wrote: it approved the card without building what it is used for. Nothing follows.
pub(crate) async fn approved_unchecked(log: &Log, card: &NodeCard) {
    let by = |role, number: &str| Cause {
        principal: Principal::person(code(COUNTY), role, number).unwrap(),
        grounds: Some(Grounds::parse("supervision", "campaign:520624-2026-01").unwrap()),
    };
    let bytes = card.as_str().as_bytes().to_vec();
    let approved = Kind::PartnerApproved {
        jurisdiction: card.jurisdiction(),
        card_sha256: seal::sha256(&bytes),
        abandoned: None,
    };
    let both = [
        (
            by(Role::Admin, "001"),
            Kind::PartnerProposed { card: bytes },
        ),
        (by(Role::Supervisor, "001"), approved),
    ];
    let written = log.propose(Proposal::new(move |txn| {
        for (cause, kind) in both {
            let (time, id) = (txn.now(), EntryId::new(SystemClock.now()));
            let entry = Entry {
                time,
                id,
                cause,
                kind,
            };
            txn.append(entry.encode())?;
        }
        Ok::<_, TxnError>(())
    }));
    written.await.unwrap();
}

#[tokio::test]
async fn regression_a_card_whose_ca_tls_refuses_is_refused_before_there_is_an_entry() {
    let mut world = World::new().await;
    let card = bad_card(&world.forger.signer.verifier_key().to_string());
    let before = kept(world.log());
    let refused = propose(&world.endpoint(), COUNTY, &card).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    assert!(kept(world.log()) == before);
    // A draft from before it was checked is not approved either.
    let log = world.log().clone();
    let draft = Entry {
        time: SystemClock.now(),
        id: EntryId::new(SystemClock.now()),
        cause: Cause {
            principal: Principal::person(code(COUNTY), Role::Admin, "001").unwrap(),
            grounds: Some(Grounds::parse("supervision", "campaign:520624-2026-01").unwrap()),
        },
        kind: Kind::PartnerProposed {
            card: card.as_str().as_bytes().to_vec(),
        },
    };
    let drafted = log.propose(Proposal::new(move |txn| {
        let time = txn.now();
        txn.append(Entry { time, ..draft }.encode()).map(drop)
    }));
    drafted.await.unwrap();
    let before = kept(&log);
    let endpoint = world.endpoint();
    let approving = approve(&endpoint, COUNTY, &card, (&["ca"], ""));
    let refused = approving.await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    assert!(kept(&log) == before);
    world.goes_on().await;
    world.line().await;
}

/// Whose store it is is sound, and who is left out is said all the same.
fn is_said_to_be_left_out(config: &Config, scratch: &Path) {
    let found = doctor::examine(config, scratch, |_, _| {}).unwrap();
    let said = found.findings.iter();
    let said = said.filter(|it| it.part == doctor::Part::Partners);
    let said: Vec<_> = said.map(|it| it.what.as_str()).collect();
    assert!(said.join("").contains(GUANGDONG), "{:?}", found.findings);
    assert!(found.is_sound(), "{:?}", found.findings);
}

#[tokio::test]
async fn regression_a_bad_card_that_is_approved_already_stops_neither_the_node_nor_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = cluster(dir.path(), &[COUNTY, ZHEJIANG]).await;
    let county = cluster.member(COUNTY);
    let endpoint = county.config.listen.endpoint.clone();
    let vkey = Forger::new(GUANGDONG).signer.verifier_key().to_string();
    approved_unchecked(county.node.log(), &bad_card(&vkey)).await;
    let mut leads = leads_to(ZHEJIANG).into_iter();

    // What changes of others is followed, and one's own files are read again.
    let newer = cluster.card(ZHEJIANG).unwrap();
    propose(&endpoint, COUNTY, &newer).await.unwrap();
    approve(&endpoint, COUNTY, &newer, (&[], "")).await.unwrap();
    county.node.reload(&county.config).await.unwrap();
    honest_traffic_flows(&cluster, &leads.next().unwrap()).await;
    assert!(
        !listed(&endpoint, COUNTY, GUANGDONG)
            .await
            .left_out
            .is_empty()
    );

    cluster.stop().await;
    let scratch = dir.path().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let (mut endpoints, mut nodes) = (Vec::new(), Vec::new());
    for Member { config, node, .. } in cluster.into_members() {
        drop(node);
        if nodes.is_empty() {
            is_said_to_be_left_out(&config, &scratch);
        }
        let node = Node::start_with(&config, Arc::new(SystemClock), eager()).await;
        endpoints.push(config.listen.endpoint.clone());
        nodes.push(node.unwrap());
    }
    let Readiness::Warned(warnings) = (nodes[0].probe())() else {
        panic!("nobody is told that a partner is left out");
    };
    assert!(warnings[0].contains(GUANGDONG), "{warnings:?}");
    assert!(
        !listed(&endpoints[0], COUNTY, GUANGDONG)
            .await
            .left_out
            .is_empty()
    );
    let lead = leads.next().unwrap();
    let pushed = super::world::push(&endpoints[0], COUNTY, &[lead]).await;
    super::world::until(
        nodes[0].log(),
        1,
        super::world::receipt_for(pushed[0].index),
    )
    .await;
    let up = nodes[0].links().get(&code(ZHEJIANG)).cloned();
    assert_eq!(up, Some(LinkState::Up));
    verify(nodes[0].log());
    for node in nodes {
        node.stop().await;
    }
}

/// A card for another log of Guangdong, or for the same.
fn card_of(signer: &LogSigner) -> NodeCard {
    super::world::card(GUANGDONG, &signer.verifier_key().to_string(), &nowhere())
}

#[tokio::test]
async fn regression_a_partner_that_swaps_its_cards_has_nothing_forgotten() {
    let mut world = World::new().await;
    let endpoint = world.endpoint();
    let verified = world.forger.size();
    let first = card_of(&world.forger.signer);
    let other = LogSigner::generate("440000.yichuan/log/2").unwrap();
    let second = card_of(&other);
    propose(&endpoint, COUNTY, &second).await.unwrap();

    // Another log is not taken by the way: what it costs is named, and what changes.
    let before = kept(world.log());
    let new_log = "440000.yichuan/log/2";
    for (said, why) in [
        ((&[][..], ""), "another log"),
        ((&["key", "origin"][..], ""), "another log"),
        (
            (&["key", "origin"][..], "440000.yichuan/log/3"),
            "another log",
        ),
        ((&["key"][..], new_log), "changes: key,origin"),
        (
            (&["key", "ca", "origin"][..], new_log),
            "changes: key,origin",
        ),
    ] {
        let refused = approve(&endpoint, COUNTY, &second, said).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{said:?}");
        assert!(refused.message().contains(why), "{refused:?}");
    }
    assert!(kept(world.log()) == before);
    let naming = (&["key", "origin"][..], new_log);
    approve(&endpoint, COUNTY, &second, naming).await.unwrap();
    let approved = entries(world.log())
        .into_iter()
        .rev()
        .find(|it| matches!(it.kind, Kind::PartnerApproved { .. }));
    let Kind::PartnerApproved { abandoned, .. } = approved.unwrap().kind else {
        unreachable!()
    };
    let given_up: AbandonedLog = abandoned.unwrap();
    assert_eq!(given_up.origin, "440000.yichuan/log/1");
    assert_eq!(given_up.size, verified);
    assert_eq!(given_up.root, *world.forger.head().root());

    // The card from before is no way back.
    let refused = propose(&endpoint, COUNTY, &first).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("no older"), "{refused:?}");

    // A newer one of the first log is, and finds all that was verified of it, also by another process.
    let third = card_of(&world.forger.signer);
    propose(&endpoint, COUNTY, &third).await.unwrap();
    let back = (&["key", "origin"][..], "440000.yichuan/log/1");
    approve(&endpoint, COUNTY, &third, back).await.unwrap();
    assert_eq!(world.line().await.base, verified);
    world.goes_on().await;
    let county = world.restarted().await;
    let mut line = county.line().await;
    assert_eq!(line.base, verified, "what was verified is forgotten");
    // Under the same key, a log that lost what it had shown.
    let mut emptied = county.forger.twin();
    emptied.leaves.truncate(1);
    let lead = leads_to(GUANGDONG).remove(0);
    let parcel = emptied.lead(COUNTY, &lead);
    emptied.leaves.truncate(2);
    line.base = 0;
    let refused = line
        .try_deliver(&emptied, &[parcel], |delivery| delivery.linked.clear())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    assert_eq!(
        count(county.node.log(), |kind| matches!(
            kind,
            Kind::DispatchReceived(_)
        )),
        1
    );
    county.node.stop().await;
}

#[tokio::test]
async fn regression_a_stream_that_is_open_does_not_keep_the_card_that_was_replaced() {
    let world = World::new().await;
    let endpoint = world.endpoint();
    let mut line = world.line().await;
    let elsewhere = "https://127.0.0.1:2".parse().unwrap();
    let moved = world.forger.card(&elsewhere);
    propose(&endpoint, COUNTY, &moved).await.unwrap();
    approve(&endpoint, COUNTY, &moved, (&["endpoint"], ""))
        .await
        .unwrap();
    let ended = line.answers().await.unwrap_err();
    assert_eq!(ended.code(), Code::FailedPrecondition, "{ended:?}");
    let again = Line::open(&endpoint, COUNTY, GUANGDONG, hello())
        .await
        .unwrap();
    assert_eq!(again.base, world.forger.size());
}

/// A delivery that was queued behind the entry that replaced its card became an entry all the same.
#[tokio::test]
async fn regression_what_comes_under_a_card_is_kept_only_while_that_card_is_in_force() {
    let mut world = World::new().await;
    let lead = world.leads.next().unwrap();
    let parcel = world.forger.lead(COUNTY, &lead);
    let mut line = world.line().await;
    let elsewhere = "https://127.0.0.1:2".parse().unwrap();
    // The stream does not hear of it.
    approved_unchecked(world.log(), &world.forger.card(&elsewhere)).await;
    let before = kept(world.log());
    let delivered = line.try_deliver(&world.forger, std::slice::from_ref(&parcel), |_| {});
    let refused = delivered.await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    assert!(kept(world.log()) == before);
    world.goes_on().await;
}
