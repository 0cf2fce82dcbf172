//! `yichuan serve`: the node.

use super::{
    context::{Context, runtime},
    exit::{Exit, Failure},
};
use crate::{
    node::{self, NodeError, StartError},
    telemetry::{LogFormat, init_logs},
};
use clap::Args;

/// 运行节点 / Run the node. TERM drains, a second TERM leaves at once, HUP reloads.
#[derive(Args, Debug)]
pub(super) struct ServeArgs {
    /// 日志格式 / Form of the log on stderr, text or json. YICHUAN_LOG says what is logged.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

pub(super) fn run(args: &ServeArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let config = context.config()?;
    init_logs(args.log_format, "info")?;
    runtime(tokio::runtime::Builder::new_multi_thread())?
        .block_on(node::serve(config))
        .map_err(|error| Failure::of(exit_of(&error), &error))?;
    Ok(Exit::Done)
}

/// What the configuration names and is not fit to start with, the administrator mends there.
const fn exit_of(error: &NodeError) -> Exit {
    match error {
        NodeError::Start(
            StartError::Files(_)
            | StartError::Trust(_)
            | StartError::Tls(_)
            | StartError::Listen { .. },
        )
        | NodeError::Admin(_) => Exit::Configuration,
        NodeError::Start(
            StartError::OpenStore(_)
            | StartError::Store(_)
            | StartError::OpenLog(_)
            | StartError::Vault(_)
            | StartError::Witness(_)
            | StartError::Partners(_)
            | StartError::Log(_),
        )
        | NodeError::Metrics(_)
        | NodeError::Signals(_)
        | NodeError::Hurried => Exit::Internal,
    }
}
