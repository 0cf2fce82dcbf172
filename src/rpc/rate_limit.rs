//! The layer that counts every call against its caller's quota before any of it is read, valid or not. A handler would never
//! count a call that tonic refuses or answers itself.

use super::services::streams_beside_ours;
use crate::{
    access::Quota,
    api::{
        Meter, Refused,
        rate_limit::{Metered, StreamLease},
    },
    tls::Peer,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

/// The layer that counts calls.
#[derive(Clone, Debug)]
pub(crate) struct RateLimitLayer(pub(super) Arc<Meter>);

/// A service behind a [`RateLimitLayer`].
#[derive(Clone, Debug)]
pub(crate) struct RateLimited<S> {
    meter: Arc<Meter>,
    inner: S,
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimited<S>;

    fn layer(&self, inner: S) -> RateLimited<S> {
        RateLimited {
            meter: Arc::clone(&self.0),
            inner,
        }
    }
}

impl<S> RateLimited<S> {
    /// Counts a call. Takes a place among its caller's streams if no handler of ours will.
    fn admit<B>(&self, request: &Request<B>) -> Result<Option<StreamLease>, Refused> {
        let Some(peer) = request.extensions().get::<Arc<Peer>>() else {
            // The handler tells the caller that no certificate came.
            return Ok(None);
        };
        let principal = peer.identity().principal();
        let caller = Metered::new(Arc::clone(&self.meter), principal.clone());
        caller.spend(Quota::Calls)?;
        let streams = streams_beside_ours(request.uri().path());
        streams.then(|| caller.stream()).transpose()
    }
}

impl<S, B> Service<Request<B>> for RateLimited<S>
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
        let lease = match self.admit(&request) {
            Ok(lease) => lease,
            Err(refused) => return Box::pin(async move { Ok(Status::from(refused).into_http()) }),
        };
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await?;
            Ok(match lease {
                Some(lease) => answer.map(|body| {
                    Body::new(Leased {
                        body,
                        _lease: lease,
                    })
                }),
                None => answer,
            })
        })
    }
}

/// An answer that holds its caller's place among the streams until it ends.
struct Leased {
    body: Body,
    _lease: StreamLease,
}

impl http_body::Body for Leased {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
