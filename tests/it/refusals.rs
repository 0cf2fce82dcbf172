//! Refused, logged, and nothing stored. Each call is made over real TLS with a certificate of its own; the node must answer
//! with the right code, say in its log who was refused what and why, and be, byte for byte, as it was before.

use crate::common::{heard, world};
use heard::{Heard, Said};
use tonic::{Code, Status, transport::Channel};
use world::{
    COUNTY, GUANGDONG, Kept, Pushed, ZHEJIANG, channel, cluster, eager, introduce, kept, leads_to,
    push, start,
};
use yichuan::{
    access::Purpose,
    cli::demo::cluster::{Cluster, grounds},
    domain::LeadFields,
    rpc::pb::{
        self, audit_client::AuditClient, exchange_client::ExchangeClient,
        partners_client::PartnersClient, records_client::RecordsClient,
    },
};

struct World {
    _dir: tempfile::TempDir,
    cluster: Cluster,
    heard: Heard,
    /// From the county to Guangdong, and received there.
    lead: Pushed,
    /// Not pushed yet.
    next: LeadFields,
}

/// Three partners; the county has sent a lead to each of the others, and all is settled.
async fn world() -> World {
    let heard = Heard::listen();
    let dir = tempfile::tempdir().unwrap();
    let cluster = cluster(dir.path(), &[COUNTY, GUANGDONG, ZHEJIANG]).await;
    let endpoint = &cluster.member(COUNTY).config.listen.endpoint;
    let leads = [&leads_to(GUANGDONG)[..1], &leads_to(ZHEJIANG)[..1]].concat();
    let lead = push(endpoint, COUNTY, &leads).await.remove(0);
    cluster.settled().await.unwrap();
    World {
        _dir: dir,
        cluster,
        heard,
        lead,
        next: leads_to(GUANGDONG).remove(1),
    }
}

impl World {
    /// A channel to `node`'s node as `who`, such as `440000/officer-001`.
    fn dial(&self, node: &str, who: &str) -> Channel {
        let (of, identity) = who.split_once('/').unwrap();
        let endpoint = &self.cluster.member(node).config.listen.endpoint;
        channel(endpoint, node, of, identity)
    }

    fn records(&self, node: &str, who: &str) -> RecordsClient<Channel> {
        RecordsClient::new(self.dial(node, who)).max_encoding_message_size(64 << 20)
    }

    fn kept(&self) -> Vec<Kept> {
        let members = self.cluster.members().iter();
        members.map(|member| kept(member.node.log())).collect()
    }

    /// The call is refused, logged, and nothing is stored anywhere.
    async fn refused<T>(
        &self,
        who: &str,
        expected: Code,
        reason: &str,
        call: impl Future<Output = Result<T, Status>>,
    ) -> Status {
        let before = self.kept();
        self.heard.take();
        let status = match world::within(call).await {
            Ok(_) => panic!("{who} is not refused: {reason}"),
            Err(status) => status,
        };
        assert_eq!(status.code(), expected, "{who}, {reason}: {status:?}");
        let said = self.heard.take();
        assert!(is_logged(&said, who), "{who}, {reason}: {said:?}");
        let word = &said[said.len() - 1]["reason"];
        let told = word == reason || status.message().contains(reason);
        assert!(told, "{who}, {reason}: {word}, {status:?}");
        assert!(self.kept() == before, "{who}, {reason}: something is kept");
        status
    }
}

/// One line says who, what and why, in a word of ours.
fn is_logged(said: &[Said], who: &str) -> bool {
    let (of, identity) = who.split_once('/').unwrap();
    let principal = format!("spiffe://{of}.yichuan/{}", identity.replace('-', "/"));
    let lines: Vec<_> = said
        .iter()
        .filter(|event| event.get("principal") == Some(&principal))
        .collect();
    let [line] = lines.as_slice() else {
        return false;
    };
    let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
    line["call"].starts_with("/yichuan.v1.") && line["reason"].chars().all(is_word)
}

fn screening(node: &str) -> Option<pb::Grounds> {
    Some(grounds(node, Purpose::Screening))
}

