//! `yichuan partner approve`, `suspend`, `resume`, `remove`: what becomes of a partner, said before and after.

use super::list::{self, partners, print_partners};
use crate::{
    api::json::PartnerChanged,
    casework::CardChange,
    cli::{
        context::{Context, block_on},
        exit::{Exit, Failure},
        print::{self, Format, plain, remark},
    },
    domain::{Jurisdiction, Lang},
    entry::{PartnerChange, pb},
    tls::Fingerprint,
};
use std::{
    collections::BTreeSet,
    io::{self, BufRead as _, IsTerminal as _},
};

/// What is typed at a question is at most so long.
const MAX_TYPED: u64 = 256;

/// What the one who approves a card says of it.
#[derive(clap::Args, Debug)]
pub(super) struct ApproveArgs {
    /// 辖区代码 / The partner's code.
    code: Jurisdiction,
    /// 名片指纹 / SHA-256 of the card, as the partner read it to you; spaces and colons allowed.
    #[arg(long, value_name = "SHA256")]
    fingerprint: Fingerprint,
    /// 与在用名片相比的全部改动 / What the card changes against the one in force, each confirmed with the partner: key, ca,
    /// origin, endpoint. On a terminal it is asked for.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    change: Vec<CardChange>,
    /// 接受另一份日志，放弃对原日志的核验 / Accept that the card is of this other log, and give up what was verified of the
    /// one before. It is in the entry.
    #[arg(long, value_name = "ORIGIN")]
    accept_new_log: Option<String>,
}

/// What a card changes, with the old value and the new.
struct Difference<'a> {
    what: CardChange,
    old: &'a str,
    new: &'a str,
}

fn differences<'a>(
    old: &'a pb::PartnerSummary,
    new: &'a pb::PartnerSummary,
) -> Vec<Difference<'a>> {
    let all = [
        (CardChange::Key, &old.key_fingerprint, &new.key_fingerprint),
        (CardChange::Ca, &old.ca_fingerprint, &new.ca_fingerprint),
        (CardChange::Origin, &old.origin, &new.origin),
        (CardChange::Endpoint, &old.endpoint, &new.endpoint),
    ];
    let changed = all.into_iter().filter(|(_, old, new)| old != new);
    changed
        .map(|(what, old, new)| Difference { what, old, new })
        .collect()
}

fn names(changes: &BTreeSet<CardChange>) -> String {
    let names: Vec<_> = changes.iter().map(|it| it.as_str()).collect();
    names.join(",")
}

/// Says what the card changes, and has it named: by flags, or on a terminal.
fn confirmed(
    args: &ApproveArgs,
    known: &[pb::PartnerSummary],
    (lang, asks): (Lang, bool),
) -> Result<(BTreeSet<CardChange>, Option<String>), Failure> {
    let mut named: BTreeSet<_> = args.change.iter().copied().collect();
    let mut accepted = args.accept_new_log.clone();
    let code = args.code.to_string();
    let of = |draft: bool| {
        known.iter().find(|it| {
            it.jurisdiction == code && (it.state == pb::PartnerState::Draft as i32) == draft
        })
    };
    // What is not there the node refuses.
    let (Some(old), Some(new)) = (of(false), of(true)) else {
        return Ok((named, accepted));
    };
    let differences = differences(old, new);
    let changes: BTreeSet<_> = differences.iter().map(|it| it.what).collect();
    for Difference { what, old, new } in &differences {
        remark(&format!(
            "{} {}: {} → {}",
            what.as_str(),
            what.label(lang),
            plain(old),
            plain(new)
        ));
    }
    if named.is_empty() && !changes.is_empty() && asks {
        remark(lang.pick(
            "与对方逐项核实后，写出全部改动的名称（如 key,ca），留空则不批准：",
            "Once each is confirmed with the partner, type the names of all that changes (as key,ca); nothing to leave it:",
        ));
        let typed = typed()?;
        let parsed: Result<_, _> = typed.split(',').map(|it| it.trim().parse()).collect();
        named = parsed.unwrap_or_default();
    }
    if named != changes {
        let changes = names(&changes);
        return Err(Failure::new(
            Exit::Refused,
            format!("名片的改动与所写的不符；核实后请写 --change {changes}"),
            format!(
                "what the card changes is not what was named; once it is confirmed: --change {changes}"
            ),
        ));
    }
    if changes.contains(&CardChange::Origin) && accepted.as_deref() != Some(&new.origin) {
        let (old_log, new_log, size) = (plain(&old.origin), plain(&new.origin), old.verified_size);
        let lost = match lang {
            Lang::Zh => format!(
                "不能证明 {new_log} 接续 {old_log}：已核验的 {size} 条此后不再对照，对方若否认，只有本节点日志可证"
            ),
            Lang::En => format!(
                "nothing proves that {new_log} succeeds {old_log}: the {size} entries verified of it are compared with \
                 nothing any more, and what the partner then denies only our own log shows"
            ),
        };
        remark(&lost);
        if accepted.is_none() && asks {
            remark(lang.pick(
                "仍要接受，请写出新日志名，留空则不批准：",
                "To accept it all the same, type the new log's name; nothing to leave it:",
            ));
            accepted = Some(typed()?);
        }
        if accepted.as_deref() != Some(&new.origin) {
            return Err(Failure::new(
                Exit::Refused,
                format!("没有接受另一份日志；须写 --accept-new-log {new_log}"),
                format!("another log was not accepted; it takes --accept-new-log {new_log}"),
            ));
        }
    }
    Ok((named, accepted))
}

