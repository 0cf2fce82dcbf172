//! Certificate revocation lists (RFC 5280, section 5).

use super::{authority::Authority, identity::timestamp};
use crate::domain::Timestamp;
use rustls_pki_types::{CertificateRevocationListDer, pem::PemObject};
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
    #[error("not a revocation list: expected exactly one CRL, PEM or DER")]
    Malformed,
    /// Says not which number it has, or not until when it holds.
    #[error("the revocation list lacks its number or its next update")]
    Incomplete,
    /// Another authority's, or forged.
    #[error("the revocation list is not signed by the jurisdiction's CA")]
    Signature,
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
        let der = one_der(bytes)?;
        let (rest, list) =
            CertificateRevocationList::from_der(&der).map_err(|_| CrlError::Malformed)?;
        if !rest.is_empty() {
            return Err(CrlError::Malformed);
        }
        if list.issuer().as_raw() != authority.subject()
            || list.signature_algorithm.algorithm != OID_SIG_ECDSA_WITH_SHA256
            || !authority.signed(list.tbs_cert_list.as_ref(), &list.signature_value.data)
        {
            return Err(CrlError::Signature);
        }
        let number = match list.crl_number().map(|n| n.to_u64_digits()).as_deref() {
            Some([]) => 0,
            Some([number]) => *number,
            _ => return Err(CrlError::Incomplete),
        };
        Ok(Self {
            number,
            next_update: timestamp(list.next_update().ok_or(CrlError::Incomplete)?),
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

fn one_der(bytes: &[u8]) -> Result<CertificateRevocationListDer<'static>, CrlError> {
    if !bytes.starts_with(b"-----BEGIN") {
        return Ok(CertificateRevocationListDer::from(bytes.to_vec()));
    }
    let mut all = CertificateRevocationListDer::pem_slice_iter(bytes);
    match (all.next(), all.next()) {
        (Some(Ok(der)), None) => Ok(der),
        _ => Err(CrlError::Malformed),
    }
}
