//! A node's refusals, and failures to reach it, as exit codes and sentences.

use super::{
    exit::{Exit, Failure},
    print::plain,
};
use crate::{
    rpc::RefusedFor,
    tls::{EndpointUrl, Reason},
};
use rustls::{CertificateError, OtherError};
use std::{error::Error, io};
use tonic::{Code, Status};

/// Longest text of a node that is shown, in characters.
const MAX_SAID: usize = 500;

/// What became of a call that a node did not answer as asked. `alert` is the one with which it last ended a connection.
pub(super) fn failure(status: &Status, endpoint: &EndpointUrl, alert: Option<&str>) -> Failure {
    // A status without a source came from the node; one with a source was made here, of a connection that failed.
    if status.source().is_some() {
        if let Some(refused) = handshake(status, endpoint) {
            return refused;
        }
        if let Some(alert) = alert {
            return not_admitted(endpoint, alert);
        }
        return Failure::new(
            Exit::Unreachable,
            format!("无法连接节点 {endpoint}：{}", broken(status)),
            format!("cannot reach the node at {endpoint}: {}", deepest(status)),
        )
        .hint(
            "确认节点在运行，地址（client.node 或 --node）无误，网络可达；连接后随即断开，也可能是不接受证书",
            "see that the node runs, that its address (client.node or --node) is right, and that the network lets you \
             through; a node that hangs up at once may also refuse the certificate",
        );
    }
    let said: String = plain(status.message()).chars().take(MAX_SAID).collect();
    let (exit, zh, en) = sentence(status.code());
    let en = format!("{en}: {said}");
    // The node's own sentence stays: it names ids, states and steps.
    match RefusedFor::of(status) {
        Some(reason) => {
            Failure::new(exit, format!("{zh}：{}", in_chinese(reason)), en).original(&said)
        }
        None => Failure::new(exit, format!("{zh}：{said}"), en),
    }
}

