//! `yichuan partner`: node cards, and whom this node exchanges with.

use super::{
    client::Connection,
    config::verifier_key,
    context::{Context, block_on, read_card},
    exit::{Exit, Failure},
    print::{self, Format, plain},
};
use crate::{
    domain::{Jurisdiction, Lang},
    exchange::SKEW_TOLERATED_S,
    record::pb,
    store::durable,
    tls::{CardFacts, CertDir, Fingerprint, NodeCard},
};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::{
    fs::Permissions,
    io::{self, Write},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// 对方节点 / Partners and node cards.
#[derive(Args, Debug)]
pub(super) struct PartnerArgs {
    #[command(subcommand)]
    command: PartnerCommand,
}

#[derive(Debug, Subcommand)]
enum PartnerCommand {
    /// 制作本节点名片 / Make this node's card, signed by the CA key.
    Card {
        /// 证书目录 / Directory of the CA, with its key.
        #[arg(long, value_name = "DIR", default_value = "certs")]
        dir: PathBuf,
        /// 写到 / File to write. Else <code>.card here.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// 登记名片 / Draft a partner from its card. Counts for nothing until a supervisor approves it.
    Add {
        /// 名片 / The partner's node card.
        #[arg(value_name = "CARD")]
        path: PathBuf,
    },
    /// 批准 / Approve a draft, by the fingerprint that was compared out of band.
    Approve {
        /// 辖区代码 / The partner's code.
        code: Jurisdiction,
        /// 名片指纹 / SHA-256 of the card, as the partner read it to you; spaces and colons allowed.
        #[arg(long, value_name = "SHA256")]
        fingerprint: Fingerprint,
    },
    /// 列出 / List partners and drafts.
    List,
}

pub(super) fn run(
    args: &PartnerArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match &args.command {
        PartnerCommand::Card { dir, out: file } => card(dir, file.as_deref(), context, out)?,
        PartnerCommand::Add { path } => add(path, context, out)?,
        PartnerCommand::Approve { code, fingerprint } => {
            approve(*code, fingerprint, context, out)?;
        }
        PartnerCommand::List => list(context, out)?,
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct CardRow<'a> {
    jurisdiction: String,
    name: &'a str,
    endpoint: &'a str,
    origin: &'a str,
    file: &'a Path,
    card_fingerprint: String,
    ca_fingerprint: String,
    key_fingerprint: String,
}

fn card(
    dir: &Path,
    file: Option<&Path>,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let config = context.config()?;
    let vkey = verifier_key(&config)?.to_string();
    let ca = CertDir::open(dir)
        .and_then(|dir| dir.ca())
        .map_err(|error| super::certs::failure(error.into()))?;
    if ca.authority().jurisdiction() != config.jurisdiction {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "{} 中是 {} 的 CA，本节点属 {}",
                dir.display(),
                ca.authority().jurisdiction(),
                config.jurisdiction
            ),
            format!(
                "{} holds the CA of {}, this node is that of {}",
                dir.display(),
                ca.authority().jurisdiction(),
                config.jurisdiction
            ),
        ));
    }
    let facts = CardFacts {
        name: &config.name,
        endpoint: &config.listen.endpoint,
        vkey: &vkey,
    };
    let card = NodeCard::make(&ca, &facts, context.clock())?;
    let default = PathBuf::from(format!("{}.card", config.jurisdiction));
    let file = file.unwrap_or(&default);
    write_new(file, card.as_str().as_bytes())?;
    print_card(&card, file, context, out)
}

/// Never over another card: a partner may have compared that one.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    // Whole or not at all: a torn card would stand in the way of the next attempt.
    let written = || {
        let mut file = tempfile::Builder::new()
            .prefix(".yichuan-")
            .suffix(".unfinished")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|kept| kept.error)?;
        durable::sync_directory(directory)
    };
    written().map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return Failure::new(
                Exit::Refused,
                format!("{} 已存在；请用 --out 另写一个文件", path.display()),
                format!("{} exists; name another file with --out", path.display()),
            );
        }
        Failure::of(Exit::Internal, &error).at(path.display())
    })
}

