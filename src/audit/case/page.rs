//! The page of a case file: what is proved, in words, for people who have neither a log nor this program.
//!
//! Case files are kept for decades, and their pages are written again to be compared: the text written here is
//! permanently layout 1. Other words are another layout, beside this one.

use super::{Delivery, Place, Proved, Statement};
use crate::domain::{Lang, Timestamp};
use std::fmt;

/// The page, as it is written and compared.
pub(super) fn render(proved: &Proved, lang: Lang) -> String {
    Text(|f: &mut fmt::Formatter<'_>| write(f, proved, lang)).to_string()
}

/// Displays what a function writes.
struct Text<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Text<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

fn write(page: &mut fmt::Formatter<'_>, proved: &Proved, lang: Lang) -> fmt::Result {
    let entries = proved.statements.len();
    match lang {
        Lang::Zh => writeln!(
            page,
            "驿传 · 日志证明 · 版式 1\n\n以下 {entries} 条日志条目，各由所列文件证明：该条目逐字节记在所述日志中，且日志所属辖区的密钥已对包含它的\n\
             整个日志签名。对该日志的任何改动、删除或补记都与这一签名不符；有联署的，联署方当时所见就是这一日志。"
        )?,
        Lang::En => writeln!(
            page,
            "Yichuan · proofs from logs · layout 1\n\nEach of the {entries} log entries below is proved by the file named with it: the \
             entry stands in that log, byte for byte,\nand the jurisdiction's log key signed the whole log with it inside. \
             Whatever is changed, removed or inserted in it does\nnot fit that signature; and where another jurisdiction \
             cosigned, this very log is what it was shown then."
        )?,
    }
    for (number, statement) in (1..).zip(&proved.statements) {
        writeln!(page)?;
        write_statement(page, number, statement, lang)?;
    }
    if !proved.deliveries.is_empty() {
        writeln!(page, "\n{}\n", lang.pick("送达", "Deliveries"))?;
    }
    for delivery in &proved.deliveries {
        write_delivery(page, delivery, lang)?;
    }
    write_rest(page, proved, lang)
}

fn write_statement(
    page: &mut fmt::Formatter<'_>,
    number: usize,
    statement: &Statement,
    lang: Lang,
) -> fmt::Result {
    let Statement {
        file,
        log,
        tree_size,
        root,
        entry,
        ..
    } = statement;
    writeln!(page, "{number}. {file}")?;
    let place = match lang {
        Lang::Zh => format!("{log} 第 {} 条，树共 {tree_size} 条", entry.index),
        Lang::En => format!("{log}, entry {} in a tree of {tree_size}", entry.index),
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let grounds = format!(
        "{} {}",
        entry.purpose.unwrap_or_default(),
        text(&entry.basis)
    );
    let way = match (&entry.from, &entry.to) {
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (from, to) => text(from) + &text(to),
    };
    let time = entry.time_ms.map(Timestamp::from_millis);
    let payload = statement.payload.as_ref();
    let ciphertext = payload.map(|p| format!("SHA-256 {}", p.ciphertext_sha256));
    let commitment = payload.map(|p| p.commitment.clone());
    for (zh, en, value) in [
        ("日志", "log", place),
        ("种类", "kind", entry.kind.to_owned()),
        ("时间", "time", time.map(china_time).unwrap_or_default()),
        ("何人", "by", text(&entry.principal)),
        ("用途依据", "grounds", grounds.trim().to_owned()),
        ("去向", "way", way),
        (
            "内容",
            "action",
            entry.action.unwrap_or_default().to_owned(),
        ),
        ("记录", "record", text(&entry.record)),
        ("发件", "dispatch", text(&entry.dispatch_id)),
        (
            "退回理由",
            "returned",
            entry.return_reason.unwrap_or_default().to_owned(),
        ),
        (
            "拒收理由",
            "refused",
            entry.refusal.unwrap_or_default().to_owned(),
        ),
        ("密文", "ciphertext", ciphertext.unwrap_or_default()),
        ("承诺", "commitment", commitment.unwrap_or_default()),
        ("条目哈希", "leaf hash", entry.leaf_hash.clone()),
        ("树根", "root", root.clone()),
        ("文件", "file", format!("SHA-256 {}", statement.file_sha256)),
    ] {
        if !value.is_empty() {
            line(page, lang.pick(zh, en), &value)?;
        }
    }
    for cosigned in &statement.cosigned {
        let (by, at) = (&cosigned.by, china_time(cosigned.at));
        let who = match lang {
            Lang::Zh => format!("{by}，{at}"),
            Lang::En => format!("{by} at {at}"),
        };
        line(page, lang.pick("联署", "cosigned"), &who)?;
    }
    Ok(())
}

fn line(page: &mut fmt::Formatter<'_>, label: &str, value: &str) -> fmt::Result {
    // The content of an entry is checked text without line breaks; nothing is shown of an entry that could not be read.
    writeln!(page, "   {label}: {value}")
}

impl Delivery {
    /// Two or three lines, the first with a dash.
    pub fn in_words(&self, lang: Lang) -> String {
        Text(|f: &mut fmt::Formatter<'_>| write_delivery(f, self, lang)).to_string()
    }
}

fn write_delivery(page: &mut fmt::Formatter<'_>, delivery: &Delivery, lang: Lang) -> fmt::Result {
    let Delivery {
        from,
        to,
        sent,
        answered,
        refusal,
        ..
    } = delivery;
    let id = delivery.dispatch_id.as_deref().unwrap_or("-");
    let at = china_time(delivery.answered_at);
    match (lang, refusal) {
        (Lang::Zh, None) => writeln!(
            page,
            "- 发件 {id}：{from} 记为{}；{to} 收到逐字节相同的条目，并于 {at} 记为{}。",
            entry_of(sent, lang),
            entry_of(answered, lang)
        )?,
        (Lang::Zh, Some(reason)) => writeln!(
            page,
            "- 发件 {id}：{from} 记为{}；{to} 收到后于 {at} 拒收（{reason}），并记为{}。",
            entry_of(sent, lang),
            entry_of(answered, lang)
        )?,
        (Lang::En, None) => writeln!(
            page,
            "- Dispatch {id}: {from} has it as {}; {to} received the very same bytes and wrote that down at {at} as {}.",
            entry_of(sent, lang),
            entry_of(answered, lang)
        )?,
        (Lang::En, Some(reason)) => writeln!(
            page,
            "- Dispatch {id}: {from} has it as {}; {to} refused it ({reason}) at {at}, as {}.",
            entry_of(sent, lang),
            entry_of(answered, lang)
        )?,
    }
    if let Some(logged) = &delivery.logged {
        let kept = entry_of(logged, lang);
        match lang {
            Lang::Zh => writeln!(page, "  {from} 将该答复存为{kept}。")?,
            Lang::En => writeln!(page, "  {from} keeps that answer as {kept}.")?,
        }
    }
    if let (Some(size), Some(at)) = (delivery.cosigned_size, delivery.cosigned_at) {
        let at = china_time(at);
        match lang {
            Lang::Zh => writeln!(
                page,
                "  {to} 于 {at} 联署了 {from} 共 {size} 条的树：至迟此时，该发件已在其中。"
            )?,
            Lang::En => writeln!(
                page,
                "  {to} cosigned {from}'s tree of {size} entries at {at}: by then the dispatch was in it."
            )?,
        }
    }
    Ok(())
}

fn entry_of(place: &Place, lang: Lang) -> String {
    let Place { log, index } = place;
    match lang {
        Lang::Zh => format!(" {log} 第 {index} 条"),
        Lang::En => format!("entry {index} of {log}"),
    }
}

fn write_rest(page: &mut fmt::Formatter<'_>, proved: &Proved, lang: Lang) -> fmt::Result {
    match lang {
        Lang::Zh => writeln!(
            page,
            "\n不证明什么\n\n\
             - 发件的内容。内容已加密，不在任何日志中；持有内容的人可凭所列的密文摘要与承诺证明就是它。\n\
             - 时刻本身。每个时间都是写下它的节点的时钟；联署证明的是先后。\n\
             - 大小不同的树同属一部日志。这里没有一部日志在同一大小上有两棵树；大树延续小树，由联署二者的一方核验过。\n  \
             别的辖区既未联署、也未记入自己条目的树，只凭该日志自己的密钥，持钥人事后可以另签一棵。移送已获答复的，\n  \
             其拟稿和批准都在所答复的那棵树中。\n\
             - 编号背后是何人。那由该辖区颁发的证书说明。\n\
             - 没有别的往来。这里只有所列的条目。\n\
             \n如何核验\n\n\
             yichuan audit prove --check <本目录> --vkey <公钥> --vkey <公钥>\n\
             或任何能读 C2SP tlog-proof（c2sp.org/tlog-proof）、按 RFC 6962 计算、验证 Ed25519 的程序；条目在 extra 行中。\n\
             公钥须向各辖区线下核对，不以本目录所载为准："
        )?,
        Lang::En => writeln!(
            page,
            "\nWhat is not proved\n\n\
             - What a dispatch says. Its content is encrypted and in no log; whoever holds it can show, by the ciphertext's\n  \
             digest and the commitment listed, that this is it.\n\
             - The time itself. Each time is the clock of the node that wrote it down; cosignatures prove the order.\n\
             - That trees of different sizes are of one history. No log has two trees of one size here; that a larger tree\n  \
             continues a smaller one was verified by whoever cosigned both. Of a tree that no other jurisdiction cosigned or\n  \
             keeps in its own entry there is only the word of the log's key, whose holder could sign another later. Draft and\n  \
             approval of a transfer that was answered stand in the tree that was answered for.\n\
             - Who the person behind a number is. The certificates of that jurisdiction say so.\n\
             - That there was nothing else. Here are the entries listed and no others.\n\
             \nHow to check it\n\n\
             yichuan audit prove --check <this directory> --vkey <key> --vkey <key>\n\
             or any program that reads C2SP tlog-proof (c2sp.org/tlog-proof), hashes as RFC 6962 does and verifies Ed25519; \
             the entry\nis in the line `extra`. Compare the keys with each jurisdiction, not with this directory:"
        )?,
    }
    for key in &proved.keys {
        writeln!(page, "   {key}")?;
    }
    Ok(())
}

fn china_time(time: Timestamp) -> String {
    format!("{} +08:00", time.shanghai_text())
}
