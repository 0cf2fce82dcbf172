//! The command line as it is typed. What it comes to, [`super::context`] resolves.

use super::{
    audit::AuditArgs, caught::CaughtArgs, certs::CertsArgs, config::ConfigArgs, doctor::DoctorArgs,
    global::Global, init::InitArgs, lead::LeadArgs, partner::PartnerArgs, referral::ReferralArgs,
    serve::ServeArgs,
};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// 驿传：辖区之间交换线索，每一次投递都可审计 / Exchange of leads between jurisdictions in which every delivery is also an
/// audit.
#[derive(Debug, Parser)]
#[command(
    name = "yichuan",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "退出码 / Exit codes: 0 done, 1 some rows rejected, 64 usage, 65 bad data, 66 no input, 69 node \
                  unreachable, 70 internal, 77 refused, 78 configuration."
)]
pub(super) struct CommandLine {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// 演示 / Show the exchange at work: nodes on this machine, a sheet, and an audit.
    Demo(DemoArgs),
    /// 新建节点 / Make a new node's directory.
    Init(InitArgs),
    /// 运行节点 / Run the node. TERM drains, a second TERM leaves at once, HUP reloads.
    Serve(ServeArgs),
    /// 配置 / The configuration.
    Config(ConfigArgs),
    /// 证书 / Certificates of the jurisdiction: its CA, its node, its people.
    Certs(CertsArgs),
    /// 对方节点 / Partners and node cards.
    Partner(PartnerArgs),
    /// 线索 / Leads.
    Lead(LeadArgs),
    /// 协查、移送 / Referrals: matters that ask a partner to act.
    Referral(ReferralArgs),
    /// 抓获通报 / Caught notices: tell an origin that one of its residents was caught.
    Caught(CaughtArgs),
    /// 审计 / The log: replay it, verify it, write it out.
    Audit(AuditArgs),
    /// 检查修复 / Examine the directory of a stopped node, or copy what is proved of it into a fresh one.
    Doctor(DoctorArgs),
}

/// 演示 / Show the exchange at work: nodes on this machine, a sheet, and an audit.
#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    /// 保留目录 / Keep everything in this directory. Else it is removed at the end.
    #[arg(long, value_name = "DIR")]
    pub(super) keep: Option<PathBuf>,
    /// 演示后继续运行 / Leave the nodes up until interrupted, and say what to try.
    #[arg(long)]
    pub(super) serve: bool,
}