/// Why, and what to do.
pub(super) const fn in_chinese(reason: RefusedFor) -> &'static str {
    match reason {
        RefusedFor::Missing => "缺少必填内容，字段见原文",
        RefusedFor::Malformed => "内容写法不对，字段见原文",
        RefusedFor::Spelling => "标识须用小写字母并带连字符",
        RefusedFor::TooLong => "内容过长，字段见原文",
        RefusedFor::TooMuch => "数值超出上限，字段见原文",
        RefusedFor::Unreadable => "节点读不懂此消息，请核对双方程序版本",
        RefusedFor::MixedGrounds => "一次发送只能有一个用途和依据，请分开发送",
        RefusedFor::Protocol => "消息不合节点之间的协议，请核对双方程序版本",
        RefusedFor::NoGrounds => "没有写明用途和依据，或写法不对",
        RefusedFor::Role => "此身份的角色在本节点不能办理此事",
        RefusedFor::Foreign => "其他辖区的人员在此只能列出，办理请用自己的节点",
        RefusedFor::Purpose => "所写的用途不包括此事；审计用途只供审计人员，审计人员也只用审计用途",
        RefusedFor::UnlistedAuditor => "节点的策略中没有这位审计人员，请管理员登记",
        RefusedFor::Assigned => {
            "此记录已指派给他人；可由主管改派，或由主管越过指派查看，会记入日志"
        }
        RefusedFor::Override => "此记录已指派给他人；只有本节点的主管可以越过指派",
        RefusedFor::Elsewhere => {
            "其他辖区的人员在此只能看到标识、状态、期限和证明；内容请在自己的节点打开"
        }
        RefusedFor::NotAPartnerNode => "只有对方节点可以投递",
        RefusedFor::NotFound => "没有可供您查看的这条记录，请先列出",
        RefusedFor::Erased => "内容已删除，日志仍可证明其往来",
        RefusedFor::NoUnit => "本节点没有这个单位，请用配置 access.units 中的单位",
        RefusedFor::OwnLead => "这是本节点发出的线索，由接收地答复",
        RefusedFor::NotNow => "按现在的状态不能这样办理，可办的步骤见原文",
        RefusedFor::DisputedTransfer => {
            "移送案件有异议的，一方不能自行办结：由双方协商，协商不成的由共同的上级公安机关决定（程序规定第22条、第356条）。\
             系统尚不能提请上级：请在系统外商定，由接收方重新反馈，再确认、办结"
        }
        RefusedFor::TakenOver => {
            "移送案件接收方已受理的，一方不能自行撤回：由双方协商，协商不成的由共同的上级公安机关决定（程序规定第22条、第356条）。\
             系统尚不能提请上级：请在系统外商定，由接收方把处理情况作为结果反馈"
        }
        RefusedFor::NoteTooLong => "说明过长，请压缩",
        RefusedFor::Full => "此记录的办理次数已达上限",
        RefusedFor::Content => "内容不合规定，请按原文改正",
        RefusedFor::Needs => "此步骤缺少必填内容，或带有不应有的内容，请按原文改正",
        RefusedFor::NoPartner => "没有已登记名片的节点管辖该地，请先交换名片",
        RefusedFor::OwnDestination => "协查、移送须发往其他辖区",
        RefusedFor::NotAsEvidence => "H1 信息不得作为证据，而移送即作证据使用；请先征得来源方同意",
        RefusedFor::ForeignLead => "协查只能带双方之间的线索",
        RefusedFor::Draft => "尚是拟稿，须由另一名主管先审批",
        RefusedFor::NotADraft => "没有待审批的拟稿",
        RefusedFor::SamePerson => "须两人经手：拟稿人不能自己审批",
        RefusedFor::BadCard => "名片不合规定",
        RefusedFor::OwnCard => "这是本节点自己的名片",
        RefusedFor::KnownCard => "同一张名片已批准",
        RefusedFor::NoCard => "没有该辖区待批准的名片，请先登记",
        RefusedFor::Fingerprint => "指纹与登记的名片不符：请再与对方当面或电话核对，不符的不得批准",
        RefusedFor::OlderCard => "名片不比在用的新，请向对方索取最新的名片",
        RefusedFor::CardChanges => {
            "此名片所改的与 --change 所写的不一致；请与对方逐项核实，并写明全部改动：key（日志公钥）、ca、origin（日志）、endpoint（地址）"
        }
        RefusedFor::NewLog => {
            "名片上是另一份日志，不能证明是原日志的接续；放弃对原日志的核验须写 --accept-new-log 和新日志名，并记入日志"
        }
        RefusedFor::NotAPartner => "本节点没有这个对方节点",
        RefusedFor::Suspended => "该对方已停用",
        RefusedFor::NotSuspended => "该对方没有停用",
        RefusedFor::NoChange => {
            "没有待批准的恢复或移除：须先由一人提出；其后又批准了新名片的，须重新提出"
        }
        RefusedFor::Closed => "节点现在不能写入，请与其管理员联系",
        RefusedFor::Late => "节点没有在限期内答复；是否已办理不能确定，可重做同一命令",
        RefusedFor::RolledBack => {
            "节点的日志缺少它已签署的内容：数据被回退或替换。请其管理员停机，放回较新的数据；已丢失的只能另立后续日志"
        }
        RefusedFor::Streams => "同时打开的流已达上限，请先结束一个",
        RefusedFor::DiskShort => {
            "节点磁盘将满，暂不接收新记录，所余无几时亦不可查阅，请与其管理员联系"
        }
    }
}

/// What a code means for whoever called.
const fn sentence(code: Code) -> (Exit, &'static str, &'static str) {
    match code {
        Code::PermissionDenied | Code::Unauthenticated => {
            (Exit::Refused, "节点不允许", "the node does not allow it")
        }
        Code::FailedPrecondition | Code::AlreadyExists => {
            (Exit::Refused, "节点不予办理", "the node refuses")
        }
        Code::InvalidArgument | Code::OutOfRange => (
            Exit::BadData,
            "节点不接受所给内容",
            "the node does not take what was given",
        ),
        Code::NotFound => (Exit::NoInput, "节点上没有", "the node does not have it"),
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Cancelled => (
            Exit::Unreachable,
            "节点暂时不能办理，请稍后重做",
            "the node cannot do it now, try again later",
        ),
        Code::Unimplemented => (
            Exit::Unreachable,
            "节点没有此功能，版本可能较旧",
            "the node does not know this call; it may be of an older version",
        ),
        Code::Ok | Code::Unknown | Code::Aborted | Code::Internal | Code::DataLoss => {
            (Exit::Internal, "节点内部故障", "the node failed")
        }
    }
}

