//! `yichuan serve`: the node.

use super::{
    context::{Context, runtime},
    doctor,
    exit::{Exit, Failure},
};
use crate::{
    log::OpenError,
    node::{self, DataDirError, NodeError, StartError},
    store::OpenStoreError,
    telemetry::{LogFormat, init_logs},
};
use clap::Args;
use std::io;

/// 运行节点 / Run the node. TERM drains, a second TERM leaves at once, HUP reloads.
#[derive(Args, Debug)]
pub(super) struct ServeArgs {
    /// 日志格式 / Form of the log on stderr, text or json. YICHUAN_LOG says what is logged.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

pub(super) fn run(args: &ServeArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let config = context.config()?;
    let path = config.path.clone();
    init_logs(args.log_format, "info")?;
    runtime(tokio::runtime::Builder::new_multi_thread())?
        .block_on(node::serve(config))
        .map_err(|error| {
            let failure = Failure::of(exit_of(&error), &error);
            if is_damage(&error) {
                doctor::hint(failure, &path)
            } else {
                failure
            }
        })?;
    Ok(Exit::Done)
}

/// Whether what is on the disk keeps the node from starting, and `doctor` knows more.
fn is_damage(error: &NodeError) -> bool {
    let NodeError::Start(error) = error else {
        return false;
    };
    match error {
        StartError::OpenStore(error) => match error {
            OpenStoreError::Lock(_) => false,
            OpenStoreError::Io { source, .. } | OpenStoreError::Storage { source, .. } => {
                !is_shortage(source)
            }
            OpenStoreError::Engine { .. } | OpenStoreError::UnsyncedBlobs { .. } => true,
        },
        StartError::OpenLog(OpenError::Thread(_)) => false,
        StartError::Store(_)
        | StartError::OpenLog(_)
        | StartError::Vault(_)
        | StartError::Views(_)
        | StartError::Witness(_)
        | StartError::Partners(_)
        | StartError::Files(DataDirError::Malformed(_)) => true,
        StartError::Files(_)
        | StartError::Trust(_)
        | StartError::Tls(_)
        | StartError::Listen { .. }
        | StartError::Log(_) => false,
    }
}

/// Too little memory, or too few files or threads: nothing of that is on the disk.
fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let shortages = [Errno::NOMEM, Errno::AGAIN, Errno::MFILE, Errno::NFILE];
    Errno::from_io_error(error).is_some_and(|errno| shortages.contains(&errno))
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
        | NodeError::Admin(_)
        | NodeError::Files(_) => Exit::Configuration,
        NodeError::Start(
            StartError::OpenStore(_)
            | StartError::Views(_)
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
