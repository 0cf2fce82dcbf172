//! Certificate revocation lists (RFC 5280, section 5).

use super::{
    authority::Authority,
    identity::timestamp,
    pem::{self, PemError},
    verifier::provider,
};
use crate::domain::Timestamp;
use rustls::{
    CertRevocationListError, RootCertStore,
    client::{VerifierBuilderError, WebPkiServerVerifier},
};
use rustls_pki_types::CertificateRevocationListDer;
use std::fmt;
use x509_parser::{
    oid_registry::OID_SIG_ECDSA_WITH_SHA256,
    prelude::{CertificateRevocationList, FromDer},
};

/// A jurisdiction's revocation list, signed by its authority.
#[derive(Clone, PartialEq, Eq)]
pub struct Crl {
    der: CertificateRevocationListDer<'static>,
    number: u64,
    next_update: Timestamp,
    revoked: usize,
}

/// Why a revocation list is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// The file does not hold exactly one list.
    #[error("not a revocation list: {0}")]
    File(#[from] PemError),
    /// Not X.509.
    #[error("not a revocation list: its encoding is damaged; copy it anew from the CA's machine")]
    Malformed,
    /// It does not state its number.
    #[error(
        "the revocation list lacks its number (RFC 5280, section 5.2.3), or it has more than 64 bits"
    )]
    Number,
    /// It does not state how long it is valid.
    #[error("the revocation list does not say when its next update is due")]
    NextUpdate,
    /// It is another authority's.
    #[error("the revocation list names another issuer than the jurisdiction's CA")]
    Issuer,
    /// Its signature is of another kind.
    #[error(
        "the revocation list must be signed with ECDSA and SHA-256, and is not; make one with `yichuan certs revoke`"
    )]
    Algorithm,
    /// It is forged, or signed with another key.
    #[error("the revocation list is not signed with the key of the jurisdiction's CA")]
    Signature,
    /// It is signed, but of a kind that is not supported.
    #[error(
        "the revocation list cannot be used: {0}; make a whole one with `yichuan certs revoke`"
    )]
    Unusable(&'static str),
    /// It is not newer than the known list, and not the same.
    #[error(
        "the revocation list has number {offered}, no newer than the known {known}; fetch the newest"
    )]
    Older {
        /// Number of the list refused.
        offered: u64,
        /// Number of the list known.
        known: u64,
    },
    /// The authority is unknown.
    #[error("the revocation list is of a jurisdiction without a CA here")]
    UnknownJurisdiction,
}

impl Crl {
    /// Reads a list, PEM or DER, and verifies the authority's signature. [`Crl::is_fresh`] tells whether it is still
    /// valid.
    ///
    /// # Errors
    /// All that [`CrlError`] names except `Older` and `UnknownJurisdiction`.
    pub fn parse(bytes: &[u8], authority: &Authority) -> Result<Self, CrlError> {
        let der: CertificateRevocationListDer<'static> = pem::one(bytes)?;
        let (rest, list) =
            CertificateRevocationList::from_der(&der).map_err(|_| CrlError::Malformed)?;
        if !rest.is_empty() {
            return Err(CrlError::Malformed);
        }
        if list.issuer().as_raw() != authority.subject() {
            return Err(CrlError::Issuer);
        }
        if list.signature_algorithm.algorithm != OID_SIG_ECDSA_WITH_SHA256 {
            return Err(CrlError::Algorithm);
        }
        if !authority.signed(list.tbs_cert_list.as_ref(), &list.signature_value.data) {
            return Err(CrlError::Signature);
        }
        let number = match list.crl_number().map(|n| n.to_u64_digits()).as_deref() {
            Some([]) => 0,
            Some([number]) => *number,
            _ => return Err(CrlError::Number),
        };
        usable(&der, authority)?;
        Ok(Self {
            number,
            next_update: timestamp(list.next_update().ok_or(CrlError::NextUpdate)?),
            revoked: list.iter_revoked_certificates().count(),
            der: der.clone(),
        })
    }

    /// The list.
    pub const fn der(&self) -> &CertificateRevocationListDer<'static> {
        &self.der
    }

    /// Its number; each list of an authority has a higher one.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// When it expires.
    pub const fn next_update(&self) -> Timestamp {
        self.next_update
    }

    /// How many certificates it revokes.
    pub const fn revoked(&self) -> usize {
        self.revoked
    }

    /// Whether its next update is not due yet.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.next_update
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CRL {} ({} revoked)", self.number, self.revoked)
    }
}

/// Whether rustls can look certificates up in the list: it does not support all kinds.
fn usable(
    der: &CertificateRevocationListDer<'static>,
    authority: &Authority,
) -> Result<(), CrlError> {
    let mut roots = RootCertStore::empty();
    // A CA that cannot be used is reported where it is read.
    if roots.add(authority.der().clone()).is_err() {
        return Ok(());
    }
    let built = WebPkiServerVerifier::builder_with_provider(roots.into(), provider())
        .with_crls([der.clone()])
        .build();
    match built {
        Ok(_) => Ok(()),
        Err(VerifierBuilderError::InvalidCrl(error)) => Err(CrlError::Unusable(words(&error))),
        Err(_) => Err(CrlError::Malformed),
    }
}

fn words(error: &CertRevocationListError) -> &'static str {
    use CertRevocationListError as E;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "rustls adds variants, and all others are an encoding that it does not take"
    )]
    match error {
        E::UnsupportedDeltaCrl => {
            "it is a delta list, which names only what changed since another one"
        }
        E::UnsupportedIndirectCrl => {
            "it is an indirect list, or one for a part of the CA's certificates (issuing distribution point)"
        }
        E::UnsupportedCriticalExtension => "it has a critical extension that is not known here",
        E::UnsupportedRevocationReason => "it revokes for a reason that RFC 5280 does not know",
        E::UnsupportedCrlVersion => "it is not of version 2 (RFC 5280, section 5.1.2.1)",
        E::InvalidCrlNumber => "its number is not encoded as RFC 5280 has it",
        E::InvalidRevokedCertSerialNumber => {
            "a serial number in it is not encoded as RFC 5280 has it"
        }
        _ => "it is not encoded as RFC 5280 has it",
    }
}