/// The node broke off over the certificate shown.
fn not_admitted(endpoint: &EndpointUrl, alert: &str) -> Failure {
    if alert == "HandshakeFailure" {
        return Failure::new(
            Exit::Refused,
            format!(
                "节点 {endpoint} 不接受本机可用的加密方式（{alert}）：该节点要求抗量子密钥交换 X25519MLKEM768，或版本过旧；请升级本程序，                 或与其管理员联系（tls.require_hybrid）"
            ),
            format!(
                "the node at {endpoint} accepts no key exchange that was offered ({alert}): it demands X25519MLKEM768, or is \
                 too old to have it; update the older side, or ask its administrator (tls.require_hybrid)"
            ),
        );
    }
    // TLS has one alert for both.
    if alert == "CertificateExpired" {
        return Failure::new(
            Exit::Refused,
            format!(
                "节点 {endpoint} 认为所用证书已过期或尚未生效（{alert}）；请核对证书有效期（certs show）与两边的系统时间"
            ),
            format!(
                "to the node at {endpoint} this certificate has expired, or does not hold yet ({alert}); compare its days \
                 (`certs show`) and the clocks of both machines"
            ),
        );
    }
    Failure::new(
        Exit::Refused,
        format!("节点 {endpoint} 不接受所用证书（{alert}）；请核对 --as，以及证书是否过期或被吊销"),
        format!(
            "the node at {endpoint} refuses this certificate ({alert}); check --as, and that it has neither expired nor \
             been revoked"
        ),
    )
}

/// A handshake that was broken off over the node's certificate, or failed.
fn handshake(status: &Status, endpoint: &EndpointUrl) -> Option<Failure> {
    for cause in causes(status) {
        let inner = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        let ours = cause
            .downcast_ref::<Reason>()
            .or_else(|| inner.and_then(|e| e.downcast_ref()));
        if let Some(reason) = ours.filter(|reason| !is_outage(**reason)) {
            return Some(node_refused(endpoint, reason.as_str()));
        }
        let tls = cause
            .downcast_ref::<rustls::Error>()
            .or_else(|| inner.and_then(|e| e.downcast_ref()));
        match tls {
            Some(rustls::Error::AlertReceived(alert)) => {
                return Some(not_admitted(endpoint, &format!("{alert:?}")));
            }
            Some(rustls::Error::InvalidCertificate(error)) => {
                return Some(node_refused(endpoint, &said_of(error)));
            }
            Some(error) => {
                return Some(Failure::new(
                    Exit::Refused,
                    format!("与节点 {endpoint} 的握手失败：{error}"),
                    format!("the handshake with the node at {endpoint} failed: {error}"),
                ));
            }
            None => {}
        }
    }
    None
}

/// The certificate of whatever answered is not that of the node asked.
fn node_refused(endpoint: &EndpointUrl, why: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        format!(
            "节点 {endpoint} 的证书不被接受（{why}）；请核对地址、CA、吊销列表、--card、--node-jurisdiction 和系统时间"
        ),
        format!(
            "the certificate of the node at {endpoint} is refused here ({why}); check the address, the CA, the revocation \
             list, --card, --node-jurisdiction and the clock"
        ),
    )
}

fn said_of(error: &CertificateError) -> String {
    if let CertificateError::Other(OtherError(inner)) = error
        && let Some(reason) = inner.downcast_ref::<Reason>()
    {
        return reason.to_string();
    }
    error.to_string()
}

/// Reasons that say nothing about a certificate.
const fn is_outage(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Timeout | Reason::Aborted | Reason::TooManyConnections
    )
}

fn causes<'a>(status: &'a Status) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(status.source(), |error| (*error).source())
}

/// The last cause in its own words, without where a library explains them.
fn deepest(status: &Status) -> String {
    let said = causes(status)
        .last()
        .map_or_else(|| status.message().to_owned(), ToString::to_string);
    let (before, _) = said.split_once("http").unwrap_or((&said, ""));
    before.trim_end_matches([' ', ':', ',', '(']).to_owned()
}

