//! `yichuan partner list`: partners and drafts, as tables and lines.

use crate::{
    api::{json::Partner, labels::put_off_label},
    casework::Standing,
    cli::{
        client::Connection,
        context::{Context, block_on},
        exit::Failure,
        print::{self, Format, plain},
    },
    domain::Lang,
    entry::{PartnerChange, pb},
    exchange::SKEW_TOLERATED_S,
    tls::Fingerprint,
};

pub(super) fn list(context: &mut Context<'_>) -> Result<(), Failure> {
    let listed = block_on(async { listed(&context.connect()?).await })?;
    print_partners(&listed.partners, context)?;
    if let (Some(behind), Format::Table) = (listed.own_clock_behind_s, context.format()) {
        let (seconds, is_behind) = (behind.unsigned_abs(), behind > 0);
        match context.lang() {
            Lang::Zh => writeln!(
                context.out,
                "本节点时钟比多数对方节点{} {seconds} 秒，应是本节点时钟有误，请按授时服务器校准",
                if is_behind { "慢" } else { "快" }
            )?,
            Lang::En => writeln!(
                context.out,
                "this node's clock is {seconds} s {} most of its partners': it is likely this one that is wrong; set it by a \
                 time server",
                if is_behind { "behind" } else { "ahead of" }
            )?,
        }
    }
    Ok(())
}

/// Partners and drafts of a node.
pub(in crate::cli) async fn partners(
    node: &Connection,
) -> Result<Vec<pb::PartnerSummary>, Failure> {
    Ok(listed(node).await?.partners)
}

async fn listed(node: &Connection) -> Result<pb::ListPartnersResponse, Failure> {
    let request = pb::ListPartnersRequest {
        grounds: node.grounds(),
    };
    let mut client = node.partners();
    let listed = node.patient(async || client.list_partners(request.clone()).await);
    listed.await
}

/// How it stands; a node that does not say it has drafts and partners alone.
fn standing(partner: &pb::PartnerSummary) -> Standing {
    match partner.state() {
        pb::PartnerState::Draft => Standing::Draft,
        pb::PartnerState::InForce => Standing::InForce,
        pb::PartnerState::Suspended => Standing::Suspended,
        pb::PartnerState::Removed => Standing::Removed,
        pb::PartnerState::Unspecified if partner.approved => Standing::InForce,
        pb::PartnerState::Unspecified => Standing::Draft,
    }
}

/// The same for people, who want to know of a partner whether it is reached.
fn standing_label(partner: &pb::PartnerSummary, lang: Lang) -> &'static str {
    match (standing(partner), partner.connected) {
        (Standing::InForce, true) => lang.pick("已连接", "connected"),
        (Standing::InForce, false) => lang.pick("未连接", "not connected"),
        (other, _) => other.label(lang),
    }
}

/// What was drafted to become of a partner.
fn change(partner: &pb::PartnerSummary) -> Option<PartnerChange> {
    PartnerChange::from_wire(partner.change)
}

/// A partner as JSON shows it.
pub(super) fn shown(partner: &pb::PartnerSummary) -> Partner<'_> {
    Partner {
        jurisdiction: &partner.jurisdiction,
        name: &partner.name,
        endpoint: &partner.endpoint,
        origin: &partner.origin,
        approved: partner.approved,
        connected: partner.connected,
        outbox: partner.outbox,
        verified_size: partner.verified_size,
        proposed_by: &partner.proposed_by,
        approved_by: Some(partner.approved_by.as_str()).filter(|who| !who.is_empty()),
        card_fingerprint: &partner.card_fingerprint,
        ca_fingerprint: &partner.ca_fingerprint,
        key_fingerprint: &partner.key_fingerprint,
        clock_ahead_s: partner.clock_ahead_s,
        key_exchange_in: &partner.key_exchange_in,
        key_exchange_out: &partner.key_exchange_out,
        state: standing(partner).as_str(),
        left_out: Some(partner.left_out.as_str()).filter(|why| !why.is_empty()),
        change: change(partner).map(PartnerChange::as_str),
        change_by: Some(partner.change_by.as_str()).filter(|who| !who.is_empty()),
        issued: &partner.issued,
        serial: partner.serial,
        evidence: partner.evidence,
        put_off: partner.put_off,
        put_off_why: Some(partner.put_off_why.as_str()).filter(|why| !why.is_empty()),
    }
}

