//! Protobuf: what partners' nodes and officers send.

use super::{der, piece, seed};
use crate::corpus::{
    targets::{reading::REQUESTS, world},
    two_logs::{HandLog, PROVINCE, record},
};
use prost::Message as _;
use yichuan::{
    domain::LeadFields,
    entry::{Content, Plaintext},
    merkle::proof_to_bytes,
    rpc::pb,
    tls::dev,
};

pub(super) fn exchange(county: &HandLog) {
    for base in 0..4 {
        seed("delivery", &format!("from-{base}"), &[base]);
    }
    let content = world::lead_content();
    for flags in [0, 2, 4, 6, 8, 16] {
        let input = [&[flags][..], &piece(&content), &[0; 8]].concat();
        seed("dispatch", &flags.to_string(), &input);
    }
    for flags in [0, 1, 2, 3, 4, 8, 18] {
        seed("answers", &flags.to_string(), &[flags, 0, 7, 0, 0, 0, 0]);
    }
    let head = county.head();
    let verified = Some(pb::VerifiedTree {
        origin: head.origin().to_owned(),
        size: head.size(),
        root: head.root().as_bytes().to_vec().into(),
    });
    let (crl, note) = (der(dev::CAS[0].crl), head.note().as_bytes().to_vec());
    let hello = pb::RelayHello {
        protocol: 1,
        verified: verified.clone(),
        crl: crl.clone().into(),
        witnessed: vec![note.clone().into()],
        asked: vec![3, 5],
        ..pb::RelayHello::default()
    };
    relayed(0, "hello", pb::relay_request::Message::Hello(hello));
    let proved = county.proved(4);
    let linked = pb::LinkedTree {
        size: 3,
        root: vec![4; 32].into(),
        consistency: vec![5; 64].into(),
    };
    let delivery = pb::Delivery {
        sequence: 1,
        checkpoint: note.clone().into(),
        consistency: proof_to_bytes(&proved.inclusion).into(),
        dispatches: vec![pb::DeliveredDispatch {
            index: 4,
            entry: proved.sender_entry.into(),
            inclusion: proof_to_bytes(&proved.inclusion).into(),
            ciphertext: vec![7; 60].into(),
            key: vec![9; 32].into(),
        }],
        linked: vec![linked.clone()],
        verified_size: 7,
    };
    relayed(
        0,
        "delivery",
        pb::relay_request::Message::Delivery(delivery),
    );
    let welcome = pb::RelayWelcome {
        protocol: 1,
        verified,
        crl: crl.into(),
        witnessed: vec![note.clone().into()],
        asked: vec![3, 5],
        ..pb::RelayWelcome::default()
    };
    let message = Some(pb::relay_response::Message::Welcome(welcome));
    let message = pb::RelayResponse { message }.encode_to_vec();
    seed("relay", "welcome", &[&[1][..], &message].concat());
    let answers = pb::Answers {
        sequence: 1,
        checkpoint: note.into(),
        consistency: vec![1; 64].into(),
        cosigned_at_s: 1_772_640_000,
        cosignature: vec![2; 64].into(),
        answers: vec![pb::Answer {
            index: 5,
            entry: county.leaf(5).into(),
            inclusion: vec![3; 96].into(),
            ..pb::Answer::default()
        }],
        linked: vec![linked],
        verified_size: 5,
    };
    let message = Some(pb::relay_response::Message::Answers(answers));
    let message = pb::RelayResponse { message }.encode_to_vec();
    seed("relay", "answers", &[&[1][..], &message].concat());
}

fn relayed(side: u8, name: &str, message: pb::relay_request::Message) {
    let message = Some(message);
    let message = pb::RelayRequest { message }.encode_to_vec();
    seed("relay", name, &[&[side][..], &message].concat());
}

fn lead() -> pb::Lead {
    let content = pb::PayloadContent::decode(world::lead_content().as_slice()).unwrap();
    match content.kind {
        Some(pb::payload_content::Kind::Lead(lead)) => lead,
        _ => panic!("the lead of a lead"),
    }
}

fn notice() -> pb::CaughtNotice {
    pb::CaughtNotice {
        number: "GD-2026-0001".into(),
        name: "钱癸子".into(),
        sex: "男".into(),
        resident_number: lead().resident_number,
        registered_code: "520624".into(),
        caught_on: "2026-06-01".into(),
        caught_code: "440100".into(),
        conduct: "运输毒品".into(),
        measure: "刑事拘留".into(),
        case_number: "A4401000000002026010001".into(),
        ..Default::default()
    }
}