/// How a connection came to its end, in Chinese where there are words for it.
fn broken(status: &Status) -> String {
    let kind = causes(status).find_map(|cause| cause.downcast_ref::<io::Error>());
    let why = match kind.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "连接被拒绝",
        Some(io::ErrorKind::TimedOut) => "连接超时",
        Some(
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe,
        ) => "连接中断",
        Some(_) | None => return deepest(status),
    };
    format!("{why}（{}）", deepest(status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Lang;
    use std::sync::Arc;

    fn endpoint() -> EndpointUrl {
        "https://127.0.0.1:7443".parse().unwrap()
    }

    fn caused(cause: impl Error + Send + Sync + 'static) -> Failure {
        let mut status = Status::unavailable("error trying to connect");
        status.set_source(Arc::new(cause));
        failure(&status, &endpoint(), None)
    }

    #[test]
    fn every_code_has_an_exit_of_its_kind() {
        let exits = [
            (Code::PermissionDenied, 77),
            (Code::Unauthenticated, 77),
            (Code::FailedPrecondition, 77),
            (Code::AlreadyExists, 77),
            (Code::InvalidArgument, 65),
            (Code::OutOfRange, 65),
            (Code::NotFound, 66),
            (Code::Unavailable, 69),
            (Code::Cancelled, 69),
            (Code::Internal, 70),
            (Code::Unknown, 70),
        ];
        for (code, exit) in exits {
            let failure = failure(&Status::new(code, "why"), &endpoint(), Some("x"));
            assert_eq!(failure.exit().code(), exit, "{code:?}");
            assert!(failure.message(Lang::En).ends_with(": why"));
        }
    }

    #[test]
    fn a_reason_that_is_known_is_said_in_chinese_beside_the_nodes_own_words() {
        let mut status = Status::failed_precondition("allowed now: nothing");
        let headers = status.metadata_mut();
        headers.insert("yichuan-reason", "not_now".parse().unwrap());
        let known = failure(&status, &endpoint(), None);
        let said = known.message(Lang::Zh);
        assert!(
            said.starts_with("节点不予办理：按现在的状态不能这样办理"),
            "{said}"
        );
        assert!(said.ends_with("allowed now: nothing"), "{said}");
        let english = known.message(Lang::En);
        assert_eq!(english, "the node refuses: allowed now: nothing");
        // Of a newer node.
        let headers = status.metadata_mut();
        headers.insert("yichuan-reason", "of_the_future".parse().unwrap());
        let unknown = failure(&status, &endpoint(), None);
        assert_eq!(
            unknown.message(Lang::Zh),
            "节点不予办理：allowed now: nothing"
        );
    }

    #[test]
    fn a_refused_certificate_is_no_outage() {
        let refusal = |reason| io::Error::new(io::ErrorKind::ConnectionRefused, reason);
        let failure = caused(refusal(Reason::WrongPeer));
        assert_eq!(failure.exit(), Exit::Refused);
        assert!(failure.message(Lang::En).contains("wrong_peer"));
        assert_eq!(caused(refusal(Reason::Timeout)).exit(), Exit::Unreachable);
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(caused(refused).exit(), Exit::Unreachable);
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRevoked);
        let failure = caused(io::Error::new(io::ErrorKind::InvalidData, alert));
        assert_eq!(failure.exit(), Exit::Refused);
        assert!(failure.message(Lang::En).contains("CertificateRevoked"));
        let wrong = rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(
            Arc::new(Reason::WrongPeer),
        )));
        let failure = caused(io::Error::new(io::ErrorKind::InvalidData, wrong));
        assert!(failure.message(Lang::En).contains("(wrong_peer)"));
    }

    #[test]
    fn a_connection_that_broke_off_is_told_without_a_library_s_address() {
        let eof = "peer closed connection without close_notify: https://docs.rs/x";
        let failure = caused(io::Error::new(io::ErrorKind::UnexpectedEof, eof));
        let said = failure.message(Lang::Zh);
        assert!(
            said.contains("连接中断") && !said.contains("http:") && !said.contains("docs.rs"),
            "{said}"
        );
        assert!(!failure.message(Lang::En).contains("docs.rs"));
    }

    #[test]
    fn an_alert_tells_why_a_connection_was_closed() {
        let mut status = Status::cancelled("operation was canceled");
        status.set_source(Arc::new(io::Error::other("connection closed")));
        let failure = failure(&status, &endpoint(), Some("CertificateRevoked"));
        assert_eq!(failure.exit(), Exit::Refused);
        assert!(failure.message(Lang::En).contains("CertificateRevoked"));
    }

    #[test]
    fn a_node_says_nothing_that_moves_the_cursor_or_floods_the_screen() {
        let status = Status::not_found(format!("\u{1b}[2J{}", "x".repeat(10_000)));
        let said = failure(&status, &endpoint(), None);
        let said = said.message(Lang::En);
        assert!(!said.contains('\u{1b}') && said.len() < 1000, "{said}");
    }
}
