//! What is about a person, put where it does not belong: on command lines, and in the fields of calls.

use super::{GUANGDONG, Nodes, Seen, inbox, processes::Home, run};
use tonic::{Request, metadata::MetadataValue};
use yichuan::{
    access::Purpose,
    domain::{Column, LeadFields},
    rpc::pb,
};

/// What is about a person, typed where it does not belong.
pub(crate) fn type_wrongly(nodes: &Nodes, lead: &LeadFields, seen: &mut Seen) {
    let (number, name, phone, plate) =
        (&lead.resident_number, &lead.name, &lead.phone, &lead.plate);
    let wrong_check = format!(
        "{}{}",
        &number[..17],
        if number.ends_with('1') { 2 } else { 1 }
    );
    let id = "0198c6de-7f3a-7cc0-b0f3-0123456789ab";
    let long = format!("{number}{name}").repeat(100);
    let mut commands = Vec::new();
    let typed = [
        number,
        name,
        phone,
        plate,
        &lead.number,
        &lead.facts,
        &lead.remarks,
    ];
    let dashed = typed.map(|secret| format!("--{secret}"));
    for (at, secret) in typed.into_iter().enumerate() {
        let secret = secret.as_str();
        commands.extend([
            vec!["lead", "show", secret],
            vec!["lead", "sign", secret],
            vec!["lead", secret],
            vec![secret],
            vec!["lead", "show", id, secret],
            vec!["lead", "assess", id, "--outcome", secret],
            vec!["lead", "return", id, "--reason", secret],
            vec!["lead", "list", "--number", secret, "--limit", "1001"],
            vec!["lead", "list", "--origin", secret],
            vec!["lead", "list", "--destination", secret],
            vec!["lead", "list", "--since", secret],
            vec!["lead", "list", "--state", secret],
            vec!["lead", "list", "--urgency", secret],
            vec!["lead", "list", "--purpose", secret],
            vec!["lead", "list", "--basis", secret],
            vec!["lead", "list", "--format", secret],
            vec!["lead", "list", "--lang", secret],
            vec!["lead", "list", "--node", secret],
            vec!["lead", "list", "--node-jurisdiction", secret],
            vec!["lead", "list", "--direction", secret],
            vec!["partner", "approve", secret, "--fingerprint", id],
            vec!["partner", "approve", GUANGDONG, "--fingerprint", secret],
            vec!["audit", "replay", "--kind", secret],
            vec!["audit", "replay", "--principal", secret],
            vec!["audit", "replay", "--record", secret],
            vec!["lead", "show", id, "--", secret],
            vec!["lead", "list", "-x", secret],
            vec!["lead", "list", &dashed[at]],
        ]);
    }
    commands.push(vec!["lead", "list", "--number", &wrong_check]);
    commands.push(vec!["lead", "sign", id, "--note", &long]);
    for args in commands {
        for lang in ["zh", "en"] {
            let mut args = args.clone();
            args.extend(["--lang", lang]);
            let output = run(&nodes.county, "officer-001", &args, "");
            assert!(!output.status.success(), "{args:?}");
            seen.command(&args.join(" "), &output);
        }
    }
    let args = ["lead", "list", "--number", "-"];
    for secret in [name, phone, &wrong_check] {
        let output = run(&nodes.county, "officer-001", &args, secret);
        assert!(!output.status.success());
        seen.command("lead list --number -", &output);
    }
}

/// The same to the node itself, which no command would send.
pub(crate) async fn call_wrongly(nodes: &Nodes, lead: &LeadFields, seen: &mut Seen) {
    for secret in [
        &lead.resident_number,
        &lead.name,
        &lead.phone,
        &lead.plate,
        &lead.number,
        &lead.facts,
    ] {
        show(&nodes.county, secret, seen).await;
        list(&nodes.county, secret, seen).await;
        answer(&nodes.county, secret, secret, seen).await;
        // A lead that may be answered, and a note that is too long.
        let inbox = inbox(&nodes.guangdong).await;
        answer(&nodes.guangdong, &inbox[0], &secret.repeat(600), seen).await;
        partners(&nodes.county, secret, seen).await;
        push(&nodes.county, lead, secret, seen).await;
        foreign(nodes, secret, seen).await;
    }
}