fn listing(grounds: Option<pb::Grounds>) -> pb::ListRecordsRequest {
    pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds,
        ..Default::default()
    }
}

async fn push_with(
    mut records: RecordsClient<Channel>,
    grounds: Option<pb::Grounds>,
    lead: &LeadFields,
) -> Result<(), Status> {
    let request = pb::PushRecordsRequest {
        grounds,
        row: 1,
        content: Some(pb::Lead::from(lead).into()),
    };
    let mut verdicts = records
        .push_records(tokio_stream::iter([request]))
        .await?
        .into_inner();
    verdicts.message().await.map(drop)
}

#[tokio::test]
async fn officers_of_another_jurisdiction_only_read_there() {
    let world = world().await;
    for who in ["440000/officer-001", "440000/supervisor-001"] {
        let mut records = world.records(COUNTY, who);
        let answer = pb::ActOnRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: screening(GUANGDONG),
            record_id: world.lead.lead_id.clone(),
            action: pb::Action::LeadSign.into(),
            ..Default::default()
        };
        let answering = records.act_on_record(answer);
        world
            .refused(who, Code::PermissionDenied, "foreign", answering)
            .await;
        let pushing = push_with(
            world.records(COUNTY, who),
            screening(GUANGDONG),
            &world.next,
        );
        world
            .refused(who, Code::PermissionDenied, "foreign", pushing)
            .await;
        let mut partners = PartnersClient::new(world.dial(COUNTY, who));
        let listed = partners.list_partners(pb::ListPartnersRequest {
            grounds: screening(GUANGDONG),
        });
        world
            .refused(who, Code::PermissionDenied, "foreign", listed)
            .await;
    }
    for who in ["440000/node", "440000/auditor-001", "440000/admin-001"] {
        let purpose = match who {
            "440000/auditor-001" => Purpose::Audit,
            _ => Purpose::Screening,
        };
        let mut records = world.records(COUNTY, who);
        let listed = records.list_records(listing(Some(grounds(GUANGDONG, purpose))));
        world
            .refused(who, Code::PermissionDenied, "foreign", listed)
            .await;
    }
    world.cluster.stop().await;
}

/// Somebody else's lead is not there: not in a list, and not by its id, which is answered as any id that never was.
#[tokio::test]
async fn a_lead_between_two_others_is_not_there() {
    let world = world().await;
    let who = "330000/officer-001";
    let mut records = world.records(COUNTY, who);
    let mut said = Vec::new();
    for lead_id in [&*world.lead.lead_id, "0198c6de-7f3a-7cc0-b0f3-0123456789ab"] {
        let showing = records.show_record(pb::ShowRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: screening(ZHEJIANG),
            record_id: lead_id.to_owned(),
            override_assignment: false,
            standing_only: false,
        });
        let status = world.refused(who, Code::NotFound, lead_id, showing).await;
        said.push(status.message().replace(lead_id, "…"));
    }
    assert_eq!(said[0], said[1]);
    let listed = records
        .list_records(listing(screening(ZHEJIANG)))
        .await
        .unwrap();
    let listed = listed.into_inner().records;
    assert_eq!(listed.len(), 1);
    assert!(listed.iter().all(|lead| lead.destination == ZHEJIANG));
    // Nor can it be answered at the officer's own node, to which it never came.
    let mut own = world.records(ZHEJIANG, who);
    let answering = own.act_on_record(pb::ActOnRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: screening(ZHEJIANG),
        record_id: world.lead.lead_id.clone(),
        action: pb::Action::LeadSign.into(),
        ..Default::default()
    });
    world
        .refused(who, Code::NotFound, &world.lead.lead_id, answering)
        .await;
    world.cluster.stop().await;
}

