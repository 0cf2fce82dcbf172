//! What holds between nodes whatever breaks between them. Real nodes, real TLS; connections are cut and nodes stopped.

mod wire;

use crate::common::{heard, world};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use wire::Wire;
use world::{
    COUNTY, GUANGDONG, ZHEJIANG, card, channel, cluster, code, count, eager, entries, introduce,
    kept, leads_to, leaves, push, receipt_for, rows, start, until, verify,
};
use yichuan::{
    access::Purpose,
    cli::demo::cluster::{Cluster, Member, grounds, write_node},
    config::Config,
    entry::{Entry, Kind, PartnerProof, Received},
    exchange::{Outbox, Vault},
    log::{Closure, Log, LogHealth, LogOptions, OpenError, Proposal, TxnError},
    merkle,
    node::{Node, StartError, doctor},
    note::{Cosignature, LogSigner, VerifierKey},
    rpc::pb,
    store::{KeyFile, MemoryStore, OpenStoreError, Row},
    telemetry::{Readiness, SystemClock},
    tls::NodeCard,
};

fn is_received(kind: &Kind) -> bool {
    matches!(kind, Kind::DispatchReceived(_))
}

fn waiting(log: &Log, to: &str) -> usize {
    Outbox::waiting(&log.reader(), code(to), 1_000).unwrap()
}

#[tokio::test]
async fn i7_the_same_dispatch_twice_is_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = start(dir.path(), &[COUNTY, GUANGDONG], eager()).await;
    let (county, guangdong) = (cluster.member(COUNTY), cluster.member(GUANGDONG));
    // Between them lies a wire that can fail in one direction.
    let wire = Wire::to(guangdong.node.address()).await;
    let through = card(GUANGDONG, &guangdong.vkey, &wire.endpoint);
    introduce(&county.config.listen.endpoint, COUNTY, &through).await;
    introduce(
        &guangdong.config.listen.endpoint,
        GUANGDONG,
        &cluster.card(COUNTY).unwrap(),
    )
    .await;
    let leads = leads_to(GUANGDONG);
    let endpoint = &county.config.listen.endpoint;
    let first = push(endpoint, COUNTY, &leads[..1]).await;
    until(county.node.log(), 1, receipt_for(first[0].index)).await;

    for (lost, lead) in (1..).zip(&leads[1..4]) {
        // The recipient commits, and its receipt is lost on the way.
        wire.lose_answers();
        let pushed = push(endpoint, COUNTY, std::slice::from_ref(lead)).await;
        until(guangdong.node.log(), lost + 1, is_received).await;
        let answered = entries(guangdong.node.log()).iter().rposition(|entry| {
            matches!(&entry.kind, Kind::DispatchReceived(r) if r.sender_index == pushed[0].index)
        });
        assert_eq!(waiting(county.node.log(), GUANGDONG), 1);
        assert_eq!(count(county.node.log(), receipt_for(pushed[0].index)), 0);
        let before = kept(guangdong.node.log());
        wire.mend();

        // On a new stream the same entry answers, and one receipt is logged.
        until(county.node.log(), 1, receipt_for(pushed[0].index)).await;
        let receipts: Vec<u64> = entries(county.node.log())
            .into_iter()
            .filter_map(|entry| {
                let Kind::ReceiptLogged {
                    sent_index, proof, ..
                } = entry.kind
                else {
                    return None;
                };
                (sent_index == pushed[0].index).then_some(proof.partner_index)
            })
            .collect();
        let answered = u64::try_from(answered.unwrap()).unwrap();
        assert_eq!(receipts, [answered]);
        assert!(
            kept(guangdong.node.log()) == before,
            "the repeat left a trace"
        );
        assert_eq!(count(guangdong.node.log(), is_received), lost + 1);
        assert_eq!(waiting(county.node.log(), GUANGDONG), 0);
    }
    receipts_prove(county.node.log(), &[guangdong]);
    verify(guangdong.node.log());
    cluster.stop().await;
}

