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
    /// Not exactly one list.
    #[error("not a revocation list: {0}")]
    File(#[from] PemError),
    /// Not X.509.
    #[error("not a revocation list: its encoding is damaged; copy it anew from the CA's machine")]
    Malformed,
    /// Says not which number it has.
    #[error(
        "the revocation list lacks its number (RFC 5280, section 5.2.3), or it has more than 64 bits"
    )]
    Number,
    /// Says not until when it holds.
    #[error("the revocation list does not say when its next update is due")]
    NextUpdate,
    /// Another authority's.
    #[error("the revocation list names another issuer than the jurisdiction's CA")]
    Issuer,
    /// Another kind of signature.
    #[error(
        "the revocation list must be signed with ECDSA and SHA-256, and is not; make one with `yichuan certs revoke`"
    )]
    Algorithm,
    /// Forged, or of another key.
    #[error("the revocation list is not signed with the key of the jurisdiction's CA")]
    Signature,
    /// Signed, and of a kind that is not used here.
    #[error(
        "the revocation list cannot be used: {0}; make a whole one with `yichuan certs revoke`"
    )]
    Unusable(&'static str),
    /// No newer than the one known, and not the same.
    #[error(
        "the revocation list has number {offered}, no newer than the known {known}; fetch the newest"
    )]
    Older {
        /// Number of the list refused.
        offered: u64,
        /// Number of the list known.
        known: u64,
    },
    /// No such authority.
    #[error("the revocation list is of a jurisdiction without a CA here")]
    UnknownJurisdiction,
}

impl Crl {
    /// Reads a list, PEM or DER, and checks that the authority signed it. Whether it still holds is a matter of
    /// [`Crl::is_fresh`].
    ///
    /// # Errors
    /// All that [`CrlError`] names but `Older` and `UnknownJurisdiction`.
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

    /// True until its next update is due.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.next_update
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CRL {} ({} revoked)", self.number, self.revoked)
    }
}

/// Whether the list is one that rustls looks certificates up in: it knows fewer kinds than there are.
fn usable(
    der: &CertificateRevocationListDer<'static>,
    authority: &Authority,
) -> Result<(), CrlError> {
    let mut roots = RootCertStore::empty();
    // That the CA is of no use is said where it is read.
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
