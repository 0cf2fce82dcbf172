//! People of a partner, with certificates of its CA, who try at an honest node to learn what records say: each call of each
//! service, each way of asking. A record that is assigned there and one that is not are the same to them.

use super::{
    leads,
    world::{COUNTY, GUANGDONG, ZHEJIANG, channel, cluster, entries, push, within},
};
use futures_util::FutureExt as _;
use prost::Message as _;
use prost_types::{FileDescriptorSet, MethodDescriptorProto};
use std::collections::BTreeSet;
use tonic::{Code, Response, Status, Streaming, transport::Channel};
use yichuan::{
    access::Purpose,
    cli::demo::cluster::{Cluster, grounds},
    entry::Kind,
    rpc::pb::{
        self, audit_client::AuditClient, exchange_client::ExchangeClient,
        partners_client::PartnersClient, records_client::RecordsClient,
    },
};

pub(super) const NAME: &str = "钱癸子";
pub(super) const PLACE: &str = "440304";
pub(super) const SUBSTANCE: &str = "海洛因";
const TITLE: &str = "协查住处";

/// A record of each kind.
pub(super) struct Records {
    pub(super) lead: String,
    pub(super) referral: String,
}

/// The county, with records between it and Guangdong, and some that are not Guangdong's.
pub(super) struct World {
    _dir: tempfile::TempDir,
    pub(super) cluster: Cluster,
    /// One of each that is assigned at the county, and one that is not.
    pub(super) theirs: [Records; 2],
    /// Guangdong notified the county.
    pub(super) caught: String,
    /// Between the county and Zhejiang, and a transfer to Guangdong that nobody approved.
    pub(super) others: Records,
}

pub(super) fn notice() -> pb::CaughtNotice {
    pb::CaughtNotice {
        number: "GD-2026-0001".into(),
        name: "测试000009".into(),
        sex: "M".into(),
        resident_number: leads::resident_number(9),
        registered_code: "520624101".into(),
        registered_place: "思南县".into(),
        caught_on: "2024-05-06".into(),
        caught_code: PLACE.into(),
        caught_place: "深圳市福田区".into(),
        substance: "冰毒".into(),
        conduct: "贩卖毒品".into(),
        measure: "刑事拘留".into(),
        case_number: "A4403040000002024050001".into(),
        ..Default::default()
    }
}

fn referral(kind: pb::RecordKind) -> pb::OpenReferralRequest {
    pb::OpenReferralRequest {
        grounds: None,
        kind: kind.into(),
        to: GUANGDONG.into(),
        referral: Some(pb::Referral {
            title: TITLE.into(),
            matter: "核实居住情况".into(),
            place_code: PLACE.into(),
            substance: SUBSTANCE.into(),
            subject_name: NAME.into(),
            subject_number: leads::resident_number(1),
            ..Default::default()
        }),
        urgency: pb::Urgency::Normal.into(),
        handling: pb::Handling::H0.into(),
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cluster = cluster(dir.path(), &[COUNTY, GUANGDONG, ZHEJIANG]).await;
        let endpoint = cluster.member(COUNTY).config.listen.endpoint.clone();
        let dial = |who| channel(&endpoint, COUNTY, COUNTY, who);
        let sheet = [
            leads::fields(1, PLACE),
            leads::fields(2, PLACE),
            leads::fields(3, "330106"),
        ];
        let mut pushed = push(&endpoint, COUNTY, &sheet).await.into_iter();
        let mut lead = || pushed.next().unwrap().lead_id;
        let mut officer = RecordsClient::new(dial("officer-001"));
        let mut opened = Vec::new();
        for kind in [
            pb::RecordKind::Assistance,
            pb::RecordKind::Assistance,
            pb::RecordKind::Transfer,
        ] {
            let request = pb::OpenReferralRequest {
                grounds: Some(grounds(COUNTY, Purpose::Case)),
                ..referral(kind)
            };
            let answer = officer.open_referral(request).await.unwrap();
            opened.push(answer.into_inner().record_id);
        }
        let mut opened = opened.into_iter();
        let mut records = || Records {
            lead: lead(),
            referral: opened.next().unwrap(),
        };
        let (assigned, free, others) = (records(), records(), records());
        let mut supervisor = RecordsClient::new(dial("supervisor-001"));
        for record in [&assigned.lead, &assigned.referral] {
            let request = pb::AssignRecordRequest {
                grounds: Some(grounds(COUNTY, Purpose::Case)),
                record_id: record.clone(),
                assignee: "officer/001".into(),
            };
            supervisor.assign_record(request).await.unwrap();
        }
        let there = &cluster.member(GUANGDONG).config.listen.endpoint;
        let notifying = pb::PushRecordsRequest {
            grounds: Some(grounds(GUANGDONG, Purpose::Case)),
            row: 1,
            content: Some(notice().into()),
        };
        let mut caught = RecordsClient::new(channel(there, GUANGDONG, GUANGDONG, "officer-001"));
        let verdicts = caught.push_records(tokio_stream::iter([notifying])).await;
        let verdict = verdicts.unwrap().into_inner().message().await.unwrap();
        within(cluster.settled()).await.unwrap();
        Self {
            theirs: [assigned, free],
            caught: verdict.unwrap().record_id,
            others,
            cluster,
            _dir: dir,
        }
    }

    pub(super) fn dial(&self, of: &str, who: &str) -> Channel {
        let endpoint = &self.cluster.member(COUNTY).config.listen.endpoint;
        channel(endpoint, COUNTY, of, who)
    }

    /// Looks that somebody left in the county's log.
    pub(super) fn looks(&self, of: &str, who: &str) -> usize {
        let whose = format!("spiffe://{of}.yichuan/{}", who.replace('-', "/"));
        let entries = entries(self.cluster.member(COUNTY).node.log());
        let theirs = entries.into_iter().filter(|entry| {
            matches!(entry.kind, Kind::Consulted { .. })
                && entry.cause.principal.to_string() == whose
        });
        theirs.count()
    }

    /// Whatever was answered, as text.
    pub(super) fn tells_nothing(&self, what: &str, answer: &str) {
        let people = [1, 2, 3, 9].map(leads::resident_number);
        let words = [
            NAME,
            SUBSTANCE,
            TITLE,
            "440304",
            "核实",
            "测试",
            "涉嫌",
            "SN-2026",
            "GD-2026",
            "assigned_to: \"officer",
        ];
        let others = [&*self.others.lead, &*self.others.referral];
        let people = people.iter().map(String::as_str);
        for secret in people.chain(words).chain(others) {
            assert!(!answer.contains(secret), "{what} tells {secret}: {answer}");
        }
    }
}