/// Guangdong answers some of what the county sent, and everybody has partners and policies.
async fn busy(dir: &Path) -> Cluster {
    let cluster = cluster(dir, &[COUNTY, GUANGDONG, ZHEJIANG]).await;
    let county = cluster.member(COUNTY);
    let leads = [&leads_to(GUANGDONG)[..20], &leads_to(ZHEJIANG)[..20]].concat();
    let pushed = push(&county.config.listen.endpoint, COUNTY, &leads).await;
    cluster.settled().await.unwrap();
    let guangdong = cluster.member(GUANGDONG);
    let officer = channel(
        &guangdong.config.listen.endpoint,
        GUANGDONG,
        GUANGDONG,
        "officer-001",
    );
    let mut records = pb::records_client::RecordsClient::new(officer);
    let signed = pb::ActOnRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds(GUANGDONG, Purpose::Screening)),
        action: pb::Action::LeadSign.into(),
        note: "已签收".to_owned(),
        ..Default::default()
    };
    let assessed = pb::ActOnRecordRequest {
        action: pb::Action::LeadAssess.into(),
        outcome: pb::AssessmentOutcome::Unfounded.into(),
        ..signed.clone()
    };
    let returned = pb::ActOnRecordRequest {
        action: pb::Action::LeadReturn.into(),
        return_reason: pb::ReturnReason::SubjectMismatch.into(),
        ..signed.clone()
    };
    for (lead, answers) in [
        (&pushed[0], [&signed, &assessed].as_slice()),
        (&pushed[1], &[&signed]),
        (&pushed[2], &[&signed, &returned]),
    ] {
        for answer in answers {
            let request = pb::ActOnRecordRequest {
                record_id: lead.lead_id.clone(),
                ..(*answer).clone()
            };
            records.act_on_record(request).await.unwrap();
        }
    }
    cluster.settled().await.unwrap();
    refer(&cluster).await;
    cluster
}

/// The county refers two matters to Guangdong, which signs for one and asks to have it supplemented; a third stays a draft.
async fn refer(cluster: &Cluster) {
    let client = |node: &str, who: &str| {
        let channel = cluster.channel(node, node, who).unwrap();
        pb::records_client::RecordsClient::new(channel)
    };
    let open = |kind: pb::RecordKind| pb::OpenReferralRequest {
        grounds: Some(grounds(COUNTY, Purpose::Case)),
        kind: kind.into(),
        to: GUANGDONG.into(),
        referral: Some(pb::Referral {
            title: "协查".into(),
            matter: "核实居住情况".into(),
            subject_name: "钱癸子".into(),
            subject_number: "522225190010142478".into(),
            place_code: "440304".into(),
            substance: "海洛因".into(),
            ..Default::default()
        }),
        urgency: pb::Urgency::Urgent.into(),
        handling: pb::Handling::H0.into(),
    };
    let mut county = client(COUNTY, "officer-001");
    let mut ids = Vec::new();
    for kind in [
        pb::RecordKind::Assistance,
        pb::RecordKind::Transfer,
        pb::RecordKind::Transfer,
    ] {
        let opened = county.open_referral(open(kind)).await.unwrap();
        ids.push(opened.into_inner().record_id);
    }
    let approval = pb::ApproveRecordRequest {
        grounds: Some(grounds(COUNTY, Purpose::Case)),
        record_id: ids[1].clone(),
    };
    let mut supervisor = client(COUNTY, "supervisor-001");
    supervisor.approve_record(approval).await.unwrap();
    cluster.settled().await.unwrap();
    let mut guangdong = client(GUANGDONG, "officer-001");
    for action in [
        pb::Action::ReferralSign,
        pb::Action::ReferralRequestSupplement,
    ] {
        let step = pb::ActOnRecordRequest {
            family: pb::RecordFamily::Referral.into(),
            grounds: Some(grounds(GUANGDONG, Purpose::Case)),
            record_id: ids[0].clone(),
            action: action.into(),
            note: "见附注".into(),
            ..Default::default()
        };
        guangdong.act_on_record(step).await.unwrap();
    }
    cluster.settled().await.unwrap();
}

