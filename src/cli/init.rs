//! `yichuan init`: a new node's directory.

use super::{
    context::Context,
    exit::{Exit, Failure},
    print::{self, Format},
};
use crate::{
    config::{NewNode, render},
    domain::{Jurisdiction, Lang},
    node::{self, DataDirError},
    store::durable,
    tls::EndpointUrl,
};
use clap::Args;
use serde::Serialize;
use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

const CONFIG: &str = "node.toml";
/// As it is written first.
const NEW_CONFIG: &str = "node.toml.new";
const DATA: &str = "data";

/// 新建节点 / Make a new node's directory: its configuration, its log key, its data.
#[derive(Args, Debug)]
pub(super) struct InitArgs {
    /// 辖区代码 / Code of the jurisdiction, such as 520624.
    #[arg(long, value_name = "CODE")]
    jurisdiction: Jurisdiction,
    /// 节点名称 / Name of the node, as partners see it.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// 新目录 / Directory to make; must not hold anything.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// 监听地址 / Where the node listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7443")]
    listen: SocketAddr,
    /// 对外地址 / What partners dial. Else https:// and the listening address.
    #[arg(long, value_name = "URL")]
    endpoint: Option<EndpointUrl>,
    /// 健康检查与指标 / Health and metrics, on loopback.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7480")]
    admin: SocketAddr,
}

#[derive(Serialize)]
struct Made<'a> {
    config: &'a Path,
    data: &'a Path,
    verifier_key: String,
}

pub(super) fn run(args: &InitArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let endpoint = endpoint(args)?;
    if !args.admin.ip().is_loopback() {
        return Err(Failure::new(
            Exit::Usage,
            "--admin 须为本机地址，如 127.0.0.1:7480；它不核对身份",
            "--admin must be a loopback address such as 127.0.0.1:7480; it asks nobody who they are",
        ));
    }
    let config = args.dir.join(CONFIG);
    let data = args.dir.join(DATA);
    let text = render(&NewNode {
        jurisdiction: args.jurisdiction,
        name: &args.name,
        address: args.listen,
        endpoint: &endpoint,
        admin: args.admin,
        partners: &[],
    });
    vacant(&args.dir, &text)?;
    // Before the key, which makes the directory a node: whatever cuts this off, it can be given again.
    write(&args.dir, &config, &text)?;
    let key = node::data_dir::create(&data, args.jurisdiction).map_err(|error| {
        let exit = match &error {
            DataDirError::Exists(_) => Exit::Refused,
            DataDirError::Io { .. }
            | DataDirError::NotANode(_)
            | DataDirError::Malformed(_)
            | DataDirError::OtherKey { .. }
            | DataDirError::Exposed(_)
            | DataDirError::Foreign { .. }
            | DataDirError::Signer(_) => Exit::Internal,
        };
        Failure::of(exit, &error)
    })?;
    match context.format() {
        Format::Json => print::json(
            context.out,
            &Made {
                config: &config,
                data: &data,
                verifier_key: key.to_string(),
            },
        )?,
        Format::Table => {
            writeln!(context.out, "{}", config.display())?;
            writeln!(context.out, "vkey: {key}")?;
            writeln!(context.out, "{}", next_steps(args, &config, context.lang()))?;
        }
    }
    Ok(Exit::Done)
}

fn endpoint(args: &InitArgs) -> Result<EndpointUrl, Failure> {
    let missing = || {
        Failure::new(
            Exit::Usage,
            "请用 --endpoint 写明对方连接的地址，如 https://node.example:7443",
            "say what partners dial, with --endpoint, such as https://node.example:7443; the listening address does not \
             tell",
        )
    };
    match &args.endpoint {
        Some(endpoint) => Ok(endpoint.clone()),
        None if args.listen.ip().is_unspecified() => Err(missing()),
        None => format!("https://{}", args.listen)
            .parse()
            .map_err(|_| missing()),
    }
}

fn write(dir: &Path, config: &Path, text: &str) -> Result<(), Failure> {
    let at = |path: &Path| {
        let path = path.display().to_string();
        move |error| Failure::of(Exit::Internal, &error).at(path)
    };
    durable::create_directory(dir, 0o777).map_err(at(dir))?;
    durable::write_whole(config, text.as_bytes(), 0o666).map_err(at(config))?;
    durable::sync_directory(dir).map_err(at(dir))
}

/// Nothing that is there is ever written over, but for what this same command left when it was cut off: there is no log
/// key yet then.
fn vacant(dir: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error| Failure::of(Exit::Internal, &error).at(dir.display());
    let is_left = |name: &str| -> io::Result<bool> {
        Ok(match name {
            CONFIG => fs::read(dir.join(CONFIG))? == text.as_bytes(),
            NEW_CONFIG => true,
            DATA => names(&dir.join(DATA))?
                .iter()
                .all(|name| node::data_dir::BEFORE_KEY.contains(&name.as_str())),
            _ => false,
        })
    };
    for name in names(dir).map_err(failed)? {
        if !is_left(&name).map_err(failed)? {
            return Err(not_empty(dir));
        }
    }
    Ok(())
}

/// Makes a directory that does not hold anything.
pub(super) fn empty(dir: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::of(Exit::Internal, &error).at(dir.display());
    fs::create_dir_all(dir).map_err(failed)?;
    if names(dir).map_err(failed)?.is_empty() {
        return Ok(());
    }
    Err(not_empty(dir))
}

fn not_empty(dir: &Path) -> Failure {
    Failure::new(
        Exit::Refused,
        format!("{} 不是空目录；请另选目录", dir.display()),
        format!("{} is not empty: name a new directory", dir.display()),
    )
}

/// What is in a directory; nothing where there is none.
fn names(dir: &Path) -> io::Result<Vec<String>> {
    let items = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        items => items?,
    };
    items
        .map(|item| Ok(item?.file_name().to_string_lossy().into_owned()))
        .collect()
}

fn next_steps(args: &InitArgs, config: &Path, lang: Lang) -> String {
    let (code, config) = (args.jurisdiction, config.display());
    let certs = args.dir.join("certs");
    let certs = certs.display();
    let [ca, issue, check, card, serve] = [
        format!("yichuan certs ca {code} --dir {certs}"),
        format!(
            "yichuan certs issue node officer-001 supervisor-001 supervisor-002 auditor-001 admin-001 --dir {certs}"
        ),
        format!("yichuan --config {config} config check"),
        format!("yichuan --config {config} partner card --dir {certs}"),
        format!("yichuan --config {config} serve"),
    ];
    match lang {
        Lang::Zh => format!(
            "接下来：\n1. 建立 CA（私钥离线保管）：{ca}\n2. 签发证书：{issue}\n3. 核对配置：{check}\n\
             4. 制作节点名片，并线下与对方核对指纹：{card}\n5. 运行节点：{serve}"
        ),
        Lang::En => format!(
            "Next:\n1. Make the CA; its key stays offline: {ca}\n2. Issue certificates: {issue}\n\
             3. Check the configuration: {check}\n4. Make the node card, and compare fingerprints out of band: {card}\n\
             5. Run the node: {serve}"
        ),
    }
}