#[tokio::test]
async fn nobody_reads_or_writes_without_purpose_and_basis() {
    let world = world().await;
    let who = "520624/officer-001";
    let stated = |purpose: pb::Purpose, basis: &str| {
        Some(pb::Grounds {
            purpose: purpose.into(),
            basis: basis.to_owned(),
        })
    };
    let campaign = "campaign:520624-2026-01";
    for (grounds, reason) in [
        (None, "no_grounds"),
        (stated(pb::Purpose::Unspecified, campaign), "no_grounds"),
        (stated(pb::Purpose::Screening, ""), "no_grounds"),
        (stated(pb::Purpose::Screening, "because"), "no_grounds"),
        (stated(pb::Purpose::Screening, "case:A1"), "no_grounds"),
        (stated(pb::Purpose::Audit, campaign), "purpose"),
    ] {
        let denied = Code::PermissionDenied;
        let pushing = push_with(world.records(COUNTY, who), grounds.clone(), &world.next);
        world.refused(who, denied, reason, pushing).await;
        let mut records = world.records(COUNTY, who);
        let listed = records.list_records(listing(grounds.clone()));
        world.refused(who, denied, reason, listed).await;
        let mut records = world.records(COUNTY, who);
        let showing = records.show_record(pb::ShowRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: grounds.clone(),
            record_id: world.lead.lead_id.clone(),
            override_assignment: false,
            standing_only: false,
        });
        world.refused(who, denied, reason, showing).await;
        let mut records = world.records(GUANGDONG, "440000/officer-001");
        let answering = records.act_on_record(pb::ActOnRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: grounds.clone(),
            record_id: world.lead.lead_id.clone(),
            action: pb::Action::LeadSign.into(),
            ..Default::default()
        });
        world
            .refused("440000/officer-001", denied, reason, answering)
            .await;
    }
    // A purpose that does not cover the act.
    let supervising = stated(pb::Purpose::Supervision, campaign);
    let pushing = push_with(world.records(COUNTY, who), supervising, &world.next);
    world
        .refused(who, Code::PermissionDenied, "purpose", pushing)
        .await;
    let who = "520624/auditor-001";
    let mut audit = AuditClient::new(world.dial(COUNTY, who));
    let reading = audit.get_checkpoint(pb::GetCheckpointRequest { grounds: None });
    world
        .refused(who, Code::PermissionDenied, "no_grounds", reading)
        .await;
    world.cluster.stop().await;
}

#[tokio::test]
async fn every_role_keeps_to_its_own() {
    let world = world().await;
    let denied = Code::PermissionDenied;
    let auditing = Some(grounds(COUNTY, Purpose::Audit));

    let who = "520624/auditor-001";
    let pushing = push_with(world.records(COUNTY, who), auditing.clone(), &world.next);
    world.refused(who, denied, "role", pushing).await;
    let mut records = world.records(COUNTY, who);
    let listed = records.list_records(listing(auditing.clone()));
    world.refused(who, denied, "role", listed).await;

    let who = "520624/admin-001";
    let mut records = world.records(COUNTY, who);
    let listed = records.list_records(listing(screening(COUNTY)));
    world.refused(who, denied, "role", listed).await;
    let mut records = world.records(COUNTY, who);
    let showing = records.show_record(pb::ShowRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: screening(COUNTY),
        record_id: world.lead.lead_id.clone(),
        override_assignment: false,
        standing_only: false,
    });
    world.refused(who, denied, "role", showing).await;
    let pushing = push_with(world.records(COUNTY, who), screening(COUNTY), &world.next);
    world.refused(who, denied, "role", pushing).await;

    for who in [
        "520624/officer-001",
        "520624/supervisor-001",
        "520624/admin-001",
    ] {
        let mut audit = AuditClient::new(world.dial(COUNTY, who));
        let reading = audit.get_checkpoint(pb::GetCheckpointRequest {
            grounds: auditing.clone(),
        });
        // The newest checkpoint is for everybody of the node, for a purpose of theirs; nobody plays the auditor for it.
        world.refused(who, denied, "purpose", reading).await;
        let own = pb::GetCheckpointRequest {
            grounds: Some(grounds(COUNTY, Purpose::Supervision)),
        };
        audit.get_checkpoint(own).await.unwrap();
        let mut audit = AuditClient::new(world.dial(COUNTY, who));
        let reading = audit.replay(pb::ReplayRequest {
            grounds: auditing.clone(),
            ..Default::default()
        });
        world.refused(who, denied, "role", reading).await;
        let mut audit = AuditClient::new(world.dial(COUNTY, who));
        let reading = audit.prove_inclusion(pb::ProveInclusionRequest {
            grounds: auditing.clone(),
            ..Default::default()
        });
        world.refused(who, denied, "role", reading).await;
        let mut audit = AuditClient::new(world.dial(COUNTY, who));
        let reading = audit.prove_consistency(pb::ProveConsistencyRequest {
            grounds: auditing.clone(),
            ..Default::default()
        });
        world.refused(who, denied, "role", reading).await;
    }

    // An auditor reads while the policy lists him, and no longer.
    let who = "520624/auditor-001";
    let asking = pb::GetCheckpointRequest {
        grounds: auditing.clone(),
    };
    let mut audit = AuditClient::new(world.dial(COUNTY, who));
    audit.get_checkpoint(asking.clone()).await.unwrap();
    let county = world.cluster.member(COUNTY);
    let mut config = county.config.clone();
    config.access.auditors.clear();
    county.node.reload(&config).await.unwrap();
    let reading = audit.get_checkpoint(asking);
    world
        .refused(who, denied, "unlisted_auditor", reading)
        .await;
    world.cluster.stop().await;
}