/// The views of a member, made anew from its entries and what `keep` leaves of its primary rows.
async fn rebuilt(member: &Member, keep: impl Fn(&Row) -> bool) -> Vec<Row> {
    let file = KeyFile::at(member.config.data.join("bucket.keys"));
    let vault = Arc::new(Vault::open(file, false).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let signer = LogSigner::generate("rebuilt").unwrap();
    let mut options = LogOptions::new(signer, Arc::new(SystemClock), dir.path().join("checkpoint"));
    options.views = yichuan::node::views(member.code, &vault);
    let log = Log::open(Arc::new(MemoryStore::new()), options).unwrap();
    let primary: Vec<Row> = rows(member.node.log(), 0x10, 0x40)
        .into_iter()
        .filter(|row| keep(row))
        .collect();
    for chunk in primary.chunks(256) {
        let chunk = chunk.to_vec();
        log.propose(Proposal::new(move |txn| -> Result<(), TxnError> {
            chunk
                .into_iter()
                .try_for_each(|(key, value)| txn.put(key, value))
        }))
        .await
        .unwrap();
    }
    // One by one, so that nothing depends on what was committed together.
    for leaf in leaves(member.node.log()) {
        log.propose(Proposal::new(move |txn| txn.append(leaf)))
            .await
            .unwrap();
    }
    let views = rows(&log, 0x40, 0x80);
    log.close().await;
    views
}

#[tokio::test]
async fn i8_views_are_functions_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = busy(dir.path()).await;
    for member in cluster.members() {
        let live = rows(member.node.log(), 0x40, 0x80);
        assert!(live.len() > 20, "{}", member.code);
        let of_referral = |(key, row): &&Row| {
            let row = String::from_utf8_lossy(row);
            let kinds = ["\"kind\":\"assistance\"", "\"kind\":\"transfer\""];
            key[0] == 0x40 && kinds.iter().any(|kind| row.contains(kind))
        };
        let referrals = live.iter().filter(of_referral).count();
        let between = [(COUNTY, 3), (GUANGDONG, 2)];
        let expected = between.iter().find(|(of, _)| *of == member.code.as_str());
        assert_eq!(referrals, expected.map_or(0, |(_, count)| *count));
        let made = rebuilt(member, |_| true).await;
        for (made, live) in made.iter().zip(&live) {
            assert_eq!(hex::encode(&made.0), hex::encode(&live.0));
            assert_eq!(
                String::from_utf8_lossy(&made.1),
                String::from_utf8_lossy(&live.1)
            );
        }
        assert_eq!(made.len(), live.len());
        // Payloads are part of what they are made from: without the keys to them, who it is about cannot be found.
        let erased = rebuilt(member, |(key, _)| key[0] != 0x11).await;
        let about_people = |rows: &[Row]| rows.iter().filter(|(key, _)| key[0] == 0x43).count();
        assert!(about_people(&made) > 0);
        assert_eq!(about_people(&erased), 0);
    }
    cluster.stop().await;
}

/// One node that a test stops and starts again, on the same directory and address.
struct Station {
    home: PathBuf,
    code: &'static str,
    config: Config,
    vkey: String,
    node: Option<Node>,
}

impl Station {
    async fn new(dir: &Path, of: &'static str) -> Self {
        let home = dir.join(of);
        let mut config = write_node(&home, code(of), "127.0.0.1:1").unwrap();
        let vkey = yichuan::node::data_dir::create(&config.data, code(of)).unwrap();
        config.listen.address.set_port(0);
        let mut station = Self {
            home,
            code: of,
            config,
            vkey: vkey.to_string(),
            node: None,
        };
        station.start().await;
        let address = station.node.as_ref().unwrap().address().to_string();
        station.config = write_node(&station.home, code(of), &address).unwrap();
        station
    }

    async fn start(&mut self) {
        heard::install();
        // In one process a read that was cut off may hold the stopped node's store for a moment longer.
        self.node = Some(
            world::within(async {
                loop {
                    let clock = Arc::new(SystemClock);
                    match Node::start_with(&self.config, clock, eager()).await {
                        Err(StartError::OpenStore(OpenStoreError::Lock(_))) => {}
                        started => return started.unwrap(),
                    }
                }
            })
            .await,
        );
    }

