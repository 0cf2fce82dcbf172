//! Certificates, identity, revocation, and the listener that admits only whom it should.
//!
//! One rule decides, for a handshake as for a connection that is already up: [`TrustStore`]. [`Gate`] listens,
//! [`Dialer`] connects; both swap their certificates and trust while they run, and cut what is trusted no more.

mod authority;
mod card_reader;
mod cert_dir;
mod client;
mod connection_limits;
mod connections;
mod credentials;
mod crl;
pub mod dev;
mod endpoint;
mod fingerprint;
mod happy_eyeballs;
mod hybrid;
mod identity;
mod issue;
mod node_card;
mod pem;
mod refusal;
mod server;
mod trust;
mod verifier;

pub use authority::{Authority, AuthorityError};
pub use card_reader::Cards;
pub use cert_dir::{CertDir, CertDirError, IndexEntry, principal_named};
pub use client::Dialer;
pub use connections::Peer;
pub use credentials::{Credentials, CredentialsError};
pub use crl::{Crl, CrlError};
pub use endpoint::{EndpointUrl, MalformedEndpoint};
pub use fingerprint::{Fingerprint, MalformedFingerprint};
pub use hybrid::{RequireHybrid, UnknownRequirement};
pub use identity::{IdentityError, PeerIdentity};
pub use issue::{Ca, IssueError, Issued, Revoked, Validity};
pub use node_card::{CardError, CardFacts, MAX_CARD, MakeCardError, NodeCard};
pub use pem::PemError;
pub use refusal::Reason;
pub use server::{Drained, Gate, GateLimits, Incoming, NodeIo, peer_of, serve};
pub use trust::{LoadTrustError, TrustStore};
pub use verifier::TlsError;