#[tokio::test]
async fn a_partner_needs_two_people_and_the_right_fingerprint() {
    let world = world().await;
    let supervising = Some(grounds(COUNTY, Purpose::Supervision));
    // Zhejiang has moved.
    let zhejiang = world.cluster.member(ZHEJIANG);
    let moved = "https://127.0.0.1:1".parse().unwrap();
    let card = world::card(ZHEJIANG, &zhejiang.vkey, &moved);
    let proposal = pb::ProposePartnerRequest {
        grounds: supervising.clone(),
        card: card.as_str().as_bytes().to_vec().into(),
    };
    let approval = pb::ApprovePartnerRequest {
        grounds: supervising.clone(),
        jurisdiction: ZHEJIANG.to_owned(),
        fingerprint: card.fingerprint().to_string(),
        ..pb::ApprovePartnerRequest::default()
    };
    let partners = |who: &str| PartnersClient::new(world.dial(COUNTY, who));
    let supervisor = "520624/supervisor-001";

    let mut client = partners(supervisor);
    let approving = client.approve_partner(approval.clone());
    world
        .refused(supervisor, Code::NotFound, "no draft", approving)
        .await;

    client.propose_partner(proposal.clone()).await.unwrap();
    for who in [
        "520624/officer-001",
        "520624/admin-001",
        "520624/auditor-001",
    ] {
        let mut client = partners(who);
        let approving = client.approve_partner(approval.clone());
        world
            .refused(who, Code::PermissionDenied, "role", approving)
            .await;
    }
    let approving = client.approve_partner(approval.clone());
    world
        .refused(supervisor, Code::PermissionDenied, "two people", approving)
        .await;

    partners("520624/admin-001")
        .propose_partner(proposal.clone())
        .await
        .unwrap();
    let other = world.cluster.card(GUANGDONG).unwrap();
    for (fingerprint, expected, reason) in [
        (
            other.fingerprint().to_string(),
            Code::PermissionDenied,
            "fingerprint",
        ),
        ("00".repeat(31), Code::InvalidArgument, "fingerprint"),
        (String::new(), Code::InvalidArgument, "fingerprint"),
    ] {
        let approving = client.approve_partner(pb::ApprovePartnerRequest {
            fingerprint,
            ..approval.clone()
        });
        world.refused(supervisor, expected, reason, approving).await;
    }
    let approving = client.approve_partner(pb::ApprovePartnerRequest {
        jurisdiction: "99".to_owned(),
        ..approval.clone()
    });
    world
        .refused(supervisor, Code::InvalidArgument, "jurisdiction", approving)
        .await;

    // Cards that are none: changed, its own, too long.
    let admin = "520624/admin-001";
    let changed = card.as_str().replace("127.0.0.1:1", "127.0.0.1:2");
    let own = world.cluster.card(COUNTY).unwrap();
    for (card, expected, reason) in [
        (changed.into_bytes(), Code::InvalidArgument, "card"),
        (
            own.as_str().as_bytes().to_vec(),
            Code::InvalidArgument,
            "own card",
        ),
        (vec![b'x'; 17 * 1024], Code::InvalidArgument, "at most"),
        (vec![b'x'; 65 * 1024], Code::OutOfRange, "too large"),
    ] {
        let mut client = partners(admin);
        let proposing = client.propose_partner(pb::ProposePartnerRequest {
            grounds: supervising.clone(),
            card: card.into(),
        });
        world.refused(admin, expected, reason, proposing).await;
    }
    world.cluster.stop().await;
}

