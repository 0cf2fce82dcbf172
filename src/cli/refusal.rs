//! A node's refusals, and failures to reach it, as exit codes and sentences.

use super::{
    exit::{Exit, Failure},
    print::plain,
};
use crate::{
    api::RefusedFor,
    domain::Lang,
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
            Failure::new(exit, format!("{zh}：{}", reason.label(Lang::Zh)), en).original(&said)
        }
        None => Failure::new(exit, format!("{zh}：{said}"), en),
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