    async fn stop(&mut self) {
        let node = self.node.take().unwrap();
        world::within(node.stop()).await;
    }

    fn log(&self) -> &Log {
        self.node.as_ref().unwrap().log()
    }

    fn card(&self) -> NodeCard {
        card(self.code, &self.vkey, &self.config.listen.endpoint)
    }

    async fn meets(&self, other: &Self) {
        introduce(&self.config.listen.endpoint, self.code, &other.card()).await;
        introduce(&other.config.listen.endpoint, other.code, &self.card()).await;
    }

    async fn push(&self, leads: &[yichuan::domain::LeadFields]) -> Vec<world::Pushed> {
        push(&self.config.listen.endpoint, self.code, leads).await
    }
}

#[tokio::test]
async fn a_partner_that_is_down_holds_up_no_other_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut county = Station::new(dir.path(), COUNTY).await;
    let mut guangdong = Station::new(dir.path(), GUANGDONG).await;
    let mut zhejiang = Station::new(dir.path(), ZHEJIANG).await;
    county.meets(&guangdong).await;
    county.meets(&zhejiang).await;
    let (south, east) = (leads_to(GUANGDONG), leads_to(ZHEJIANG));
    let first = county.push(&south[..1]).await;
    until(county.log(), 1, receipt_for(first[0].index)).await;

    guangdong.stop().await;
    let late = county.push(&south[1..6]).await;
    for (lead, pushed) in east[..5].iter().zip(1..) {
        let sent = county.push(std::slice::from_ref(lead)).await;
        until(county.log(), 1, receipt_for(sent[0].index)).await;
        assert_eq!(count(zhejiang.log(), is_received), pushed);
    }
    assert_eq!(waiting(county.log(), GUANGDONG), 5);
    assert_eq!(waiting(county.log(), ZHEJIANG), 0);

    // The sender too goes down meanwhile: what it promised is on its disk.
    county.stop().await;
    county.start().await;
    assert_eq!(waiting(county.log(), GUANGDONG), 5);

    guangdong.start().await;
    for sent in &late {
        until(county.log(), 1, receipt_for(sent.index)).await;
    }
    assert_eq!(count(guangdong.log(), is_received), 6);
    assert_eq!(waiting(county.log(), GUANGDONG), 0);
    let receipts = count(county.log(), |k| matches!(k, Kind::ReceiptLogged { .. }));
    assert_eq!(receipts, 11);
    for station in [&mut county, &mut guangdong, &mut zhejiang] {
        verify(station.log());
        station.stop().await;
    }
}

/// All of a directory, as `cp -a` would have it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, into) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy(&path, &into);
        } else {
            std::fs::copy(&path, &into).unwrap();
        }
    }
}

impl Station {
    /// Puts another directory in place of its own, which is kept aside.
    fn put_back(&self, other: &Path, aside: &Path) {
        std::fs::rename(&self.config.data, aside).unwrap();
        std::fs::rename(other, &self.config.data).unwrap();
    }

    /// Tries to push; the reason of the refusal.
    async fn refuses(&self, lead: &yichuan::domain::LeadFields) -> tonic::Status {
        let request = pb::PushRecordsRequest {
            grounds: Some(grounds(self.code, Purpose::Screening)),
            row: 1,
            content: Some(pb::Lead::from(lead).into()),
        };
        let officer = channel(
            &self.config.listen.endpoint,
            self.code,
            self.code,
            "officer-001",
        );
        let pushed = pb::records_client::RecordsClient::new(officer)
            .push_records(tokio_stream::iter([request]))
            .await;
        match pushed {
            Ok(verdicts) => verdicts.into_inner().message().await.unwrap_err(),
            Err(refused) => refused,
        }
    }

    fn readiness(&self) -> Readiness {
        (self.node.as_ref().unwrap().probe())()
    }

    async fn evidence_against(&self, partner: &str) -> u64 {
        let officer = channel(
            &self.config.listen.endpoint,
            self.code,
            self.code,
            "officer-001",
        );
        let request = pb::ListPartnersRequest {
            grounds: Some(grounds(self.code, Purpose::Screening)),
        };
        let listed = pb::partners_client::PartnersClient::new(officer)
            .list_partners(request)
            .await
            .unwrap()
            .into_inner();
        let found = listed.partners.iter().find(|p| p.jurisdiction == partner);
        found.unwrap().evidence
    }
}

