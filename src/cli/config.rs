//! `yichuan config`: what counts, and whether it holds.

use super::{
    context::{Context, authority},
    exit::{Exit, Failure},
    print::{self, Format},
};
use crate::{
    access::{Principal, Quota},
    config::Config,
    domain::{Clock, Lang},
    node::files::Files,
    note::VerifierKey,
    tls::{Authority, Credentials, Crl},
};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::{collections::BTreeMap, fs, io::Write};

/// 配置 / The configuration.
#[derive(Args, Debug)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum ConfigCommand {
    /// 核对配置 / Check it, and the certificates and keys that it names. Nothing is changed.
    Check,
    /// 显示配置 / Show it as it counts: defaults filled in, the environment laid over it.
    Show,
}

pub(super) fn run(
    args: &ConfigArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let config = context.config()?;
    match args.command {
        ConfigCommand::Show => show(&config, context.format(), out),
        ConfigCommand::Check => check(&config, context, out),
    }
}

/// The configuration under the names of the file's keys: what is shown could be read again.
#[derive(Serialize)]
struct Shown<'a> {
    jurisdiction: String,
    name: &'a str,
    data: String,
    listen: Listen,
    tls: Tls,
    access: Access,
    client: Client,
    check: Check,
    limits: Limits,
    quotas: BTreeMap<&'static str, u32>,
}

#[derive(Serialize)]
struct Listen {
    address: String,
    endpoint: String,
    admin: String,
}

#[derive(Serialize)]
struct Tls {
    cert: String,
    key: String,
    ca: String,
    crl: String,
}

#[derive(Serialize)]
struct Access {
    auditors: Vec<String>,
    units: BTreeMap<String, Vec<String>>,
}

#[derive(Serialize)]
struct Client {
    node: String,
    identities: String,
}

#[derive(Serialize)]
struct Check {
    partners: Vec<String>,
}

#[derive(Serialize)]
struct Limits {
    connections: usize,
    connections_per_address: usize,
    connections_per_principal: usize,
    handshakes: usize,
    requests_per_connection: usize,
    handshake_timeout_s: u64,
    drain_s: u64,
    disk_reserve_mib: u64,
}

impl<'a> From<&'a Config> for Shown<'a> {
    fn from(config: &'a Config) -> Self {
        let Config {
            path: _,
            jurisdiction,
            name,
            data,
            listen,
            tls,
            access,
            client,
            check,
            limits,
            quotas,
        } = config;
        let texts = |items: &mut dyn Iterator<Item = String>| items.collect();
        Self {
            jurisdiction: jurisdiction.to_string(),
            name,
            data: data.display().to_string(),
            listen: Listen {
                address: listen.address.to_string(),
                endpoint: listen.endpoint.to_string(),
                admin: listen.admin.to_string(),
            },
            tls: Tls {
                cert: tls.cert.display().to_string(),
                key: tls.key.display().to_string(),
                ca: tls.ca.display().to_string(),
                crl: tls.crl.display().to_string(),
            },
            access: Access {
                auditors: texts(&mut access.auditors.iter().map(ToString::to_string)),
                units: access
                    .units
                    .iter()
                    .map(|(name, members)| {
                        let members = texts(&mut members.iter().map(ToString::to_string));
                        (name.to_string(), members)
                    })
                    .collect(),
            },
            client: Client {
                node: client.node.to_string(),
                identities: client.identities.display().to_string(),
            },
            check: Check {
                partners: texts(&mut check.partners.iter().map(ToString::to_string)),
            },
            limits: Limits {
                connections: limits.connections,
                connections_per_address: limits.connections_per_address,
                connections_per_principal: limits.connections_per_principal,
                handshakes: limits.handshakes,
                requests_per_connection: limits.requests_per_connection,
                handshake_timeout_s: limits.handshake_timeout.as_secs(),
                drain_s: limits.drain.as_secs(),
                disk_reserve_mib: limits.disk_reserve / 1024 / 1024,
            },
            quotas: Quota::ALL
                .iter()
                .map(|quota| (quota.as_str(), quotas.limit(*quota)))
                .chain([("streams", quotas.streams)])
                .collect(),
        }
    }
}

fn show(config: &Config, format: Format, out: &mut dyn Write) -> Result<Exit, Failure> {
    let shown = Shown::from(config);
    match format {
        Format::Json => print::json(out, &shown)?,
        Format::Table => {
            let text =
                toml::to_string(&shown).map_err(|error| Failure::of(Exit::Internal, &error))?;
            writeln!(out, "# {}", config.path.display())?;
            write!(out, "{text}")?;
        }
    }
    Ok(Exit::Done)
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    key: &'static str,
    ok: bool,
    message: String,
}

