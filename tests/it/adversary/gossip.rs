//! Two partners compare what a third has shown each of them.

use super::{
    hostile::{Forger, Line, hello},
    recipient::Recipient,
    world::{
        COUNTY, GUANGDONG, ZHEJIANG, code, count, eager, entries, introduce, is_evidence, leads_to,
        start, until, verify,
    },
};
use yichuan::{entry::Kind, rpc::pb};

fn note(head: &yichuan::note::SignedCheckpoint) -> Vec<u8> {
    head.note().as_bytes().to_vec()
}

#[tokio::test]
async fn a_fork_that_another_partner_shows_is_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = start(dir.path(), &[COUNTY], eager()).await;
    let county = cluster.member(COUNTY);
    let (log, endpoint) = (county.node.log(), &county.config.listen.endpoint);
    let nowhere = "https://127.0.0.1:1".parse().unwrap();
    let mut zhejiang = Forger::new(ZHEJIANG);
    introduce(endpoint, COUNTY, &zhejiang.card(&nowhere)).await;

    let mut lead = leads_to(GUANGDONG)[0].clone();
    lead.destination_code = COUNTY.to_owned();
    lead.destination_place.clear();
    let parcel = zhejiang.lead(COUNTY, &lead);
    let mut line = Line::open(endpoint, COUNTY, ZHEJIANG, hello())
        .await
        .unwrap();
    line.deliver(&zhejiang, &[parcel]).await;

    // Guangdong has seen it otherwise, and says so in its welcome when the county calls it.
    let key = log.verifier_key();
    let recipient = Recipient::listen(Forger::new(GUANGDONG), COUNTY, key).await;
    let size = zhejiang.size();
    recipient.state.lock().unwrap().witnessed = vec![
        // The same, an older one, one of nobody's, and nonsense: none of them contradicts anything.
        note(&zhejiang.head()),
        note(&zhejiang.head_at(1)),
        note(&Forger::new(ZHEJIANG).head()),
        b"nonsense".to_vec(),
        note(&zhejiang.fork_at(size, 1)),
    ];
    let guangdong = recipient
        .state
        .lock()
        .unwrap()
        .forger
        .card(&recipient.endpoint);
    introduce(endpoint, COUNTY, &guangdong).await;
    until(log, 1, is_evidence).await;

    // And in the hello when it calls the county: another version still.
    let told = pb::RelayHello {
        witnessed: vec![note(&zhejiang.fork_at(size, 2)).into()],
        ..hello()
    };
    Line::open(endpoint, COUNTY, GUANGDONG, told.clone())
        .await
        .unwrap();
    until(log, 2, is_evidence).await;
    // Told twice it is no news.
    Line::open(endpoint, COUNTY, GUANGDONG, told).await.unwrap();
    assert_eq!(count(log, is_evidence), 2);
    // Nobody bears witness against itself in this way: what Zhejiang says of itself comes with proofs.
    let own = pb::RelayHello {
        witnessed: vec![note(&zhejiang.fork_at(size, 3)).into()],
        ..hello()
    };
    Line::open(endpoint, COUNTY, ZHEJIANG, own).await.unwrap();
    assert_eq!(count(log, is_evidence), 2);

    for entry in entries(log) {
        if let Kind::EvidenceKept {
            jurisdiction,
            first,
            second,
            shown_by,
        } = entry.kind
        {
            assert_eq!(jurisdiction, code(ZHEJIANG));
            assert_eq!(shown_by, Some(code(GUANGDONG)));
            let key = zhejiang.signer.verifier_key();
            key.verify_signature(&first.0, &first.1).unwrap();
            key.verify_signature(&second.0, &second.1).unwrap();
            assert_eq!((first.0.size, second.0.size), (size, size));
            assert_ne!(first.0.root, second.0.root);
        }
    }
    verify(log);
    cluster.stop().await;
}