async fn show(home: &Home, secret: &str, seen: &mut Seen) {
    let mut records = home.records();
    let mut request = Request::new(pb::ShowRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: home.grounds(Purpose::Screening),
        record_id: secret.to_owned(),
        override_assignment: false,
        standing_only: false,
    });
    let metadata = request.metadata_mut();
    metadata.insert_bin("note-bin", MetadataValue::from_bytes(secret.as_bytes()));
    if let Ok(text) = secret.parse() {
        metadata.insert("note", text);
    }
    seen.refusal("show", records.show_record(request).await);
    for basis in [
        secret.to_owned(),
        format!("lead:{secret}"),
        format!("case:A{secret}"),
    ] {
        let request = pb::ShowRecordRequest {
            family: pb::RecordFamily::Lead.into(),
            grounds: Some(pb::Grounds {
                purpose: pb::Purpose::Screening.into(),
                basis,
            }),
            ..Default::default()
        };
        seen.refusal("grounds", records.show_record(request).await);
    }
}

async fn list(home: &Home, secret: &str, seen: &mut Seen) {
    let all = pb::ListRecordsRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: home.grounds(Purpose::Screening),
        ..Default::default()
    };
    for request in [
        pb::ListRecordsRequest {
            resident_number: format!("{secret}0"),
            ..all.clone()
        },
        pb::ListRecordsRequest {
            origin: secret.to_owned(),
            ..all.clone()
        },
        pb::ListRecordsRequest {
            destination: secret.to_owned(),
            ..all
        },
    ] {
        seen.refusal("list", home.records().list_records(request).await);
    }
}

async fn answer(home: &Home, lead_id: &str, note: &str, seen: &mut Seen) {
    let request = pb::ActOnRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: home.grounds(Purpose::Screening),
        record_id: lead_id.to_owned(),
        action: pb::Action::LeadSign.into(),
        note: note.to_owned(),
        ..Default::default()
    };
    seen.refusal("answer", home.records().act_on_record(request).await);
}

async fn partners(county: &Home, secret: &str, seen: &mut Seen) {
    let grounds = county.grounds(Purpose::Supervision);
    let mut admin = pb::partners_client::PartnersClient::new(county.channel("admin-001"));
    for card in [
        secret.to_owned(),
        format!("yichuan node card v1\n{secret}\n"),
    ] {
        let request = pb::ProposePartnerRequest {
            grounds: grounds.clone(),
            card: card.into_bytes().into(),
        };
        seen.refusal("a card", admin.propose_partner(request).await);
    }
    let mut supervisor = pb::partners_client::PartnersClient::new(county.channel("supervisor-001"));
    for (jurisdiction, fingerprint) in [(secret, "00"), (GUANGDONG, secret)] {
        let request = pb::ApprovePartnerRequest {
            grounds: grounds.clone(),
            jurisdiction: jurisdiction.to_owned(),
            fingerprint: fingerprint.to_owned(),
            ..pb::ApprovePartnerRequest::default()
        };
        seen.refusal("an approval", supervisor.approve_partner(request).await);
    }
}

/// A stream of leads with the secret in every field, then one without a lead.
async fn push(county: &Home, lead: &LeadFields, secret: &str, seen: &mut Seen) {
    let leads = Column::ALL.iter().map(|column| {
        let mut wrong = lead.clone();
        *wrong.get_mut(*column) = secret.repeat(60);
        Some(pb::Lead::from(&wrong))
    });
    let requests: Vec<_> = leads
        .chain([None])
        .map(|lead| pb::PushRecordsRequest {
            grounds: county.grounds(Purpose::Screening),
            row: 1,
            content: lead.map(Into::into),
        })
        .collect();
    let pushed = county
        .records()
        .push_records(tokio_stream::iter(requests))
        .await;
    let mut verdicts = pushed.unwrap().into_inner();
    loop {
        match verdicts.message().await {
            Ok(Some(verdict)) => {
                assert_eq!(verdict.verdict(), pb::Verdict::Reject);
                seen.add("a verdict", format!("{verdict:?}"));
            }
            Ok(None) => panic!("a push without a lead was not refused"),
            Err(status) => break seen.status("a push", &status),
        }
    }
}

/// An officer of another jurisdiction asks for what is not theirs.
async fn foreign(nodes: &Nodes, secret: &str, seen: &mut Seen) {
    let channel = nodes.county.channel_of(nodes.zhejiang.code, "officer-001");
    let mut records = pb::records_client::RecordsClient::new(channel);
    let show = pb::ShowRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: nodes.zhejiang.grounds(Purpose::Screening),
        record_id: inbox(&nodes.guangdong).await[0].clone(),
        override_assignment: false,
        standing_only: false,
    };
    seen.refusal("another's lead", records.show_record(show).await);
    let answer = pb::ActOnRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: nodes.zhejiang.grounds(Purpose::Screening),
        record_id: secret.to_owned(),
        action: pb::Action::LeadSign.into(),
        note: secret.to_owned(),
        ..Default::default()
    };
    seen.refusal("another's answer", records.act_on_record(answer).await);
}