#[tokio::test]
async fn only_a_partners_node_relays() {
    let world = world().await;
    for who in [
        "440000/officer-001",
        "440000/supervisor-001",
        "440000/admin-001",
        "440000/auditor-001",
        "520624/officer-001",
        "520624/node",
    ] {
        let mut exchange = ExchangeClient::new(world.dial(COUNTY, who));
        let relaying = exchange.relay(tokio_stream::iter([pb::RelayRequest { message: None }]));
        world
            .refused(who, Code::PermissionDenied, "not_a_partner_node", relaying)
            .await;
    }
    world.cluster.stop().await;
}

/// Whoever is not approved does not get as far as a call.
#[tokio::test]
async fn a_jurisdiction_that_is_not_approved_does_not_get_in() {
    let heard = Heard::listen();
    let dir = tempfile::tempdir().unwrap();
    let cluster = start(dir.path(), &[COUNTY], eager()).await;
    let county = cluster.member(COUNTY);
    let endpoint = &county.config.listen.endpoint;
    let call = async |identity: &str| {
        let mut exchange = ExchangeClient::new(channel(endpoint, COUNTY, ZHEJIANG, identity));
        let hello = tokio_stream::iter([pb::RelayRequest { message: None }]);
        let refused = world::within(exchange.relay(hello)).await.unwrap_err();
        assert_ne!(refused.code(), Code::Ok);
    };
    let reasons = |said: &[Said]| -> Vec<String> {
        let reasons = said.iter().filter_map(|event| event.get("reason"));
        reasons.cloned().collect()
    };
    for identity in ["node", "officer-001"] {
        let before = kept(county.node.log());
        heard.take();
        call(identity).await;
        assert!(reasons(&heard.take()).contains(&"unknown_issuer".to_owned()));
        assert!(kept(county.node.log()) == before);
    }
    // A draft opens no door.
    let zhejiang = yichuan::note::LogSigner::generate("330000.yichuan/log/1").unwrap();
    let vkey = zhejiang.verifier_key().to_string();
    let card = world::card(ZHEJIANG, &vkey, &"https://127.0.0.1:1".parse().unwrap());
    let admin = channel(endpoint, COUNTY, COUNTY, "admin-001");
    PartnersClient::new(admin)
        .propose_partner(pb::ProposePartnerRequest {
            grounds: Some(grounds(COUNTY, Purpose::Supervision)),
            card: card.as_str().as_bytes().to_vec().into(),
        })
        .await
        .unwrap();
    heard.take();
    call("node").await;
    assert!(reasons(&heard.take()).contains(&"unknown_issuer".to_owned()));
    cluster.stop().await;
}

