//! The layer that logs every call that this node refuses or does not answer in time: who called what, and why it was refused.

use super::{services::known, status};
use crate::{
    api::{Meter, Refused, RefusedFor},
    tls::Peer,
};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use std::{
    error::Error as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};

/// A call must be answered within this time, and a stream must have begun.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Logs refused calls and streams that end in a refusal, and has the node's log record refused attempts. One layer does so for
/// all services.
#[derive(Clone, Debug)]
pub(crate) struct LogRefusals(pub(super) Arc<Meter>);

/// A service behind [`LogRefusals`].
#[derive(Clone, Debug)]
pub(crate) struct RefusalsLogged<S> {
    meter: Arc<Meter>,
    inner: S,
}

impl<S> Layer<S> for LogRefusals {
    type Service = RefusalsLogged<S>;

    fn layer(&self, inner: S) -> RefusalsLogged<S> {
        RefusalsLogged {
            meter: Arc::clone(&self.0),
            inner,
        }
    }
}

impl<S, B> Service<Request<B>> for RefusalsLogged<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let peer = request.extensions().get::<Arc<Peer>>().cloned();
        let call = known(request.uri().path());
        let meter = Arc::clone(&self.meter);
        // A shorter deadline of the caller is enforced here too, so that it is logged: tonic answers ahead of this layer,
        // but no earlier.
        let within =
            asked(request.headers()).map_or(ANSWER_WITHIN, |asked| asked.min(ANSWER_WITHIN));
        let answering = tokio::time::timeout(within, self.inner.call(request));
        Box::pin(async move {
            let mut response = match answering.await {
                Ok(answer) => answer?,
                Err(_) => late(within).into_http(),
            };
            // A status in the headers: the call ended without an answer.
            let Some(status) = Status::from_header_map(response.headers()) else {
                return Ok(response.map(|body| followed(body, peer, call, meter)));
            };
            let said = response.extensions().get::<Status>().unwrap_or(&status);
            let code = said.code();
            let said = status::unread(said.clone());
            log(peer.as_deref(), call, &said, &meter);
            if said.code() != code {
                // This fails only for words that no header can hold. Then tonic's stay.
                drop(said.add_header(response.headers_mut()));
            }
            Ok(response)
        })
    }
}

/// The caller's deadline in gRPC's notation: up to eight digits and a unit.
fn asked(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let count = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(u64::saturating_mul(count, 3_600)),
        "M" => Duration::from_secs(u64::saturating_mul(count, 60)),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

fn late(within: Duration) -> Status {
    let seconds = within.as_secs_f64();
    let late = Status::deadline_exceeded(format!(
        "the call was not complete, or not answered, within {seconds} s; whether it took effect is unknown, and repeating it \
         does no harm"
    ));
    status::with_reason(late, RefusedFor::Late)
}

/// An answer whose end is logged if it is a refusal.
fn followed(body: Body, peer: Option<Arc<Peer>>, call: &'static str, meter: Arc<Meter>) -> Body {
    Body::new(body.map_frame(move |frame| {
        let trailers = frame.trailers_ref();
        if let Some(status) = trailers.and_then(Status::from_header_map) {
            log(peer.as_deref(), call, &status, &meter);
        }
        frame
    }))
}

fn log(peer: Option<&Peer>, call: &'static str, status: &Status, meter: &Meter) {
    let code = status.code();
    if code != Code::Ok {
        let who = peer.map(|peer| peer.identity().principal());
        meter.log_refused(who, call, &code, key(status));
    }
}

/// The reason as one of few words of this program.
fn key(status: &Status) -> &'static str {
    let refused = status.source().and_then(|it| it.downcast_ref::<Refused>());
    let travelled = || RefusedFor::of(status).map(RefusedFor::as_str);
    let key = refused.map(Refused::key).or_else(travelled);
    key.unwrap_or_else(|| code(status.code()))
}

const fn code(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regression_what_a_caller_makes_up_is_not_repeated() {
        for path in [
            "/yichuan.v1.Records/PushRecords",
            "/yichuan.v1.Exchange/Relay",
            "/yichuan.v1.Records/WatchRecords",
            "/grpc.health.v1.Health/Check",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ] {
            assert_eq!(known(path), path);
        }
        for path in ["/", "/yichuan.v1.Records/520624199001011234", "/张三", ""] {
            assert_eq!(known(path), "unknown");
        }
    }
}
