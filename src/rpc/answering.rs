//! A channel to another node that removes from its answers what this program does not read.

use http_body_util::BodyExt as _;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tonic::{body::Body, transport::Channel};
use tower::Service;

/// The header with the details of a status. tonic ends the task that reads malformed base64 there; no client here reads it.
const DETAILS: &str = "grpc-status-details-bin";

/// A channel to a node.
#[derive(Clone, Debug)]
pub(crate) struct NodeChannel(Channel);

impl From<Channel> for NodeChannel {
    fn from(channel: Channel) -> Self {
        Self(channel)
    }
}

type Answer = http::Response<Body>;

impl Service<http::Request<Body>> for NodeChannel {
    type Response = Answer;
    type Error = tonic::transport::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async { answer.await.map(without_details) })
    }
}

/// A status comes in the headers of an empty answer, and else in the trailers.
fn without_details(mut answer: Answer) -> Answer {
    answer.headers_mut().remove(DETAILS);
    answer.map(|body| {
        Body::new(body.map_frame(|mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                trailers.remove(DETAILS);
            }
            frame
        }))
    })
}
