//! The identity that a leaf certificate claims. It is parsed before anything is verified, to choose the authority that
//! must vouch for it, and believed only after that.

use super::fingerprint::Fingerprint;
use crate::{
    access::{MalformedPrincipal, Principal},
    domain::Timestamp,
};
use std::fmt;
use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, X509Certificate};

/// What a leaf certificate claims.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    principal: Principal,
    serial: Vec<u8>,
    issuer: Vec<u8>,
    not_after: Timestamp,
    spki_sha256: Fingerprint,
}

/// Why a certificate has no identity of this exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not a certificate, or an extension appears twice.
    #[error("the certificate cannot be read; issue a new one")]
    Malformed,
    /// Bytes after the certificate.
    #[error("bytes follow the certificate; issue a new one")]
    TrailingBytes,
    /// It may sign certificates or revocation lists, which no caller may.
    #[error(
        "the certificate is an authority's; callers present a leaf without CA flag and signing usages"
    )]
    CaLeaf,
    /// It does not have exactly one URI among its alternative names (SPIFFE X509-SVID, section 2).
    #[error("the certificate must carry exactly one URI name, its SPIFFE id")]
    UriSan,
    /// Its URI names no principal.
    #[error("the certificate's URI name is {0}")]
    Principal(#[from] MalformedPrincipal),
}

impl PeerIdentity {
    /// Reads a DER leaf certificate. Verifies no signature.
    ///
    /// # Errors
    /// All that [`IdentityError`] names.
    pub fn from_der(der: &[u8]) -> Result<Self, IdentityError> {
        let (rest, leaf) = X509Certificate::from_der(der).map_err(|_| IdentityError::Malformed)?;
        if !rest.is_empty() {
            return Err(IdentityError::TrailingBytes);
        }
        // Not `leaf.is_ca()`: it takes a repeated extension for an absent one.
        let constraints = leaf
            .basic_constraints()
            .map_err(|_| IdentityError::Malformed)?;
        let usage = leaf.key_usage().map_err(|_| IdentityError::Malformed)?;
        if constraints.is_some_and(|c| c.value.ca)
            || usage.is_some_and(|u| u.value.key_cert_sign() || u.value.crl_sign())
        {
            return Err(IdentityError::CaLeaf);
        }
        Ok(Self {
            principal: single_uri(&leaf)?.parse()?,
            serial: leaf.raw_serial().to_vec(),
            issuer: leaf.issuer().as_raw().to_vec(),
            not_after: timestamp(leaf.validity().not_after),
            spki_sha256: Fingerprint::of(leaf.public_key().raw),
        })
    }

    /// The principal.
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The certificate's serial number, as it is encoded.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// The issuer's name, DER.
    pub fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// When the certificate expires.
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// SHA-256 of its public key (SubjectPublicKeyInfo).
    pub const fn spki_sha256(&self) -> Fingerprint {
        self.spki_sha256
    }
}

impl fmt::Debug for PeerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (serial {})",
            self.principal,
            hex::encode(&self.serial)
        )
    }
}

/// The only URI among a certificate's alternative names.
pub(super) fn single_uri<'a>(certificate: &X509Certificate<'a>) -> Result<&'a str, IdentityError> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| IdentityError::Malformed)?
        .ok_or(IdentityError::UriSan)?;
    let mut uri = None;
    for name in &names.value.general_names {
        if let GeneralName::Invalid(..) = name {
            return Err(IdentityError::Malformed);
        }
        if let GeneralName::URI(found) = name
            && uri.replace(*found).is_some()
        {
            return Err(IdentityError::UriSan);
        }
    }
    uri.ok_or(IdentityError::UriSan)
}

/// A certificate's time. Times before 1970 become 1970.
pub(super) fn timestamp(time: ASN1Time) -> Timestamp {
    Timestamp::from_millis(0).plus_seconds(u64::try_from(time.timestamp()).unwrap_or(0))
}
