//! Options that every command takes: as whom, why, of which node, and in what form. [`super::context`] resolves them.

use super::print::Format;
use crate::{
    domain::{Jurisdiction, Lang},
    tls::EndpointUrl,
};
use clap::Args;
use std::path::PathBuf;

/// Options that any command takes.
#[derive(Args, Debug)]
#[command(next_help_heading = "通用 / Global")]
pub(super) struct Global {
    /// 配置文件 / Configuration. Else YICHUAN_CONFIG, else /etc/yichuan/node.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// 以谁的身份 / Identity: the stem of certificate and key in `client.identities`, such as officer-001.
    #[arg(long = "as", global = true, value_name = "NAME", env = "YICHUAN_AS")]
    pub(super) identity: Option<String>,
    /// 用途 / Purpose: screening, case, assistance, supervision or audit.
    #[arg(
        long,
        global = true,
        value_name = "PURPOSE",
        env = "YICHUAN_PURPOSE",
        hide_env_values = true
    )]
    pub(super) purpose: Option<String>,
    /// 依据 / Basis: case:A and 22 digits, lead:<uuid>, referral:<uuid>, or campaign:<code>-<year>-<number>.
    #[arg(
        long,
        global = true,
        value_name = "BASIS",
        env = "YICHUAN_BASIS",
        hide_env_values = true
    )]
    pub(super) basis: Option<String>,
    /// 连接的节点 / Node to ask. Else `client.node` of the configuration.
    #[arg(long, global = true, value_name = "URL")]
    pub(super) node: Option<EndpointUrl>,
    /// 该节点的辖区 / Whose node that is. Else the card's, else one's own.
    #[arg(long, global = true, value_name = "CODE")]
    pub(super) node_jurisdiction: Option<Jurisdiction>,
    /// 节点名片 / Node card: whose CA and log key to trust.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) card: Option<PathBuf>,
    /// 输出格式 / Form of the output.
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value = "table"
    )]
    pub(super) format: Format,
    /// 语言 / Language, zh or en. Else the locale's.
    #[arg(long, global = true, value_name = "LANG")]
    pub(super) lang: Option<Lang>,
}
