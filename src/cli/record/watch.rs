//! `referral watch`: referrals as they change. Ids and states only. The node logs what it shows, as it logs a list.

use super::{client, row::Term};
use crate::{
    cli::{
        client::Connection,
        context::{Context, block_on},
        exit::{Exit, Failure},
        print::{self, Format, plain, remark},
    },
    domain::{Family, Lang},
    entry::pb,
};
use clap::Args;
use serde::Serialize;
use std::{convert::Infallible, time::Duration};

/// Between attempts to reach a node that went away: the first wait, doubled each time up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

#[derive(Args, Debug)]
pub(in crate::cli) struct WatchArgs {
    /// 从此之后 / Changes after this index in the node's log: the last one seen. Else from now on.
    #[arg(long, value_name = "INDEX")]
    after: Option<u64>,
}

pub(in crate::cli) fn run(args: &WatchArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    block_on(async {
        let node = context.connect()?;
        tokio::select! {
            watched = watch(args.after, &node, context) => watched.map(|never| match never {}),
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.map_err(|error| Failure::of(Exit::Internal, &error))?;
                Ok(Exit::Done)
            }
        }
    })
}

/// Follows without end. A node that was reached once is waited for when it goes away: nothing that it logs meanwhile is
/// missed, as the watch resumes behind the last change seen.
async fn watch(
    mut after: Option<u64>,
    node: &Connection,
    context: &mut Context<'_>,
) -> Result<Infallible, Failure> {
    let mut reached = false;
    let mut wait = FIRST_WAIT;
    loop {
        let lost = match client::watch(Family::Referral, node, after).await {
            Ok(mut changes) => {
                (reached, wait) = (true, FIRST_WAIT);
                loop {
                    match node.follow(&mut changes).await {
                        Ok(Some(change)) => {
                            if after.is_some_and(|after| change.log_index < after) {
                                return Err(node.nonsense("changes that go back"));
                            }
                            after = Some(change.log_index);
                            print(&change, context)?;
                        }
                        Ok(None) => break None,
                        Err(failure) => break Some(failure),
                    }
                }
            }
            Err(failure) => Some(failure),
        };
        if let Some(failure) = lost
            && (!reached || failure.exit() != Exit::Unreachable)
        {
            return Err(failure);
        }
        gone(after, wait, context.lang());
        tokio::time::sleep(wait).await;
        wait = LONGEST_WAIT.min(wait * 2);
    }
}

fn gone(after: Option<u64>, wait: Duration, lang: Lang) {
    let seconds = wait.as_secs();
    let from = match (after, lang) {
        (Some(after), Lang::Zh) => format!("从第 {after} 条之后继续"),
        (Some(after), Lang::En) => format!("resumes after entry {after}"),
        // Nothing was seen yet, so there is no place to resume from.
        (None, Lang::Zh) => "其间的变化可能漏掉，可用 --after 补看".to_owned(),
        (None, Lang::En) => "what changes meanwhile may be missed; --after shows it".to_owned(),
    };
    remark(&match lang {
        Lang::Zh => format!("与节点的连接断开，{seconds} 秒后重连；{from}"),
        Lang::En => format!("the node went away, asking again in {seconds} s; {from}"),
    });
}

#[derive(Serialize)]
struct Change<'a> {
    log_index: u64,
    referral_id: &'a str,
    state: Term,
}

/// One line, out at once.
fn print(change: &pb::WatchRecordsResponse, context: &mut Context<'_>) -> Result<(), Failure> {
    let Some(referral) = change.record.clone().map(client::row) else {
        return Ok(());
    };
    let state = referral.state.unwrap_or(Term::UNKNOWN);
    match context.format() {
        Format::Json => print::json(
            context.out,
            &Change {
                log_index: change.log_index,
                referral_id: &referral.id,
                state,
            },
        )?,
        Format::Table => writeln!(
            context.out,
            "{:>8}  {:<36}  {}",
            change.log_index,
            plain(&referral.id),
            state.label(context.lang())
        )?,
    }
    Ok(context.out.flush()?)
}