/// A copy of the data directory, taken while the node was stopped or ran, was put back, and 300 leads were acknowledged
/// that nobody ever got.
#[tokio::test]
async fn i9_a_checkpoint_that_bears_our_signature_and_is_not_in_our_log_closes_the_log_for_good_whoever_shows_it()
 {
    for hot in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut county = Station::new(dir.path(), COUNTY).await;
        let mut guangdong = Station::new(dir.path(), GUANGDONG).await;
        county.meets(&guangdong).await;
        let leads = leads_to(GUANGDONG);
        let first = county.push(&leads[..2]).await;
        until(county.log(), 1, receipt_for(first[1].index)).await;
        let (older, newer) = (dir.path().join("older"), dir.path().join("newer"));
        if hot {
            copy(&county.config.data, &older);
        } else {
            county.stop().await;
            copy(&county.config.data, &older);
            county.start().await;
        }
        let later = county.push(&leads[2..7]).await;
        for sent in &later {
            until(county.log(), 1, receipt_for(sent.index)).await;
        }
        county.stop().await;

        county.put_back(&older, &newer);
        county.start().await;
        let held = county.log().checkpoint().size();
        let LogHealth::Closed { why } = county.log().health() else {
            panic!("a node that was rolled back takes writes, though its partner was asked");
        };
        assert!(matches!(*why, Closure::Disowned { .. }), "{why}");
        let refused = county.refuses(&leads[7]).await;
        assert!(
            refused.message().contains("put the newer store back"),
            "{refused:?}"
        );
        let Readiness::NotReady(reasons) = county.readiness() else {
            panic!("it is ready");
        };
        assert!(reasons[0].contains("rolled back"), "{reasons:?}");
        assert_eq!(county.log().checkpoint().size(), held, "it wrote something");
        // The partner keeps what it holds and what it is shown instead.
        until(guangdong.log(), 1, world::is_evidence).await;
        assert!(guangdong.evidence_against(COUNTY).await > 0);
        county.stop().await;

        // For good, though nobody shows it again.
        guangdong.stop().await;
        let clock = Arc::new(SystemClock);
        let again = Node::start_with(&county.config, clock, eager()).await;
        assert!(
            matches!(
                again,
                Err(StartError::OpenLog(OpenError::RolledBack { .. }))
            ),
            "{again:?}"
        );
        let scratch = dir.path().join("scratch");
        std::fs::create_dir(&scratch).unwrap();
        let found = doctor::examine(&county.config, &scratch, |_, _| {}).unwrap();
        assert!(!found.is_sound());
        let said = found
            .findings
            .iter()
            .find(|f| f.part == doctor::Part::Checkpoint);
        assert!(said.unwrap().what.contains("rolled back"), "{said:?}");
        // Nor does a repair make one of it that forgot.
        let options = doctor::RepairOptions {
            into: dir.path().join("repaired"),
            from: Vec::new(),
            scratch: scratch.clone(),
        };
        let repaired = doctor::repair(&county.config, &options, |_, _| {}).unwrap();
        assert!(!repaired.done);

        // The way out: the newer store.
        guangdong.start().await;
        county.put_back(&newer, &dir.path().join("rolled-back"));
        county.start().await;
        let sent = county.push(&leads[7..8]).await;
        until(county.log(), 1, receipt_for(sent[0].index)).await;
        verify(county.log());
        county.stop().await;
        guangdong.stop().await;
    }
}

