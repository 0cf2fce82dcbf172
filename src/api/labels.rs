//! What is said to people about what a partner's node refused, or has not taken yet. The words for closed lists stand beside
//! their keys, where each list is declared: `label`.

use crate::{
    domain::{Lang, printable},
    entry::Refusal,
    exchange::NotYet,
};

/// Why a partner's node refused a dispatch, in words. The word itself where it is of a newer node.
pub(crate) fn refusal_label(word: &str, lang: Lang) -> &str {
    refusal(word).map_or(word, |refusal| refusal.label(lang))
}

fn refusal(word: &str) -> Option<Refusal> {
    word.parse().ok()
}

/// What a partner's node may have refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// A lead or a notice: by its number the same row is found again, and not sent again.
    Row,
    /// A referral.
    Referral,
}

/// What to do about a refusal, in words.
fn next_step(word: &str, sent: Sent, lang: Lang) -> String {
    let first = match refusal(word) {
        Some(Refusal::ChangedContent) => None,
        Some(Refusal::InvalidContent) => Some((
            "与对方核对不合哪条规定，改正内容",
            "ask the partner which rule it breaks and correct it",
        )),
        Some(Refusal::Malformed | Refusal::PayloadMismatch | Refusal::Conflict) => Some((
            "请双方管理员核对程序版本和日志",
            "have the administrators of both nodes compare versions and logs",
        )),
        Some(Refusal::Misaddressed) => Some((
            "请双方管理员重新核对节点名片",
            "have the administrators of both nodes compare node cards again",
        )),
        Some(Refusal::Untimely) => Some((
            "请双方管理员核对时钟",
            "have the administrators of both nodes compare their clocks",
        )),
        Some(Refusal::NotAllowed) | None => Some((
            "请与对方联系，问明缘由",
            "ask the partner what stands in the way",
        )),
    };
    let again = match sent {
        Sent::Row => (
            "换一个编号重新发送（原编号不会再发）",
            "push it again under another number; under this one it is not sent again",
        ),
        Sent::Referral => ("重新发起", "open it again"),
    };
    let steps = first.into_iter().chain([again]);
    let steps: Vec<_> = steps.map(|(zh, en)| lang.pick(zh, en)).collect();
    steps.join(lang.pick("；然后", "; then "))
}

/// The refusal and what to do about it, in one line; none where nothing was refused.
pub(crate) fn refused(word: &str, sent: Sent, lang: Lang) -> Option<String> {
    if word.is_empty() {
        return None;
    }
    let (why, step) = (
        printable(refusal_label(word, lang)),
        next_step(word, sent, lang),
    );
    Some(match lang {
        Lang::Zh => format!("对方拒收：{why}。下一步：{step}"),
        Lang::En => format!("refused by the partner: {why}; next: {step}"),
    })
}

/// Why a partner's node has not taken a dispatch yet, though it has seen it. The word itself where it is of a newer node.
pub(crate) fn put_off_label(word: &str, lang: Lang) -> &str {
    word.parse().map_or(word, |why: NotYet| why.label(lang))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regression_each_refusal_is_said_in_words_with_what_to_do() {
        let words = Refusal::ALL.iter().map(|refusal| refusal.as_str());
        for word in words.chain(["of_the_future"]) {
            for sent in [Sent::Row, Sent::Referral] {
                let zh = refused(word, sent, Lang::Zh).unwrap();
                let en = refused(word, sent, Lang::En).unwrap();
                assert!(
                    zh.contains("下一步：") && en.contains("next: "),
                    "{zh} {en}"
                );
                let is_known = refusal(word).is_some();
                assert_eq!(!zh.contains(word), is_known, "{zh}");
                assert!(
                    !is_known || !zh.contains(|c: char| c.is_ascii_alphabetic()),
                    "{zh}"
                );
                assert!(!is_known || !en.contains('_'), "{en}");
            }
        }
        assert_eq!(refused("", Sent::Row, Lang::Zh), None);
    }
}
