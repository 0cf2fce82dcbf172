//! A client in Rust: pushes one lead to an officer's own node and follows it until the recipient's node has proved that it
//! has it. Run it against the two nodes of `docs/TOUR.md`, once their fingerprints are approved:
//!
//! ```sh
//! cargo run --example push_and_follow -- https://127.0.0.1:7443 two/sinan/certs officer-001 440000
//! ```
//!
//! Run it again and nothing is sent twice: the same number with the same content is the same lead.
//!
//! A client in another language needs no file of this project: see 'Other programs as clients' in `docs/OPERATIONS.md`.

use anyhow::Context as _;
use std::{path::Path, sync::Arc, time::Duration};
use tonic::transport::Channel;
use yichuan::{
    domain::Jurisdiction,
    rpc::pb::{self, records_client::RecordsClient},
    telemetry::SystemClock,
    tls::{Credentials, Dialer, EndpointUrl, TrustStore},
};

/// How often the node is asked. Asking again within a minute, where nothing changed, adds no entry to its log.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// A partner that is down is no error: the lead waits in the outbox, and the caller decides how long to watch.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [node, certificates, person, destination] = arguments.as_slice() else {
        anyhow::bail!("usage: push_and_follow https://HOST:PORT CERTIFICATES PERSON DESTINATION");
    };
    let shown = push_and_follow(node, Path::new(certificates), person, destination).await?;
    for event in shown.events {
        println!("entry {} by {}", event.log_index, event.principal);
        if let Some(receipt) = event.receipt {
            println!(
                "  receipt: {} entry {}, in its signed tree of {}",
                receipt.partner_origin, receipt.partner_index, receipt.tree_size
            );
        }
    }
    Ok(())
}

/// Pushes a lead to the node at `node` for the jurisdiction `destination`, and waits for the receipt. `certificates` is the
/// directory that `yichuan certs` made, `person` a name in it.
pub(crate) async fn push_and_follow(
    node: &str,
    certificates: &Path,
    person: &str,
    destination: &str,
) -> anyhow::Result<pb::ShowRecordResponse> {
    let (own, channel) = connect(node, certificates, person)?;
    let mut records = RecordsClient::new(channel);
    // Every call says why it is made and on what.
    let grounds = pb::Grounds {
        purpose: pb::Purpose::Screening.into(),
        basis: format!("campaign:{own}-2026-01"),
    };

    let request = pb::PushRecordsRequest {
        grounds: Some(grounds.clone()),
        row: 1,
        content: Some(lead(own, destination).into()),
    };
    // The stream takes any number of leads and answers each in order, with its verdict.
    let mut verdicts = records
        .push_records(tokio_stream::iter([request]))
        .await?
        .into_inner();
    let verdict = verdicts.message().await?.context("no verdict came")?;
    let reasons: Vec<_> = verdict
        .reasons
        .iter()
        .map(|reason| format!("{}: {}", reason.column, reason.message))
        .collect();
    anyhow::ensure!(
        verdict.verdict() != pb::Verdict::Reject,
        "rejected: {}",
        reasons.join("; ")
    );
    println!("lead {}, entry {}", verdict.record_id, verdict.log_index);

    let request = pb::ShowRecordRequest {
        family: pb::RecordFamily::Lead.into(),
        grounds: Some(grounds),
        record_id: verdict.record_id, // Where it stands and what proves it, without what it says about a person.
        standing_only: true,
        ..Default::default()
    };
    tokio::time::timeout(GIVE_UP_AFTER, async {
        let mut ticks = tokio::time::interval(ASK_EVERY);
        loop {
            ticks.tick().await;
            let shown = records.show_record(request.clone()).await?.into_inner();
            if shown.events.iter().any(|event| event.receipt.is_some()) {
                return Ok(shown);
            }
        }
    })
    .await
    .context("no receipt yet; the node goes on trying")?
}

/// A channel over mutual TLS 1.3 to the node of the person's own jurisdiction. Whoever else answers is refused.
fn connect(
    node: &str,
    certificates: &Path,
    person: &str,
) -> anyhow::Result<(Jurisdiction, Channel)> {
    let file = |name: &str, extension: &str| certificates.join(format!("{name}.{extension}"));
    let credentials = Credentials::load(&file(person, "pem"), &file(person, "key"))?;
    let own = credentials.identity().principal().jurisdiction();
    let trust = TrustStore::load(&file("ca", "pem"), Some(&file("ca", "crl")))?;
    let dialer = Dialer::new(
        Arc::new(credentials),
        Arc::new(trust),
        Arc::new(SystemClock),
    )?;
    let endpoint: EndpointUrl = node.parse()?;
    Ok((own, dialer.connect(&endpoint, own)))
}

/// A lead about nobody: the person would be born in 1905. Stated facts, how and when they were collected, and a grade of
/// source and information are required in each.
fn lead(own: Jurisdiction, destination: &str) -> pb::Lead {
    pb::Lead {
        number: "EXAMPLE-001".into(),
        name: "赵示例".into(),
        sex: "M".into(),
        resident_number: "520624190505019010".into(),
        registered_code: own.to_string(),
        destination_code: destination.into(),
        substance: "冰毒".into(),
        conduct: "涉嫌外流贩毒".into(),
        facts: "多次往返，随身携带可疑物品，同行人员已供述。".into(),
        collection_method: "走访".into(),
        collected_on: "2026-05-06".into(),
        grade_scheme: "admiralty".into(),
        source_grade: "B".into(),
        information_grade: "2".into(),
        urgency: "normal".into(),
        handling: "H0".into(),
        ..Default::default()
    }
}
