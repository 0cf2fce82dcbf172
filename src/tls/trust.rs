//! Decides whom to believe: a jurisdiction's CA speaks for that jurisdiction alone.
//!
//! With several CAs in one root store, each could issue the others' identities. So each has a verifier of its own,
//! chosen by the trust domain that the leaf names.

use super::{
    authority::{Authority, AuthorityError},
    credentials::Credentials,
    crl::{Crl, CrlError},
    identity::PeerIdentity,
    refusal::{self, Reason},
    verifier::{TlsError, provider, server_name},
};
use crate::{
    access::Principal,
    domain::{Jurisdiction, Timestamp},
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::{collections::BTreeMap, fs, io, path::Path, sync::Arc, time::Duration};

/// The authorities that a node believes, each with its newest revocation list. Immutable: a change makes a new store.
#[derive(Clone, Debug)]
pub struct TrustStore {
    own: Jurisdiction,
    authorities: BTreeMap<Jurisdiction, Arc<Trusted>>,
}

/// Why the files of the own authority cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadTrustError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The CA's certificate.
    #[error("{path}: {source}")]
    Authority {
        /// The file.
        path: String,
        /// Why.
        source: AuthorityError,
    },
    /// The CA's list.
    #[error("{path}: {source}")]
    Crl {
        /// The file.
        path: String,
        /// Why.
        source: CrlError,
    },
    /// rustls refuses them.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

#[derive(Debug)]
struct Trusted {
    authority: Authority,
    crl: Option<Crl>,
    callers: Arc<dyn ClientCertVerifier>,
    nodes: Arc<WebPkiServerVerifier>,
}

impl TrustStore {
    /// Trust in the own jurisdiction. Without a list, or with one that has expired, none of its own callers is
    /// admitted; people's machines, which admit no callers, need no list.
    ///
    /// # Errors
    /// rustls refuses the certificate or list.
    pub fn new(authority: Authority, crl: Option<Crl>) -> Result<Self, TlsError> {
        Self {
            own: authority.jurisdiction(),
            authorities: BTreeMap::new(),
        }
        .with(authority, crl)
    }

    /// [`TrustStore::new`] from files.
    ///
    /// # Errors
    /// All that [`LoadTrustError`] names.
    pub fn load(ca: &Path, crl: Option<&Path>) -> Result<Self, LoadTrustError> {
        let text = |path: &Path| path.display().to_string();
        let read = |path: &Path| {
            fs::read(path).map_err(|source| LoadTrustError::Read {
                path: text(path),
                source,
            })
        };
        let authority =
            Authority::parse(&read(ca)?).map_err(|source| LoadTrustError::Authority {
                path: text(ca),
                source,
            })?;
        let list = |path: &Path| {
            Crl::parse(&read(path)?, &authority).map_err(|source| LoadTrustError::Crl {
                path: text(path),
                source,
            })
        };
        let crl = crl.map(list).transpose()?;
        Ok(Self::new(authority, crl)?)
    }

    /// Adds a partner, or a partner's newer certificate and list.
    ///
    /// # Errors
    /// rustls refuses the certificate or list.
    pub fn with(mut self, authority: Authority, crl: Option<Crl>) -> Result<Self, TlsError> {
        let jurisdiction = authority.jurisdiction();
        let trusted = Trusted::new(authority, crl)?;
        self.authorities.insert(jurisdiction, Arc::new(trusted));
        Ok(self)
    }

    /// Removes a partner. The own jurisdiction stays.
    #[must_use]
    pub fn without(mut self, partner: Jurisdiction) -> Self {
        if partner != self.own {
            self.authorities.remove(&partner);
        }
        self
    }

    /// Removes all partners.
    #[must_use]
    pub fn alone(mut self) -> Self {
        let own = self.own;
        self.authorities
            .retain(|jurisdiction, _| *jurisdiction == own);
        self
    }

    /// A copy with a jurisdiction's newer list; `None` if the list is the known one.
    ///
    /// # Errors
    /// Its CA did not sign the list, or it is older than the known one.
    pub fn with_crl(
        &self,
        jurisdiction: Jurisdiction,
        bytes: &[u8],
    ) -> Result<Option<Self>, TlsError> {
        let trusted = self
            .authorities
            .get(&jurisdiction)
            .ok_or(CrlError::UnknownJurisdiction)?;
        let offered = Crl::parse(bytes, &trusted.authority)?;
        if trusted.crl.as_ref() == Some(&offered) {
            return Ok(None);
        }
        no_older(trusted.crl.as_ref(), Some(&offered))?;
        let store = self.clone();
        store
            .with(trusted.authority.clone(), Some(offered))
            .map(Some)
    }

    /// The own jurisdiction.
    pub const fn own(&self) -> Jurisdiction {
        self.own
    }

    /// A jurisdiction's authority.
    pub fn authority(&self, jurisdiction: Jurisdiction) -> Option<&Authority> {
        self.authorities.get(&jurisdiction).map(|t| &t.authority)
    }

    /// A jurisdiction's newest list.
    pub fn crl(&self, jurisdiction: Jurisdiction) -> Option<&Crl> {
        self.authorities.get(&jurisdiction)?.crl.as_ref()
    }

    /// When the own list expires, after which no own caller is admitted. Raise an alarm before.
    pub fn crl_expires(&self) -> Option<Timestamp> {
        self.crl(self.own).map(Crl::next_update)
    }

    /// Jurisdictions without a fresh list.
    pub fn without_fresh_crl(&self, now: Timestamp) -> impl Iterator<Item = Jurisdiction> {
        self.authorities
            .iter()
            .filter(move |(_, t)| !t.is_fresh(now))
            .map(|(jurisdiction, _)| *jurisdiction)
    }

    /// The identity of a caller, if it is admitted.
    ///
    /// Own callers need a fresh list, and so do a partner's people. A partner's node is checked against the newest
    /// known list, even an expired one, so that an outage at its authority does not stop deliveries.
    ///
    /// # Errors
    /// Why it is not admitted.
    pub fn admit_caller(
        &self,
        leaf: &CertificateDer<'_>,
        now: Timestamp,
    ) -> Result<PeerIdentity, Reason> {
        let identity = PeerIdentity::from_der(leaf)?;
        let principal = identity.principal();
        let trusted = self.trusted(principal.jurisdiction(), now)?;
        trusted
            .callers
            .verify_client_cert(leaf, &[], unix_time(now))
            .map_err(|error| Reason::of_verification(&error))?;
        self.still_admits_caller(&identity, now)?;
        Ok(identity)
    }

    /// Whether a caller that this store has admitted may stay, now that time has passed. Verifies no signature.
    ///
    /// # Errors
    /// Why it may not.
    pub fn still_admits_caller(
        &self,
        identity: &PeerIdentity,
        now: Timestamp,
    ) -> Result<(), Reason> {
        let principal = identity.principal();
        let trusted = self.trusted(principal.jurisdiction(), now)?;
        if identity.not_after() <= now {
            return Err(Reason::Expired);
        }
        let needs_fresh = principal.jurisdiction() == self.own || !principal.is_node();
        if needs_fresh && !trusted.is_fresh(now) {
            return Err(Reason::NoFreshCrl);
        }
        Ok(())
    }

    /// The identity of the node that answered, if it is exactly that jurisdiction's node. Checked against the newest
    /// known list.
    ///
    /// # Errors
    /// Why it is not.
    pub fn admit_node(
        &self,
        leaf: &CertificateDer<'_>,
        peer: Jurisdiction,
        now: Timestamp,
    ) -> Result<PeerIdentity, Reason> {
        let identity = PeerIdentity::from_der(leaf)?;
        if *identity.principal() != Principal::node(peer) {
            return Err(Reason::WrongPeer);
        }
        self.trusted(peer, now)?
            .verify_node(leaf, peer, now)
            .map_err(|error| Reason::of_verification(&error))?;
        Ok(identity)
    }

    /// Whether everybody would admit the own node with this certificate.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) fn admit_own(
        &self,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<(), TlsError> {
        let Err(reason) = self.admit_node(credentials.leaf(), self.own, now) else {
            return Ok(());
        };
        let why = self.why_not(credentials, reason, now);
        Err(TlsError::Own { reason, why })
    }

    fn why_not(&self, credentials: &Credentials, reason: Reason, now: Timestamp) -> String {
        let identity = credentials.identity();
        let own = self.authorities.get(&self.own);
        let ca = own.map(|trusted| &trusted.authority);
        let issue = "issue another with `yichuan certs issue node`";
        let clock = format!("this machine's clock says {}", now.shanghai_text());
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "what else there is, rustls has words for"
        )]
        match reason {
            Reason::WrongPeer => format!(
                "it is of {}, and this is the node of {}; {issue}",
                identity.principal(),
                self.own
            ),
            Reason::NotYetValid | Reason::Expired if ca.is_some_and(|ca| now < ca.not_before()) => {
                format!("the CA's certificate does not hold yet, and {clock}: set the clock")
            }
            Reason::NotYetValid => {
                format!("it does not hold yet, and {clock}: set the clock, or wait")
            }
            Reason::Expired if ca.is_some_and(|ca| ca.not_after() <= now) => format!(
                "the CA's certificate has expired, and {clock}: make a new CA, or set the clock"
            ),
            Reason::Expired => format!(
                "it expired on {}, and {clock}: {issue}, or set the clock",
                identity.not_after().shanghai_text()
            ),
            Reason::Revoked => format!("it is revoked; {issue}"),
            Reason::WrongCa => {
                format!("it is not signed by the CA under tls.ca; {issue} with that CA")
            }
            _ => {
                let said =
                    own.and_then(|own| own.verify_node(credentials.leaf(), self.own, now).err());
                let said = said.map_or_else(|| reason.to_string(), |error| refusal::words(&error));
                format!("{said}; {issue}, or make a plain CA or list with `yichuan certs`")
            }
        }
    }

    /// Whether this store may judge a jurisdiction's people and node differently from `other`.
    pub(super) fn differs_for(&self, jurisdiction: Jurisdiction, other: &Self) -> bool {
        let of = |store: &Self| store.authorities.get(&jurisdiction).map(Arc::as_ptr);
        of(self) != of(other)
    }

    /// Refuses a successor of this store that forgets a revocation: under an unchanged CA a list may only get newer.
    pub(super) fn check_successor(&self, next: &Self) -> Result<(), CrlError> {
        self.authorities
            .keys()
            .try_for_each(|jurisdiction| self.check_successor_for(*jurisdiction, next))
    }

    /// Makes the check of a successor for one jurisdiction.
    ///
    /// # Errors
    /// It forgets a revocation.
    pub fn check_successor_for(
        &self,
        jurisdiction: Jurisdiction,
        next: &Self,
    ) -> Result<(), CrlError> {
        let of = |store: &Self| store.authorities.get(&jurisdiction).cloned();
        match of(self).zip(of(next)) {
            Some((old, new)) if new.authority.spki_sha256() == old.authority.spki_sha256() => {
                no_older(old.crl.as_ref(), new.crl.as_ref())
            }
            Some(_) | None => Ok(()),
        }
    }

    fn trusted(&self, jurisdiction: Jurisdiction, now: Timestamp) -> Result<&Trusted, Reason> {
        let trusted = self
            .authorities
            .get(&jurisdiction)
            .ok_or(Reason::UnknownIssuer)?;
        // A clock that is behind must not look like a CA that has expired.
        if now < trusted.authority.not_before() {
            return Err(Reason::NotYetValid);
        }
        if !trusted.authority.is_valid(now) {
            return Err(Reason::Expired);
        }
        Ok(trusted)
    }
}