/// What was negotiated last, in and out.
fn key_exchange(partner: &pb::PartnerSummary) -> String {
    let [incoming, outgoing] =
        [&partner.key_exchange_in, &partner.key_exchange_out].map(|group| match group.as_str() {
            "" => "-".to_owned(),
            group => plain(group),
        });
    match incoming == outgoing {
        true => incoming,
        false => format!("{incoming} / {outgoing}"),
    }
}

/// A clock that is off by more than minutes stands out.
fn clock(ahead_s: i64) -> String {
    let off = ahead_s.unsigned_abs() > SKEW_TOLERATED_S;
    format!("{ahead_s:+}{}", if off { " !" } else { "" })
}

/// How much waits, and how much of it the partner has seen and cannot take yet.
fn outbox(partner: &pb::PartnerSummary, lang: Lang) -> String {
    let waiting = partner.outbox;
    if partner.put_off == 0 {
        return waiting.to_string();
    }
    let (put_off, why) = (partner.put_off, plain(&partner.put_off_why));
    let why = put_off_label(&why, lang);
    match lang {
        Lang::Zh => format!("{waiting}（其中 {put_off} 件对方暂不能接收：{why}）"),
        Lang::En => format!("{waiting} ({put_off} of them put off: {why})"),
    }
}

pub(super) fn print_partners(
    partners: &[pb::PartnerSummary],
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let lang = context.lang();
    if context.format() == Format::Json {
        return partners
            .iter()
            .try_for_each(|partner| print::json(context.out, &shown(partner)));
    }
    let mut table = print::table(
        lang,
        [
            "辖区",
            "名称",
            "地址",
            "状态",
            "待投递",
            "已验证",
            "时钟差（秒）",
            "密钥交换",
            "名片指纹",
        ],
        [
            "code",
            "name",
            "endpoint",
            "state",
            "outbox",
            "verified",
            "clock ahead, s",
            "key exchange",
            "card SHA-256",
        ],
    );
    for partner in partners {
        let mut standing = standing_label(partner, lang).to_owned();
        match change(partner) {
            Some(PartnerChange::Resume) => {
                standing.push_str(lang.pick("；恢复待批准", "; resuming waits for approval"));
            }
            Some(PartnerChange::Remove) => {
                standing.push_str(lang.pick("；移除待批准", "; removal waits for approval"));
            }
            None => {}
        }
        if !partner.left_out.is_empty() {
            standing.push_str(lang.pick("；不可用：", "; left out: "));
            standing.push_str(&plain(&partner.left_out));
        }
        // What is signed and does not go together is said beside the state.
        match (partner.evidence, lang) {
            (0, _) => {}
            (kept, Lang::Zh) => standing.push_str(&format!(
                "；已存其日志不一致证据 {kept} 件，请联系其审计人员"
            )),
            (kept, Lang::En) => standing.push_str(&format!(
                "; {kept} pieces of evidence against its log are kept, call its auditor"
            )),
        }
        // Grouped as on the card, so that it can be compared aloud.
        let fingerprint = partner
            .card_fingerprint
            .parse::<Fingerprint>()
            .map_or_else(|_| plain(&partner.card_fingerprint), |f| f.to_string());
        table.add_row([
            plain(&partner.jurisdiction),
            plain(&partner.name),
            plain(&partner.endpoint),
            standing,
            outbox(partner, lang),
            partner.verified_size.to_string(),
            partner.clock_ahead_s.map_or_else(String::new, clock),
            key_exchange(partner),
            fingerprint,
        ]);
    }
    writeln!(context.out, "{table}")?;
    Ok(())
}
