//! A jurisdiction's certificate authority.

use super::{
    fingerprint::Fingerprint,
    identity::{single_uri, timestamp},
    pem::{self, PemError},
};
use crate::domain::{Jurisdiction, Timestamp};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls_pki_types::CertificateDer;
use std::fmt;
use x509_parser::{
    oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ECDSA_WITH_SHA256},
    prelude::{FromDer, X509Certificate},
    x509::SubjectPublicKeyInfo,
};

/// A jurisdiction's self-signed CA certificate: it speaks for that jurisdiction alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    jurisdiction: Jurisdiction,
    der: CertificateDer<'static>,
    subject: Vec<u8>,
    public_key: Vec<u8>,
    spki_sha256: Fingerprint,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// Why a certificate is not an authority's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// The file does not hold exactly one certificate.
    #[error("not a CA certificate: {0}")]
    File(#[from] PemError),
    /// Not X.509, or an extension appears twice.
    #[error("not a CA certificate: its encoding is damaged; copy it anew from the CA's machine")]
    Malformed,
    /// It is a leaf certificate.
    #[error("not a CA certificate: it needs the CA flag and the usages keyCertSign and cRLSign")]
    NotCa,
    /// It does not name its jurisdiction.
    #[error("the CA certificate must carry exactly one URI name, spiffe://<code>.yichuan")]
    TrustDomain,
    /// Its key is of another kind.
    #[error("the CA's key must be ECDSA P-256; make a CA with `yichuan certs ca`")]
    Key,
    /// Its signature is of another kind.
    #[error("the CA certificate must be signed with ECDSA and SHA-256, and is not")]
    Algorithm,
    /// It is not signed by its own key.
    #[error("the CA certificate is not signed by its own key")]
    Signature,
}

impl Authority {
    /// Reads and checks a CA certificate, PEM or DER.
    ///
    /// # Errors
    /// All that [`AuthorityError`] names.
    pub fn parse(bytes: &[u8]) -> Result<Self, AuthorityError> {
        let der: CertificateDer<'static> = pem::one(bytes)?;
        let (rest, certificate) =
            X509Certificate::from_der(&der).map_err(|_| AuthorityError::Malformed)?;
        if !rest.is_empty() {
            return Err(AuthorityError::Malformed);
        }
        let constraints = certificate
            .basic_constraints()
            .map_err(|_| AuthorityError::Malformed)?;
        let usage = certificate
            .key_usage()
            .map_err(|_| AuthorityError::Malformed)?;
        if !constraints.is_some_and(|c| c.value.ca)
            || !usage.is_some_and(|u| u.value.key_cert_sign() && u.value.crl_sign())
        {
            return Err(AuthorityError::NotCa);
        }
        let jurisdiction = single_uri(&certificate)
            .ok()
            .and_then(|uri| uri.strip_prefix("spiffe://")?.strip_suffix(".yichuan"))
            .and_then(|code| code.parse().ok())
            .ok_or(AuthorityError::TrustDomain)?;
        if certificate.signature_algorithm.algorithm != OID_SIG_ECDSA_WITH_SHA256 {
            return Err(AuthorityError::Algorithm);
        }
        let authority = Self {
            jurisdiction,
            subject: certificate.subject().as_raw().to_vec(),
            public_key: p256_key(certificate.public_key()).ok_or(AuthorityError::Key)?,
            spki_sha256: Fingerprint::of(certificate.public_key().raw),
            not_before: timestamp(certificate.validity().not_before),
            not_after: timestamp(certificate.validity().not_after),
            der: der.clone(),
        };
        if certificate.issuer().as_raw() != authority.subject
            || !authority.signed(
                certificate.tbs_certificate.as_ref(),
                &certificate.signature_value.data,
            )
        {
            return Err(AuthorityError::Signature);
        }
        Ok(authority)
    }

    /// The jurisdiction that it speaks for.
    pub const fn jurisdiction(&self) -> Jurisdiction {
        self.jurisdiction
    }

    /// The certificate.
    pub const fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// SHA-256 of the certificate, as compared out of band.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }

    /// SHA-256 of its public key (SubjectPublicKeyInfo). A renewed certificate keeps it; another authority of the same
    /// name has a different one.
    pub const fn spki_sha256(&self) -> Fingerprint {
        self.spki_sha256
    }

    /// When it expires.
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// When it becomes valid.
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Whether `now` is within its validity.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// Its name, DER.
    pub(super) fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// Whether `signature` (ECDSA P-256 SHA-256, ASN.1) over `message` is by its key.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.public_key)
            .verify(message, signature)
            .is_ok()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CA of {}", self.jurisdiction)
    }
}

/// The uncompressed point of a P-256 key.
fn p256_key(key: &SubjectPublicKeyInfo<'_>) -> Option<Vec<u8>> {
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    (key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == OID_EC_P256)
        .then(|| key.subject_public_key.data.to_vec())
}