fn referral() -> pb::Referral {
    pb::Referral {
        title: "协查".into(),
        matter: "核实住址".into(),
        case_number: "A5206240000002026010001".into(),
        subject_name: "钱癸子".into(),
        subject_number: lead().resident_number,
        place_code: "440100".into(),
        substance: "冰毒".into(),
        lead_ids: vec![record(1).to_string()],
    }
}

pub(super) fn payloads() {
    use pb::payload_content::Kind;
    let kinds = [
        ("lead", Kind::Lead(lead())),
        ("caught", Kind::Caught(notice())),
        ("referral", Kind::Referral(referral())),
        (
            "answer",
            Kind::LeadAnswer(pb::LeadAnswer {
                outcome: 1,
                note: "属实".into(),
            }),
        ),
        (
            "note",
            Kind::ReferralNote(pb::ReferralNote {
                note: "已办理".into(),
            }),
        ),
    ];
    for (name, kind) in kinds {
        let kind = Some(kind);
        let content = pb::PayloadContent { kind }.encode_to_vec();
        seed("payload", name, &world::plaintext(&content));
        seed(
            "dispatch",
            name,
            &[&[6][..], &piece(&content), &[0; 4]].concat(),
        );
    }
    let l = lead();
    let lines = [
        &l.number,
        &l.name,
        &l.sex,
        &l.resident_number,
        &l.registered_code,
        &l.registered_place,
        &l.destination_code,
        &l.destination_place,
        &l.substance,
        &l.conduct,
        &l.facts,
        &l.collection_method,
        &l.collected_on,
        &l.grade_scheme,
        &l.source_grade,
        &l.information_grade,
        &l.urgency,
        &l.handling,
        &l.phone,
        &l.plate,
        &l.remarks,
    ];
    seed(
        "lead",
        "lead",
        lines.map(String::as_str).join("\n").as_bytes(),
    );
    let n = notice();
    let lines = [
        &n.number,
        &n.name,
        &n.sex,
        &n.resident_number,
        &n.registered_code,
        &n.registered_place,
        &n.caught_on,
        &n.caught_code,
        &n.caught_place,
        &n.substance,
        &n.conduct,
        &n.measure,
        &n.case_number,
        &n.lead_id,
        &n.remarks,
    ];
    seed(
        "lead",
        "caught",
        lines.map(String::as_str).join("\n").as_bytes(),
    );
    let r = referral();
    let lines = [
        &r.title,
        &r.matter,
        &r.case_number,
        &r.subject_name,
        &r.subject_number,
        &r.place_code,
        &r.substance,
        &r.lead_ids[0],
    ];
    seed(
        "lead",
        "referral",
        lines.map(String::as_str).join("\n").as_bytes(),
    );
    let untidy = "ＳＮ－１\n钱 癸子\n男\n52062419000101001２\n520624\n\n４４００００\n\n\n贩卖\n事实\n走访\n2024年5月6日\n\nb\n2\n紧急\nh1";
    seed("lead", "untidy", untidy.as_bytes());
}