/// Where no partner is up it cannot know; it says so, and closes as soon as one comes.
#[tokio::test]
async fn i9_a_node_that_could_ask_nobody_says_so_and_closes_when_a_partner_comes_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut county = Station::new(dir.path(), COUNTY).await;
    let mut guangdong = Station::new(dir.path(), GUANGDONG).await;
    county.meets(&guangdong).await;
    let leads = leads_to(GUANGDONG);
    let (older, newer) = (dir.path().join("older"), dir.path().join("newer"));
    county.stop().await;
    copy(&county.config.data, &older);
    county.start().await;
    let sent = county.push(&leads[..2]).await;
    until(county.log(), 1, receipt_for(sent[1].index)).await;
    county.stop().await;
    guangdong.stop().await;

    county.put_back(&older, &newer);
    county.start().await;
    let Readiness::Warned(warnings) = county.readiness() else {
        panic!("it does not say that it could ask nobody");
    };
    assert!(
        warnings[0].contains("no partner could be asked"),
        "{warnings:?}"
    );
    // It goes on, and signs a fork.
    county.push(&leads[2..4]).await;
    guangdong.start().await;
    let why = world::within(county.log().until_closed()).await;
    assert!(matches!(*why, Closure::Disowned { .. }), "{why}");
    until(guangdong.log(), 1, world::is_evidence).await;
    for station in [&mut county, &mut guangdong] {
        verify(station.log());
        station.stop().await;
    }
}

/// Everything that a receipt in a log claims, checked with nothing but the log and the partners' keys.
fn receipts_prove(log: &Log, partners: &[&Member]) {
    let own = log.verifier_key();
    let mut checked = 0;
    for (index, entry) in (0..).zip(entries(log)) {
        let Kind::ReceiptLogged {
            to,
            sent_index,
            proof,
            ..
        } = entry.kind
        else {
            continue;
        };
        let partner = partners.iter().find(|member| member.code == to).unwrap();
        let key: VerifierKey = partner.vkey.parse().unwrap();
        key.verify_signature(&proof.checkpoint, &proof.signature)
            .unwrap();
        merkle::verify_inclusion(
            &merkle::leaf_hash(&proof.partner_entry),
            proof.partner_index,
            proof.checkpoint.size,
            &proof.inclusion,
            &proof.checkpoint.root,
        )
        .unwrap();
        let theirs = Entry::decode(&proof.partner_entry).unwrap();
        let Kind::DispatchReceived(received) = theirs.kind else {
            panic!("a receipt holds {}", theirs.kind.as_str());
        };
        let leaf = log.reader().entry(sent_index).unwrap().unwrap();
        assert_eq!(received.sender_entry, leaf);
        rests_on(&own, &received);
        cosigned(log, &key, &proof, sent_index, index);
        // And it is in the partner's log, at that index, to this day.
        let there = partner.node.log().reader().entry(proof.partner_index);
        assert_eq!(there.unwrap().unwrap(), proof.partner_entry);
        checked += 1;
    }
    assert!(checked > 0);
}

/// The partner's entry proves our leaf in a tree that we signed.
fn rests_on(own: &VerifierKey, received: &Received) {
    own.verify_signature(&received.checkpoint, &received.signature)
        .unwrap();
    merkle::verify_inclusion(
        &received.leaf_hash(),
        received.sender_index,
        received.checkpoint.size,
        &received.inclusion,
        &received.checkpoint.root,
    )
    .unwrap();
}

/// The partner cosigned one of our trees that has the dispatch and is older than its receipt.
fn cosigned(log: &Log, key: &VerifierKey, proof: &PartnerProof, sent: u64, receipt: u64) {
    let cosignature = Cosignature {
        at_seconds: proof.cosigned_at_s,
        signature: proof.cosignature,
    };
    let reader = log.reader();
    let found = (sent + 1..=receipt).any(|size| {
        let checkpoint = yichuan::note::Checkpoint {
            origin: log.origin().to_owned(),
            size,
            root: reader.proofs().root(size).unwrap(),
        };
        key.verify_cosignature(&checkpoint, &cosignature).is_ok()
    });
    assert!(found, "no tree of ours has this cosignature");
}

#[tokio::test]
async fn every_receipt_in_a_log_proves_itself() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = busy(dir.path()).await;
    let all: Vec<&Member> = cluster.members().iter().collect();
    receipts_prove(cluster.member(COUNTY).node.log(), &all);
    receipts_prove(cluster.member(GUANGDONG).node.log(), &all);
    cluster.stop().await;
}
