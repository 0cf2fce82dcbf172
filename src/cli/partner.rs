//! `yichuan partner`: node cards, and whom this node exchanges with.

mod change;
mod list;

pub(super) use list::partners;

use super::{
    context::{Context, block_on, node_verifier_key, read_card},
    exit::{Exit, Failure},
    print::{self, Format},
};
use crate::{
    api::json::Card,
    domain::{Jurisdiction, Lang},
    entry::{PartnerChange, pb},
    store::durable,
    tls::{CardFacts, CertDir, NodeCard},
};
use change::ApproveArgs;
use clap::{Args, Subcommand};
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
    Approve(ApproveArgs),
    /// 停用，即时生效 / Cut a partner off, at once. What goes to it is taken and waits.
    Suspend {
        /// 辖区代码 / The partner's code.
        code: Jurisdiction,
    },
    /// 恢复停用的对方，须两人 / Let a suspended partner in again: one drafts it, another supervisor approves it.
    Resume {
        /// 辖区代码 / The partner's code.
        code: Jurisdiction,
        /// 批准他人所提 / Approve what somebody else drafted.
        #[arg(long)]
        approve: bool,
    },
    /// 移除对方，须两人 / End the exchange with a partner: one drafts it, another supervisor approves it.
    Remove {
        /// 辖区代码 / The partner's code.
        code: Jurisdiction,
        /// 批准他人所提 / Approve what somebody else drafted.
        #[arg(long)]
        approve: bool,
    },
    /// 列出 / List partners and drafts.
    List,
}

pub(super) fn run(args: &PartnerArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match &args.command {
        PartnerCommand::Card { dir, out: file } => card(dir, file.as_deref(), context)?,
        PartnerCommand::Add { path } => add(path, context)?,
        PartnerCommand::Approve(args) => change::approve(args, context)?,
        PartnerCommand::Suspend { code } => change::suspend(*code, context)?,
        PartnerCommand::Resume { code, approve } => {
            change::change((*code, PartnerChange::Resume, *approve), context)?;
        }
        PartnerCommand::Remove { code, approve } => {
            change::change((*code, PartnerChange::Remove, *approve), context)?;
        }
        PartnerCommand::List => list::list(context)?,
    }
    Ok(Exit::Done)
}

fn card(dir: &Path, file: Option<&Path>, context: &mut Context<'_>) -> Result<(), Failure> {
    let config = context.config()?;
    let vkey = node_verifier_key(&config)?.to_string();
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
    print_card(&card, file, context)
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

fn print_card(card: &NodeCard, file: &Path, context: &mut Context<'_>) -> Result<(), Failure> {
    let lang = context.lang();
    if context.format() == Format::Json {
        return print::json(
            context.out,
            &Card {
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
    writeln!(
        context.out,
        "{code} {name} {} {}",
        card.endpoint(),
        file.display()
    )?;
    for (zh, en, fingerprint) in [
        ("名片指纹", "card", card.fingerprint()),
        ("CA 指纹", "CA  ", card.ca_fingerprint()),
        ("日志公钥指纹", "key ", card.key_fingerprint()),
    ] {
        writeln!(context.out, "{} SHA-256: {fingerprint}", lang.pick(zh, en))?;
    }
    Ok(())
}

fn add(path: &Path, context: &mut Context<'_>) -> Result<(), Failure> {
    let card = read_card(path)?;
    let summary = block_on(async {
        let node = context.connect()?;
        let request = pb::ProposePartnerRequest {
            grounds: node.grounds(),
            card: card.as_str().as_bytes().to_vec().into(),
        };
        let mut client = node.partners();
        node.patient(async || client.propose_partner(request.clone()).await)
            .await
    })?;
    if context.format() == Format::Json {
        return print::json(context.out, &list::shown(&summary));
    }
    print_card(&card, path, context)?;
    let code = card.jurisdiction();
    writeln!(
        context.out,
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
