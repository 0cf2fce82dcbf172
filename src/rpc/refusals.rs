//! Every call that this node refuses leaves a line in its log: who called what, and why not.

use super::status;
use crate::{
    access::{Denial, Exceeded, GroundsDefect},
    tls::Peer,
};
use http::{Request, Response};
use std::{
    error::Error as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tonic::Status;
use tower::{Layer, Service};

/// Logs calls that are refused before they are answered. One place for all services, so that none forgets; what a stream
/// meets later, its handler logs.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogRefusals;

/// See [`LogRefusals`].
#[derive(Clone, Debug)]
pub struct RefusalsLogged<S>(S);

impl<S> Layer<S> for LogRefusals {
    type Service = RefusalsLogged<S>;

    fn layer(&self, inner: S) -> RefusalsLogged<S> {
        RefusalsLogged(inner)
    }
}

impl<S, B, R> Service<Request<B>> for RefusalsLogged<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let peer = request.extensions().get::<Arc<Peer>>().cloned();
        let call = request.uri().path().to_owned();
        let answering = self.0.call(request);
        Box::pin(async move {
            let mut response = answering.await?;
            // A status in the headers: the call is over before anything was answered.
            if let Some(status) = Status::from_header_map(response.headers()) {
                let said = response.extensions().get::<Status>().unwrap_or(&status);
                let code = said.code();
                let said = status::unread(said.clone());
                log(peer.as_deref(), &call, &said);
                if said.code() != code {
                    // It fails only for words that no header can hold; what tonic said stays then.
                    drop(said.add_header(response.headers_mut()));
                }
            }
            Ok(response)
        })
    }
}

fn log(peer: Option<&Peer>, call: &str, status: &Status) {
    if status.code() == tonic::Code::Ok {
        return;
    }
    let principal = peer.map(|peer| peer.identity().principal().to_string());
    let reason = stable(status).unwrap_or_else(|| status.message());
    tracing::warn!(principal, call, code = ?status.code(), reason, "a call was refused");
}

/// The word for a denial or a quota that machines count; other refusals have none.
fn stable(status: &Status) -> Option<&'static str> {
    let source = status.source()?;
    if let Some(denial) = source.downcast_ref::<Denial>() {
        return Some(denial.code());
    }
    if let Some(exceeded) = source.downcast_ref::<Exceeded>() {
        return Some(exceeded.quota.as_str());
    }
    source.downcast_ref::<GroundsDefect>().map(|_| "no_grounds")
}