fn typed() -> Result<String, Failure> {
    let mut line = String::new();
    let stdin = io::stdin().lock();
    io::Read::take(stdin, MAX_TYPED).read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

pub(super) fn approve(args: &ApproveArgs, context: &mut Context<'_>) -> Result<(), Failure> {
    let asks = io::stdin().is_terminal();
    let summary = block_on(async {
        let node = context.connect()?;
        let known = partners(&node).await?;
        let (changes, accepted) = confirmed(args, &known, (context.lang(), asks))?;
        let request = pb::ApprovePartnerRequest {
            grounds: node.grounds(),
            jurisdiction: args.code.to_string(),
            fingerprint: args.fingerprint.to_hex(),
            changes: changes.iter().map(ToString::to_string).collect(),
            accept_new_log: accepted.unwrap_or_default(),
        };
        let mut client = node.partners();
        node.patient(async || client.approve_partner(request.clone()).await)
            .await
    })?;
    print_partners(&[summary], context)
}

pub(super) fn suspend(code: Jurisdiction, context: &mut Context<'_>) -> Result<(), Failure> {
    let changed = block_on(async {
        let node = context.connect()?;
        let request = pb::SuspendPartnerRequest {
            grounds: node.grounds(),
            jurisdiction: code.to_string(),
        };
        let mut client = node.partners();
        node.patient(async || client.suspend_partner(request.clone()).await)
            .await
    })?;
    print_changed(&changed, context)
}

/// Drafts or approves that a partner is to be resumed or removed.
pub(super) fn change(
    (code, change, approves): (Jurisdiction, PartnerChange, bool),
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let (jurisdiction, number) = (code.to_string(), change.to_wire().into());
    if approves {
        let changed = block_on(async {
            let node = context.connect()?;
            let request = pb::ApprovePartnerChangeRequest {
                grounds: node.grounds(),
                jurisdiction,
                change: number,
            };
            let mut client = node.partners();
            node.patient(async || client.approve_partner_change(request.clone()).await)
                .await
        })?;
        return print_changed(&changed, context);
    }
    let summary = block_on(async {
        let node = context.connect()?;
        let request = pb::DraftPartnerChangeRequest {
            grounds: node.grounds(),
            jurisdiction,
            change: number,
        };
        let mut client = node.partners();
        node.patient(async || client.draft_partner_change(request.clone()).await)
            .await
    })?;
    print_partners(&[summary], context)?;
    if context.format() == Format::Table {
        let command = change.as_str();
        remark(&match context.lang() {
            Lang::Zh => {
                format!(
                    "已提出，尚未生效。须另一名主管批准：yichuan partner {command} {code} --approve"
                )
            }
            Lang::En => format!(
                "Drafted, and not in force. Another supervisor approves it: yichuan partner {command} {code} --approve"
            ),
        });
    }
    Ok(())
}

fn print_changed(changed: &pb::PartnerChanged, context: &mut Context<'_>) -> Result<(), Failure> {
    let partner = changed.partner.clone().unwrap_or_default();
    let (cut, outbox, state) = (changed.cut, partner.outbox, partner.state());
    if context.format() == Format::Json {
        let changed = PartnerChanged {
            partner: list::shown(&partner),
            connections_cut: cut,
        };
        return print::json(context.out, &changed);
    }
    print_partners(&[partner], context)?;
    writeln!(
        context.out,
        "{}",
        in_flight(state, cut, outbox, context.lang())
    )?;
    Ok(())
}

/// What becomes of what was under way.
fn in_flight(state: pb::PartnerState, cut: u64, outbox: u64, lang: Lang) -> String {
    let (zh, en) = match state {
        pb::PartnerState::InForce => {
            return match lang {
                Lang::Zh => format!("已恢复。待投递 {outbox} 件，接通后继续投递。"),
                Lang::En => {
                    format!("Resumed. {outbox} dispatches wait, and go out once it is reached.")
                }
            };
        }
        pb::PartnerState::Removed => ("重新登记并批准其名片", "its card is approved again"),
        pb::PartnerState::Suspended | pb::PartnerState::Draft | pb::PartnerState::Unspecified => {
            ("恢复", "the partner is resumed")
        }
    };
    match lang {
        Lang::Zh => format!(
            "已断开连接 {cut} 个。待投递 {outbox} 件：未投递的留在本节点，正在投递的可能已到对方，回执须{zh}后才能收到。"
        ),
        Lang::En => format!(
            "{cut} connections cut. {outbox} dispatches wait: those not delivered stay here, one that was under way may have \
             arrived, and its receipt comes once {en}."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(state: pb::PartnerState, log: &str, key: &str) -> pb::PartnerSummary {
        pb::PartnerSummary {
            jurisdiction: "440000".to_owned(),
            state: state.into(),
            origin: log.to_owned(),
            key_fingerprint: key.to_owned(),
            verified_size: 7,
            ..pb::PartnerSummary::default()
        }
    }

    /// What is refused where nobody can be asked, in both languages; nothing where it is not.
    fn refusal(change: &[CardChange], accept: Option<&str>) -> Option<String> {
        let known = [
            summary(pb::PartnerState::InForce, "440000.yichuan/log/1", "aa"),
            summary(pb::PartnerState::Draft, "440000.yichuan/log/2", "bb"),
        ];
        let args = ApproveArgs {
            code: "440000".parse().unwrap(),
            fingerprint: "00".repeat(32).parse().unwrap(),
            change: change.to_vec(),
            accept_new_log: accept.map(str::to_owned),
        };
        let failure = confirmed(&args, &known, (Lang::En, false)).err()?;
        assert_eq!(failure.exit(), Exit::Refused);
        let said = [Lang::Zh, Lang::En].map(|lang| failure.message(lang).to_owned());
        Some(said.join("\n"))
    }

    #[test]
    fn regression_a_partner_that_is_resumed_is_not_said_to_be_cut_off() {
        let said = |state, lang| in_flight(state, 1, 2, lang);
        for lang in [Lang::Zh, Lang::En] {
            let suspended = said(pb::PartnerState::Suspended, lang);
            let removed = said(pb::PartnerState::Removed, lang);
            let resumed = said(pb::PartnerState::InForce, lang);
            assert!(suspended.contains('1') && suspended != removed);
            assert!(!resumed.contains('1') && resumed.contains('2'), "{resumed}");
        }
    }

    #[test]
    fn whoever_approves_names_what_the_card_changes_and_the_log_that_is_given_up() {
        use CardChange::{Endpoint, Key, Origin};
        let new_log = Some("440000.yichuan/log/2");
        for change in [&[][..], &[Key], &[Key, Origin, Endpoint]] {
            let said = refusal(change, new_log).unwrap();
            assert_eq!(said.matches("--change key,origin").count(), 2, "{said}");
        }
        for accept in [None, Some("440000.yichuan/log/1")] {
            let said = refusal(&[Key, Origin], accept).unwrap();
            let flag = "--accept-new-log 440000.yichuan/log/2";
            assert_eq!(said.matches(flag).count(), 2, "{said}");
        }
        assert_eq!(refusal(&[Origin, Key], new_log), None);
    }
}