pub(super) fn requests() {
    let grounds = Some(pb::Grounds {
        purpose: pb::Purpose::Screening as i32,
        basis: "campaign:520624-2026-01".into(),
    });
    let id = record(1).to_string();
    let messages = |name: &str| -> Vec<Vec<u8>> {
        let grounds = || grounds.clone();
        let id = || id.clone();
        let query = || lead().resident_number;
        match name {
            "PushRecordsRequest" => vec![
                pb::PushRecordsRequest {
                    grounds: grounds(),
                    row: 2,
                    content: Some(lead().into()),
                }
                .encode_to_vec(),
                pb::PushRecordsRequest {
                    grounds: grounds(),
                    row: 2,
                    content: Some(notice().into()),
                }
                .encode_to_vec(),
            ],
            "ListRecordsRequest" => vec![
                pb::ListRecordsRequest {
                    family: pb::RecordFamily::Lead.into(),
                    grounds: grounds(),
                    direction: 1,
                    states: vec![2, 3],
                    origin: "520624".into(),
                    destination: "440000".into(),
                    urgency: 1,
                    since_ms: 1,
                    before_ms: 9,
                    resident_number: query(),
                    limit: 7,
                    ..Default::default()
                }
                .encode_to_vec(),
                pb::ListRecordsRequest {
                    family: pb::RecordFamily::Referral.into(),
                    grounds: grounds(),
                    direction: 2,
                    states: vec![1],
                    kind: 2,
                    counterpart: "440000".into(),
                    urgency: 1,
                    resident_number: query(),
                    name: "钱癸子".into(),
                    limit: 9,
                    ..Default::default()
                }
                .encode_to_vec(),
                pb::ListRecordsRequest {
                    family: pb::RecordFamily::ArrestNotice.into(),
                    grounds: grounds(),
                    direction: 1,
                    states: vec![2],
                    counterpart: "520624".into(),
                    resident_number: query(),
                    name: "钱癸子".into(),
                    limit: 9,
                    ..Default::default()
                }
                .encode_to_vec(),
            ],
            "ShowRecordRequest" => vec![
                pb::ShowRecordRequest {
                    family: pb::RecordFamily::Lead.into(),
                    grounds: grounds(),
                    record_id: id(),
                    ..Default::default()
                }
                .encode_to_vec(),
                pb::ShowRecordRequest {
                    family: pb::RecordFamily::Referral.into(),
                    grounds: grounds(),
                    record_id: id(),
                    ..Default::default()
                }
                .encode_to_vec(),
                pb::ShowRecordRequest {
                    family: pb::RecordFamily::ArrestNotice.into(),
                    grounds: grounds(),
                    record_id: id(),
                    ..Default::default()
                }
                .encode_to_vec(),
            ],
            "ActOnRecordRequest" => vec![
                pb::ActOnRecordRequest {
                    family: pb::RecordFamily::Lead.into(),
                    grounds: grounds(),
                    record_id: id(),
                    action: pb::Action::LeadReturn as i32,
                    return_reason: 1,
                    note: "退回".into(),
                    ..Default::default()
                }
                .encode_to_vec(),
                pb::ActOnRecordRequest {
                    family: pb::RecordFamily::Referral.into(),
                    grounds: grounds(),
                    record_id: id(),
                    action: pb::Action::ReferralCorrect as i32,
                    referral: Some(referral()),
                    note: "更正".into(),
                    ..Default::default()
                }
                .encode_to_vec(),
            ],
            "AssignRecordRequest" => vec![
                pb::AssignRecordRequest {
                    grounds: grounds(),
                    record_id: id(),
                    assignee: "unit/narcotics".into(),
                }
                .encode_to_vec(),
            ],
            "OpenReferralRequest" => vec![
                pb::OpenReferralRequest {
                    grounds: grounds(),
                    kind: 2,
                    to: "440000".into(),
                    referral: Some(referral()),
                    urgency: 1,
                    handling: 1,
                }
                .encode_to_vec(),
            ],
            "ApproveRecordRequest" => vec![
                pb::ApproveRecordRequest {
                    grounds: grounds(),
                    record_id: id(),
                }
                .encode_to_vec(),
            ],
            "WatchRecordsRequest" => vec![
                pb::WatchRecordsRequest {
                    family: pb::RecordFamily::Referral.into(),
                    grounds: grounds(),
                    after_index: Some(3),
                }
                .encode_to_vec(),
            ],
            "ProposePartnerRequest" => vec![
                pb::ProposePartnerRequest {
                    grounds: grounds(),
                    card: super::node_card(PROVINCE)
                        .as_str()
                        .as_bytes()
                        .to_vec()
                        .into(),
                }
                .encode_to_vec(),
            ],
            "ApprovePartnerRequest" => vec![
                pb::ApprovePartnerRequest {
                    grounds: grounds(),
                    jurisdiction: "440000".into(),
                    fingerprint: "ab".repeat(32),
                    changes: vec!["key".into(), "ca".into()],
                    accept_new_log: "440000.yichuan/log/2".into(),
                }
                .encode_to_vec(),
            ],
            // The others have grounds and numbers.
            _ => vec![pb::GetCheckpointRequest { grounds: grounds() }.encode_to_vec()],
        }
    };
    for (index, (name, _)) in (0..).zip(REQUESTS) {
        for (nth, message) in messages(name).into_iter().enumerate() {
            let name = match nth {
                0 => (*name).to_owned(),
                nth => format!("{name}-{nth}"),
            };
            seed("request", &name, &[&[index][..], &message].concat());
        }
    }
}

/// The fields of the lead.
pub(super) fn lead_fields() -> LeadFields {
    let plaintext = Plaintext::from_bytes(&world::plaintext(&world::lead_content())).unwrap();
    match plaintext.content().unwrap() {
        Content::Lead(fields) => *fields,
        _ => panic!("the content of a lead"),
    }
}