impl Trusted {
    fn new(authority: Authority, crl: Option<Crl>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone())?;
        let roots = Arc::new(roots);
        // Exactly one list: webpki takes the first authoritative one it finds (rustls/webpki#488).
        let lists: Vec<_> = crl.iter().map(|crl| crl.der().clone()).collect();
        Ok(Self {
            callers: WebPkiClientVerifier::builder_with_provider(roots.clone(), provider())
                .with_crls(lists.clone())
                .build()?,
            nodes: WebPkiServerVerifier::builder_with_provider(roots, provider())
                .with_crls(lists)
                .build()?,
            authority,
            crl,
        })
    }

    fn verify_node(
        &self,
        leaf: &CertificateDer<'_>,
        peer: Jurisdiction,
        now: Timestamp,
    ) -> Result<(), rustls::Error> {
        let name = server_name(peer)?;
        self.nodes
            .verify_server_cert(leaf, &[], &name, &[], unix_time(now))
            .map(|_| ())
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.crl.as_ref().is_some_and(|crl| crl.is_fresh(now))
    }
}

/// A list may be replaced by itself or by one with a higher number.
fn no_older(known: Option<&Crl>, offered: Option<&Crl>) -> Result<(), CrlError> {
    match (known, offered) {
        (Some(known), Some(offered)) if offered.number() <= known.number() && offered != known => {
            Err(CrlError::Older {
                offered: offered.number(),
                known: known.number(),
            })
        }
        (Some(known), None) => Err(CrlError::Older {
            offered: 0,
            known: known.number(),
        }),
        (Some(_), Some(_)) | (None, _) => Ok(()),
    }
}

fn unix_time(time: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_millis(time.millis()))
}