fn check(config: &Config, context: &Context<'_>, out: &mut dyn Write) -> Result<Exit, Failure> {
    let lang = context.lang();
    let findings = findings(config, context.clock(), lang);
    let good = findings.iter().all(|finding| finding.ok);
    match context.format() {
        Format::Json => {
            for finding in &findings {
                print::json(out, finding)?;
            }
        }
        Format::Table => {
            let mut table =
                print::table(lang, ["键", "结果", "说明"], ["key", "result", "message"]);
            for finding in findings {
                let result = match finding.ok {
                    true => lang.pick("通过", "ok"),
                    false => lang.pick("有误", "wrong"),
                };
                table.add_row([finding.key, result, &finding.message]);
            }
            writeln!(out, "{table}")?;
        }
    }
    if good {
        return Ok(Exit::Done);
    }
    Err(Failure::new(
        Exit::Configuration,
        format!("{} 中有不能用的内容，见上表", config.path.display()),
        format!(
            "{} names what cannot be used, see above",
            config.path.display()
        ),
    ))
}

fn findings(config: &Config, clock: &dyn Clock, lang: Lang) -> Vec<Finding> {
    let finding = |key, looked: Result<String, Failure>| Finding {
        key,
        ok: looked.is_ok(),
        message: looked.unwrap_or_else(|failure| failure.message(lang).to_owned()),
    };
    let authority = own_authority(config);
    let crl = match &authority {
        Ok(authority) => crl(config, authority, clock, lang),
        Err(_) => Err(Failure::new(
            Exit::Configuration,
            "没有 CA 证书则无法核对",
            "cannot be checked without the CA certificate",
        )),
    };
    let until = lang.pick("有效期至", "valid until");
    vec![
        finding("", Ok(config.path.display().to_string())),
        finding(
            "tls.ca",
            authority.map(|ca| format!("{until} {}", ca.not_after().shanghai_text())),
        ),
        finding("tls.crl", crl),
        finding("tls.cert", node_certificate(config, clock, lang)),
        finding("data", verifier_key(config).map(|key| key.to_string())),
    ]
}

fn own_authority(config: &Config) -> Result<Authority, Failure> {
    let authority = authority(&config.tls.ca)?;
    if authority.jurisdiction() == config.jurisdiction {
        return Ok(authority);
    }
    Err(Failure::new(
        Exit::Configuration,
        format!("是 {} 的 CA", authority.jurisdiction()),
        format!("is the CA of {}", authority.jurisdiction()),
    ))
}

fn crl(
    config: &Config,
    authority: &Authority,
    clock: &dyn Clock,
    lang: Lang,
) -> Result<String, Failure> {
    let path = config.tls.crl.display();
    let bytes = fs::read(&config.tls.crl)
        .map_err(|error| Failure::of(Exit::Configuration, &error).at(path.to_string()))?;
    let list = Crl::parse(&bytes, authority)
        .map_err(|error| Failure::of(Exit::Configuration, &error).at(path.to_string()))?;
    let until = list.next_update().shanghai_text();
    if !list.is_fresh(clock.now()) {
        return Err(Failure::new(
            Exit::Configuration,
            format!("吊销列表已于 {until} 到期；用 certs revoke 续期"),
            format!("the revocation list expired on {until}; renew it with `certs revoke`"),
        ));
    }
    let label = lang.pick("下次更新不晚于", "next update by");
    Ok(format!("{label} {until}"))
}

fn node_certificate(config: &Config, clock: &dyn Clock, lang: Lang) -> Result<String, Failure> {
    let credentials = Credentials::load(&config.tls.cert, &config.tls.key)?;
    let identity = credentials.identity();
    let until = identity.not_after().shanghai_text();
    if *identity.principal() != Principal::node(config.jurisdiction) {
        return Err(Failure::new(
            Exit::Configuration,
            format!("证书属于 {}", identity.principal()),
            format!("is the certificate of {}", identity.principal()),
        ));
    }
    if identity.not_after() <= clock.now() {
        return Err(Failure::new(
            Exit::Configuration,
            format!("证书已于 {until} 到期；用 certs issue node 重新签发"),
            format!("expired on {until}; issue another with `certs issue node`"),
        ));
    }
    let label = lang.pick("有效期至", "valid until");
    Ok(format!("{} {label} {until}", identity.principal()))
}

/// The verifier key of this node's log.
pub(super) fn verifier_key(config: &Config) -> Result<VerifierKey, Failure> {
    let path = Files::at(&config.data).vkey();
    let text = fs::read_to_string(&path).map_err(|error| {
        Failure::of(Exit::Configuration, &error)
            .at(path.display())
            .hint(
                "节点目录由 yichuan init 建立",
                "`yichuan init` makes a node's directory",
            )
    })?;
    let key: VerifierKey = text
        .trim()
        .parse()
        .map_err(|error: crate::note::MalformedKey| {
            Failure::of(Exit::Configuration, &error).at(path.display())
        })?;
    Ok(key)
}