/// What comes first on a stream, as text.
async fn first<T: std::fmt::Debug + Default + prost::Message + 'static>(
    answer: Result<Response<Streaming<T>>, Status>,
) -> Result<String, Status> {
    let mut answers = answer?.into_inner();
    let mut said = format!("{:?}", within(answers.message()).await?);
    // And what is there besides.
    while let Some(Ok(Some(more))) = answers.message().now_or_never() {
        said.push_str(&format!("{more:?}"));
    }
    Ok(said)
}

pub(super) fn whole<T: std::fmt::Debug>(
    answer: Result<Response<T>, Status>,
) -> Result<String, Status> {
    answer.map(|answer| format!("{:?}", answer.into_inner()))
}

impl World {
    /// Makes a call as well as somebody who means no good can.
    #[expect(
        clippy::needless_update,
        reason = "one macro for messages of one field and of many"
    )]
    pub(super) async fn call(
        &self,
        path: &str,
        channel: Channel,
        grounds: pb::Grounds,
        records: &Records,
    ) -> Result<String, Status> {
        let grounds = Some(grounds);
        let mut client = RecordsClient::new(channel.clone());
        let mut partners = PartnersClient::new(channel.clone());
        let mut audit = AuditClient::new(channel.clone());
        let (lead_id, referral_id) = (records.lead.clone(), records.referral.clone());
        macro_rules! say {
            ($client:ident.$call:ident($request:ident { $($field:ident: $value:expr),* })) => {
                $client.$call(pb::$request { grounds, $($field: $value,)* ..Default::default() }).await
            };
        }
        macro_rules! stream {
            ($client:ident.$call:ident($request:ident { $($field:ident: $value:expr),* })) => {
                $client.$call(tokio_stream::iter([
                    pb::$request { grounds, $($field: $value,)* ..Default::default() },
                ])).await
            };
        }
        match path {
            "Records/PushRecords lead" => {
                let lead = Some(leads::lead(1, PLACE));
                first(stream!(client.push_records(PushRecordsRequest {
                    row: 1,
                    content: lead.map(Into::into)
                })))
                .await
            }
            "Records/ListRecords lead" => whole(say!(client.list_records(ListRecordsRequest {
                family: pb::RecordFamily::Lead.into(),
                override_assignment: true
            }))),
            "Records/ShowRecord lead" => whole(say!(client.show_record(ShowRecordRequest {
                family: pb::RecordFamily::Lead.into(),
                record_id: lead_id,
                override_assignment: true
            }))),
            "Records/ActOnRecord lead" => whole(say!(client.act_on_record(ActOnRecordRequest {
                family: pb::RecordFamily::Lead.into(),
                record_id: lead_id,
                action: pb::Action::LeadSign.into(),
                override_assignment: true
            }))),
            "Records/AssignRecord" => whole(say!(client.assign_record(AssignRecordRequest {
                record_id: lead_id,
                assignee: "officer/001".into()
            }))),
            "Records/OpenReferral" => {
                let request = pb::OpenReferralRequest {
                    grounds,
                    ..referral(pb::RecordKind::Assistance)
                };
                whole(client.open_referral(request).await)
            }
            "Records/ApproveRecord" => {
                let referral_id = self.others.referral.clone();
                whole(say!(client.approve_record(ApproveRecordRequest {
                    record_id: referral_id
                })))
            }
            "Records/ActOnRecord referral" => {
                whole(say!(client.act_on_record(ActOnRecordRequest {
                    family: pb::RecordFamily::Referral.into(),
                    record_id: referral_id,
                    action: pb::Action::ReferralRecall.into(),
                    note: "说明".into(),
                    override_assignment: true
                })))
            }
            "Records/ListRecords referral" => {
                whole(say!(client.list_records(ListRecordsRequest {
                    family: pb::RecordFamily::Referral.into(),
                    override_assignment: true
                })))
            }
            "Records/ShowRecord referral" => whole(say!(client.show_record(ShowRecordRequest {
                family: pb::RecordFamily::Referral.into(),
                record_id: referral_id,
                override_assignment: true
            }))),
            "Records/WatchRecords referral" => {
                first(say!(client.watch_records(WatchRecordsRequest {
                    family: pb::RecordFamily::Referral.into(),
                    after_index: Some(0)
                })))
                .await
            }
            "Records/ActOnRecord caught" => whole(say!(client.act_on_record(ActOnRecordRequest {
                family: pb::RecordFamily::ArrestNotice.into(),
                record_id: self.caught.clone(),
                action: pb::Action::LeadSign.into(),
                override_assignment: true
            }))),
            "Records/WatchRecords lead" => whole(say!(client.watch_records(WatchRecordsRequest {
                family: pb::RecordFamily::Lead.into()
            }))),
            "Records/WatchRecords caught" => {
                whole(say!(client.watch_records(WatchRecordsRequest {
                    family: pb::RecordFamily::ArrestNotice.into()
                })))
            }
            "Records/PushRecords caught" => {
                let notice = Some(notice());
                first(stream!(client.push_records(PushRecordsRequest {
                    row: 1,
                    content: notice.map(Into::into)
                })))
                .await
            }
            "Records/ListRecords caught" => whole(say!(client.list_records(ListRecordsRequest {
                family: pb::RecordFamily::ArrestNotice.into(),
                override_assignment: true
            }))),
            "Records/ShowRecord caught" => whole(say!(client.show_record(ShowRecordRequest {
                family: pb::RecordFamily::ArrestNotice.into(),
                record_id: self.caught.clone(),
                override_assignment: true
            }))),
            "Partners/ProposePartner" => {
                let card = self.cluster.card(GUANGDONG).unwrap();
                let card = card.as_str().as_bytes().to_vec().into();
                whole(say!(
                    partners.propose_partner(ProposePartnerRequest { card: card })
                ))
            }
            "Partners/ApprovePartner" => {
                whole(say!(partners.approve_partner(ApprovePartnerRequest {
                    jurisdiction: GUANGDONG.into()
                })))
            }
            "Partners/SuspendPartner" => {
                whole(say!(partners.suspend_partner(SuspendPartnerRequest {
                    jurisdiction: ZHEJIANG.into()
                })))
            }
            "Partners/DraftPartnerChange" => whole(say!(partners.draft_partner_change(
                DraftPartnerChangeRequest {
                    jurisdiction: ZHEJIANG.into()
                }
            ))),
            "Partners/ApprovePartnerChange" => whole(say!(partners.approve_partner_change(
                ApprovePartnerChangeRequest {
                    jurisdiction: ZHEJIANG.into()
                }
            ))),
            "Partners/ListPartners" => whole(say!(partners.list_partners(ListPartnersRequest {}))),
            "Audit/GetCheckpoint" => whole(say!(audit.get_checkpoint(GetCheckpointRequest {}))),
            "Audit/Replay" => first(say!(audit.replay(ReplayRequest {}))).await,
            "Audit/ProveInclusion" => whole(say!(audit.prove_inclusion(ProveInclusionRequest {}))),
            "Audit/ProveConsistency" => {
                whole(say!(audit.prove_consistency(ProveConsistencyRequest {})))
            }
            "Exchange/Relay" => {
                let hello = super::hostile::saying(super::hostile::hello());
                let mut exchange = ExchangeClient::new(channel);
                first(exchange.relay(tokio_stream::iter([hello])).await).await
            }
            other => panic!("{other}: say how a partner's people would call it, and what they get"),
        }
    }
}