fn print_card(
    card: &NodeCard,
    file: &Path,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let lang = context.lang();
    if context.format() == Format::Json {
        return print::json(
            out,
            &CardRow {
                jurisdiction: card.jurisdiction().to_string(),
                name: card.name(),
                endpoint: card.endpoint().as_str(),
                origin: card.origin(),
                file,
                card_fingerprint: card.fingerprint().to_hex(),
                ca_fingerprint: card.ca_fingerprint().to_hex(),
                key_fingerprint: card.key_fingerprint().to_hex(),
            },
        );
    }
    let (name, code) = (card.name(), card.jurisdiction());
    writeln!(out, "{code} {name} {} {}", card.endpoint(), file.display())?;
    for (zh, en, fingerprint) in [
        ("名片指纹", "card", card.fingerprint()),
        ("CA 指纹", "CA  ", card.ca_fingerprint()),
        ("日志公钥指纹", "key ", card.key_fingerprint()),
    ] {
        writeln!(out, "{} SHA-256: {fingerprint}", lang.pick(zh, en))?;
    }
    Ok(())
}

fn add(path: &Path, context: &Context<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    let card = read_card(path)?;
    let summary = block_on(async {
        let node = context.connect()?;
        let request = pb::ProposePartnerRequest {
            grounds: node.grounds(),
            card: card.as_str().as_bytes().to_vec().into(),
        };
        let mut client = node.partners();
        node.call(client.propose_partner(request)).await
    })?;
    if context.format() == Format::Json {
        return print::json(out, &Row::from(&summary));
    }
    print_card(&card, path, context, out)?;
    let code = card.jurisdiction();
    writeln!(
        out,
        "{}",
        match context.lang() {
            Lang::Zh => format!(
                "已登记，待批准。请由另一人线下向 {code} 核对名片指纹，然后：yichuan partner approve {code} --fingerprint …"
            ),
            Lang::En => format!(
                "Drafted. Somebody else, a supervisor, compares the card's fingerprint with {code} out of band, and then: \
                 yichuan partner approve {code} --fingerprint …"
            ),
        }
    )?;
    Ok(())
}

fn approve(
    code: Jurisdiction,
    fingerprint: &Fingerprint,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let summary = block_on(async {
        let node = context.connect()?;
        let request = pb::ApprovePartnerRequest {
            grounds: node.grounds(),
            jurisdiction: code.to_string(),
            fingerprint: fingerprint.to_hex(),
        };
        let mut client = node.partners();
        node.call(client.approve_partner(request)).await
    })?;
    print_partners(&[summary], context, out)
}

fn list(context: &Context<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    let partners = block_on(async { partners(&context.connect()?).await })?;
    print_partners(&partners, context, out)
}

/// Partners and drafts of a node.
pub(super) async fn partners(node: &Connection) -> Result<Vec<pb::PartnerSummary>, Failure> {
    let request = pb::ListPartnersRequest {
        grounds: node.grounds(),
    };
    let mut client = node.partners();
    let listed = node.patient(async || client.list_partners(request.clone()).await);
    Ok(listed.await?.partners)
}

#[derive(Serialize)]
struct Row<'a> {
    jurisdiction: &'a str,
    name: &'a str,
    endpoint: &'a str,
    origin: &'a str,
    approved: bool,
    connected: bool,
    outbox: u64,
    verified_size: u64,
    proposed_by: &'a str,
    approved_by: Option<&'a str>,
    card_fingerprint: &'a str,
    ca_fingerprint: &'a str,
    key_fingerprint: &'a str,
    clock_ahead_s: Option<i64>,
}

impl<'a> From<&'a pb::PartnerSummary> for Row<'a> {
    fn from(partner: &'a pb::PartnerSummary) -> Self {
        Self {
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
        }
    }
}

/// A clock that is off by more than minutes stands out.
fn clock(ahead_s: i64) -> String {
    let off = ahead_s.unsigned_abs() > SKEW_TOLERATED_S;
    format!("{ahead_s:+}{}", if off { " !" } else { "" })
}

fn print_partners(
    partners: &[pb::PartnerSummary],
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let lang = context.lang();
    if context.format() == Format::Json {
        return partners
            .iter()
            .try_for_each(|partner| print::json(out, &Row::from(partner)));
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
            "card SHA-256",
        ],
    );
    for partner in partners {
        let state = match (partner.approved, partner.connected) {
            (false, _) => lang.pick("待批准", "draft"),
            (true, false) => lang.pick("未连接", "not connected"),
            (true, true) => lang.pick("已连接", "connected"),
        };
        // Grouped as on the card, so that it can be compared aloud.
        let fingerprint = partner
            .card_fingerprint
            .parse::<Fingerprint>()
            .map_or_else(|_| plain(&partner.card_fingerprint), |f| f.to_string());
        table.add_row([
            plain(&partner.jurisdiction),
            plain(&partner.name),
            plain(&partner.endpoint),
            state.to_owned(),
            partner.outbox.to_string(),
            partner.verified_size.to_string(),
            partner.clock_ahead_s.map_or_else(String::new, clock),
            fingerprint,
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}