/// Until a partner's list of revoked certificates has come, only its node is let in.
#[tokio::test]
async fn officers_of_a_partner_that_brought_no_list_do_not_get_in() {
    let heard = Heard::listen();
    let dir = tempfile::tempdir().unwrap();
    let cluster = start(dir.path(), &[COUNTY], eager()).await;
    let county = cluster.member(COUNTY);
    let endpoint = &county.config.listen.endpoint;
    let signer = yichuan::note::LogSigner::generate("330000.yichuan/log/1").unwrap();
    let vkey = signer.verifier_key().to_string();
    let card = world::card(ZHEJIANG, &vkey, &"https://127.0.0.1:1".parse().unwrap());
    introduce(endpoint, COUNTY, &card).await;
    let before = kept(county.node.log());
    heard.take();
    let officer = channel(endpoint, COUNTY, ZHEJIANG, "officer-001");
    let listing = listing(screening(ZHEJIANG));
    let refused = world::within(RecordsClient::new(officer).list_records(listing)).await;
    refused.unwrap_err();
    let said = heard.take();
    assert!(
        said.iter()
            .any(|event| event.get("reason").is_some_and(|r| r == "no_fresh_crl")),
        "{said:?}"
    );
    assert!(kept(county.node.log()) == before);
    cluster.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_or_is_too_long_is_refused() {
    let world = world().await;
    let who = "440000/officer-001";
    let answer = pb::ActOnRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: screening(GUANGDONG),
        record_id: world.lead.lead_id.clone(),
        action: pb::Action::LeadSign.into(),
        ..Default::default()
    };
    let bad = Code::InvalidArgument;
    for lead_id in [
        "",
        "1",
        "../../etc/passwd",
        "0198c6de-7f3a-7cc0-b0f3-0123456789ag",
        "0198c6de-7f3a-7cc0-b0f3-0123456789ab ",
    ] {
        let mut records = world.records(GUANGDONG, who);
        let showing = records.show_record(pb::ShowRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: screening(GUANGDONG),
            record_id: lead_id.to_owned(),
            override_assignment: false,
            standing_only: false,
        });
        world.refused(who, bad, "record_id", showing).await;
        let mut records = world.records(GUANGDONG, who);
        let answering = records.act_on_record(pb::ActOnRecordRequest {
            record_id: lead_id.to_owned(),
            ..answer.clone()
        });
        world.refused(who, bad, "record_id", answering).await;
    }

    let action = |action: pb::Action| pb::ActOnRecordRequest {
        action: action.into(),
        ..answer.clone()
    };
    let verified = i32::from(pb::AssessmentOutcome::Verified);
    for (request, expected, reason) in [
        (action(pb::Action::Unspecified), bad, "action"),
        (action(pb::Action::Lead), bad, "action"),
        (
            pb::ActOnRecordRequest {
                action: 99,
                ..answer.clone()
            },
            bad,
            "action",
        ),
        (action(pb::Action::LeadAssess), bad, "outcome"),
        (action(pb::Action::LeadReturn), bad, "return_reason"),
        (
            pb::ActOnRecordRequest {
                outcome: verified,
                ..answer.clone()
            },
            bad,
            "outcome",
        ),
        (
            pb::ActOnRecordRequest {
                return_reason: 99,
                ..answer.clone()
            },
            bad,
            "return_reason",
        ),
        (
            pb::ActOnRecordRequest {
                note: "字".repeat(2_001),
                ..answer.clone()
            },
            bad,
            "2000",
        ),
        (
            pb::ActOnRecordRequest {
                note: "x".repeat(65 * 1024),
                ..answer.clone()
            },
            Code::OutOfRange,
            "too large",
        ),
        (
            pb::ActOnRecordRequest {
                outcome: verified,
                ..action(pb::Action::LeadAssess)
            },
            Code::FailedPrecondition,
            "delivered",
        ),
    ] {
        let mut records = world.records(GUANGDONG, who);
        let answering = records.act_on_record(request);
        world.refused(who, expected, reason, answering).await;
    }

    let secret = "520624190001010011";
    for (request, reason) in [
        (
            pb::ListRecordsRequest {
                limit: 1_001,
                ..listing(screening(GUANGDONG))
            },
            "limit",
        ),
        (
            pb::ListRecordsRequest {
                direction: 9,
                ..listing(screening(GUANGDONG))
            },
            "direction",
        ),
        (
            pb::ListRecordsRequest {
                states: vec![77],
                ..listing(screening(GUANGDONG))
            },
            "states",
        ),
        (
            pb::ListRecordsRequest {
                urgency: 9,
                ..listing(screening(GUANGDONG))
            },
            "urgency",
        ),
        (
            pb::ListRecordsRequest {
                family: 0,
                ..listing(screening(GUANGDONG))
            },
            "family",
        ),
        (
            pb::ListRecordsRequest {
                kind: pb::RecordKind::Transfer.into(),
                ..listing(screening(GUANGDONG))
            },
            "kind",
        ),
        // Leads are not found by it: an empty page would say that there are none.
        (
            pb::ListRecordsRequest {
                name: "钱癸子".to_owned(),
                ..listing(screening(GUANGDONG))
            },
            "name",
        ),
        (
            pb::ListRecordsRequest {
                origin: "5206241".to_owned(),
                ..listing(screening(GUANGDONG))
            },
            "origin",
        ),
        (
            pb::ListRecordsRequest {
                resident_number: format!("{secret}9"),
                ..listing(screening(GUANGDONG))
            },
            "resident_number",
        ),
    ] {
        let mut records = world.records(GUANGDONG, who);
        let listed = records.list_records(request);
        let status = world.refused(who, bad, reason, listed).await;
        assert!(!status.message().contains(secret));
    }

    // The county does not answer what it sent, and a lead of a megabyte is no lead.
    let who = "520624/officer-001";
    let mut records = world.records(COUNTY, who);
    let answering = records.act_on_record(pb::ActOnRecordRequest {
        grounds: screening(COUNTY),
        ..answer.clone()
    });
    world
        .refused(who, Code::FailedPrecondition, "sent from here", answering)
        .await;
    let mut endless = world.next.clone();
    endless.facts = "字".repeat(400 * 1024);
    let pushing = push_with(world.records(COUNTY, who), screening(COUNTY), &endless);
    world
        .refused(who, Code::OutOfRange, "too large", pushing)
        .await;
    world.cluster.stop().await;
}