/// What officers and supervisors of a partner get of a call. There is no default: a new call is decided on here.
fn for_a_partners_people(path: &str) -> Result<(), &'static str> {
    match path {
        // Which is not followed.
        "Records/WatchRecords lead" | "Records/WatchRecords caught" => Err("malformed"),
        "Records/ListRecords lead"
        | "Records/ListRecords referral"
        | "Records/WatchRecords referral"
        | "Records/ListRecords caught" => Ok(()),
        "Records/ShowRecord lead" | "Records/ShowRecord referral" | "Records/ShowRecord caught" => {
            Err("elsewhere")
        }
        "Records/PushRecords lead"
        | "Records/ActOnRecord lead"
        | "Records/AssignRecord"
        | "Records/OpenReferral"
        | "Records/ApproveRecord"
        | "Records/ActOnRecord referral"
        | "Records/ActOnRecord caught"
        | "Records/PushRecords caught"
        | "Partners/ProposePartner"
        | "Partners/ApprovePartner"
        | "Partners/SuspendPartner"
        | "Partners/DraftPartnerChange"
        | "Partners/ApprovePartnerChange"
        | "Partners/ListPartners"
        | "Audit/GetCheckpoint"
        | "Audit/Replay"
        | "Audit/ProveInclusion"
        | "Audit/ProveConsistency" => Err("foreign"),
        "Exchange/Relay" => Err("not_a_partner_node"),
        other => panic!("{other}: say here what a partner's people get of it"),
    }
}

