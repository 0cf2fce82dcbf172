//! Certificates, identities, revocation, and the two ends of a connection.
//!
//! [`TrustStore`] decides who is admitted, for a handshake as well as for a connection that is already up. [`Gate`]
//! listens and [`Dialer`] connects; both replace their certificates and trust while they run, and cut connections that
//! are no longer trusted.
//!
//! Begin with `trust.rs` for the rule, then `server.rs` for the gate. `issue.rs` and `cert_dir.rs` are the CA,
//! `node_card.rs` introduces one node to another.

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
mod node_io;
mod pem;
mod refusal;
mod serve;
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
pub use node_io::{Incoming, NodeIo, peer_of};
pub use pem::PemError;
pub use refusal::Reason;
pub use serve::{Drained, serve};
pub use server::{Gate, GateLimits};
pub use trust::{LoadTrustError, TrustStore};
pub use verifier::TlsError;