#[tokio::test]
async fn what_an_auditor_asks_beyond_the_log_is_refused() {
    let world = world().await;
    let who = "520624/auditor-001";
    let auditing = Some(grounds(COUNTY, Purpose::Audit));
    let size = world.cluster.member(COUNTY).node.log().checkpoint().size();
    let beyond = Code::OutOfRange;
    let mut audit = AuditClient::new(world.dial(COUNTY, who));
    let reading = audit.replay(pb::ReplayRequest {
        grounds: auditing.clone(),
        from: 0,
        to: size + 1,
    });
    world.refused(who, beyond, "entries", reading).await;
    let mut audit = AuditClient::new(world.dial(COUNTY, who));
    let reading = audit.prove_inclusion(pb::ProveInclusionRequest {
        grounds: auditing.clone(),
        index: size,
        tree_size: size,
    });
    world.refused(who, beyond, "entry", reading).await;
    let mut audit = AuditClient::new(world.dial(COUNTY, who));
    let reading = audit.prove_consistency(pb::ProveConsistencyRequest {
        grounds: auditing,
        old_size: size,
        new_size: u64::MAX,
    });
    world.refused(who, beyond, "entries", reading).await;
    world.cluster.stop().await;
}

/// What operators and their tools ask of any node, for whoever has a certificate.
#[tokio::test]
async fn health_and_reflection_answer_whoever_has_a_certificate() {
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    };
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let world = world().await;
    for who in ["520624/admin-001", "440000/officer-001"] {
        let mut health = HealthClient::new(world.dial(COUNTY, who));
        let services = [
            "",
            "yichuan.v1.Records",
            "yichuan.v1.Exchange",
            "yichuan.v1.Partners",
            "yichuan.v1.Audit",
        ];
        for service in services {
            let checked = health.check(HealthCheckRequest {
                service: service.to_owned(),
            });
            let status = checked.await.unwrap().into_inner().status;
            assert_eq!(status, ServingStatus::Serving as i32, "{service}");
        }
        let mut reflection = ServerReflectionClient::new(world.dial(COUNTY, who));
        let ask = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut answers = reflection
            .server_reflection_info(tokio_stream::iter([ask]))
            .await
            .unwrap()
            .into_inner();
        let answer = answers.message().await.unwrap().unwrap();
        let Some(MessageResponse::ListServicesResponse(listed)) = answer.message_response else {
            panic!("no list of services");
        };
        let names: Vec<_> = listed.service.iter().map(|s| s.name.as_str()).collect();
        let ours = names
            .into_iter()
            .filter(|name| name.starts_with("yichuan."));
        let ours: std::collections::BTreeSet<_> = ours.collect();
        assert_eq!(ours, services[1..].iter().copied().collect());
    }
    world.cluster.stop().await;
}