/// All calls of all services of ours, for each family that they are for: `Records/ListRecords lead`.
fn calls() -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(pb::DESCRIPTOR).unwrap();
    let of_families = |method: &MethodDescriptorProto| {
        let name = method.input_type().rsplit('.').next().unwrap();
        let messages = set.file.iter().flat_map(|file| &file.message_type);
        let mut fields = messages
            .filter(|it| it.name() == name)
            .flat_map(|it| &it.field);
        fields.any(|field| field.name() == "family")
    };
    let mut calls = BTreeSet::new();
    for service in set.file.iter().flat_map(|file| &file.service) {
        for method in &service.method {
            let path = format!("{}/{}", service.name(), method.name());
            let families: &[&str] = match path.as_str() {
                // Of what it carries.
                "Records/PushRecords" => &["lead", "caught"],
                _ if of_families(method) => &["lead", "referral", "caught"],
                _ => &[],
            };
            if families.is_empty() {
                calls.insert(path);
            } else {
                calls.extend(families.iter().map(|family| format!("{path} {family}")));
            }
        }
    }
    calls
}

fn reason(status: &Status) -> &str {
    let word = status.metadata().get("yichuan-reason");
    word.map_or("", |word| word.to_str().unwrap())
}

#[tokio::test]
async fn each_call_gives_people_of_a_partner_what_is_decided_and_its_node_and_ours_nothing_of_people()
 {
    let world = World::new().await;
    let calls = calls();
    assert!(calls.len() >= 25, "{calls:?}");
    let callers = [
        (GUANGDONG, "officer-001"),
        (GUANGDONG, "supervisor-001"),
        (GUANGDONG, "auditor-001"),
        (GUANGDONG, "admin-001"),
        (GUANGDONG, "node"),
        (COUNTY, "node"),
    ];
    for path in &calls {
        for (of, who) in callers {
            for (records, purpose) in [
                (&world.theirs[0], Purpose::Case),
                (&world.theirs[1], Purpose::Supervision),
                (&world.theirs[1], Purpose::Audit),
            ] {
                let expected = match (of, who) {
                    (COUNTY, _) if path == "Exchange/Relay" => Err("not_a_partner_node"),
                    (COUNTY, _) => Err("role"),
                    // What that is worth is what the other tests here are about.
                    (_, "node") if path == "Exchange/Relay" => continue,
                    (_, "officer-001" | "supervisor-001") => match for_a_partners_people(path) {
                        Ok(()) if purpose == Purpose::Audit => Err("purpose"),
                        Err("elsewhere" | "malformed") if purpose == Purpose::Audit => {
                            Err("purpose")
                        }
                        decided => decided,
                    },
                    _ if path == "Exchange/Relay" => Err("not_a_partner_node"),
                    _ => Err("foreign"),
                };
                let what = format!("{path} as {of}/{who}, {purpose:?}");
                let stated = grounds(of, purpose);
                let answered = world.call(path, world.dial(of, who), stated, records).await;
                match (answered, expected) {
                    (Ok(answer), Ok(())) => world.tells_nothing(&what, &answer),
                    (Err(status), Err(word)) => {
                        let code = match word {
                            "malformed" => Code::InvalidArgument,
                            _ => Code::PermissionDenied,
                        };
                        assert_eq!(status.code(), code, "{what}: {status:?}");
                        assert_eq!(reason(&status), word, "{what}: {status:?}");
                        world.tells_nothing(&what, status.message());
                    }
                    (answered, _) => panic!("{what}: {answered:?}, {expected:?}"),
                }
            }
        }
    }
    world.cluster.stop().await;
}
