//! A jurisdiction's CA: it issues certificates and revocation lists, and signs node cards. Used offline, on the machine
//! that holds the CA key.

use super::{
    authority::{Authority, AuthorityError},
    fingerprint::Fingerprint,
    pem::{self, PemError},
};
use crate::{
    access::Principal,
    domain::{Jurisdiction, Timestamp},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, RevokedCertParams, SanType, SerialNumber, SigningKey,
};
use rustls_pki_types::PrivateKeyDer;
use std::fmt;
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// Not a CA certificate of this exchange.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The key belongs to another CA.
    #[error("the CA key does not belong to the CA certificate")]
    Key,
    /// The key file is malformed.
    #[error("the CA key: {0}")]
    KeyFile(PemError),
    /// A CA of this exchange cannot have such a key.
    #[error(
        "the CA key is not an ECDSA P-256 key in PKCS #8, or damaged; restore it from its backup"
    )]
    KeyKind,
    /// The principal belongs to another jurisdiction.
    #[error("the CA of {ca} cannot speak for {principal}")]
    Jurisdiction {
        /// The CA's jurisdiction.
        ca: Jurisdiction,
        /// The principal.
        principal: Principal,
    },
    /// The validity begins before the CA's or ends after it, or is empty.
    #[error("the validity asked for does not lie within the CA's; shorten it, or renew the CA")]
    Validity,
    /// The random source failed.
    #[error("the system gave no random bytes")]
    Random,
    /// rcgen failed.
    #[error("cannot make the certificate: {0}")]
    Rcgen(#[from] rcgen::Error),
}

/// A period of validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before: Timestamp,
    /// The moment after the last.
    pub not_after: Timestamp,
}

impl Validity {
    /// This many days, beginning at `from`.
    pub fn days(from: Timestamp, days: u32) -> Self {
        Self {
            not_before: from,
            not_after: from.plus_seconds(u64::from(days) * 24 * 3600),
        }
    }
}

/// An issued certificate and its key.
pub struct Issued {
    /// The certificate, PEM.
    pub certificate: String,
    /// The key, PEM (PKCS #8).
    pub key: Zeroizing<String>,
    /// The serial number, lowercase hexadecimal.
    pub serial: String,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate {}", self.serial)
    }
}

/// A certificate that a list revokes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number, big-endian.
    pub serial: Vec<u8>,
    /// When it was revoked.
    pub at: Timestamp,
}

/// A CA with its key.
pub struct Ca {
    authority: Authority,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    /// Creates a CA for a jurisdiction: ECDSA P-256, named `<code>.yichuan CA`, for leaves only.
    ///
    /// # Errors
    /// The validity is empty, or the random source failed.
    pub fn create(jurisdiction: Jurisdiction, validity: Validity) -> Result<Self, IssueError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(
            format!("{} CA", jurisdiction.trust_domain()),
            validity,
            &random_serial()?,
        )?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.subject_alt_names = vec![uri(format!("spiffe://{}", jurisdiction.trust_domain()))?];
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            authority: Authority::parse(certificate.der())?,
            certificate: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Parses a CA from PEM.
    ///
    /// # Errors
    /// Not a CA certificate of this exchange, or not its key.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, IssueError> {
        let authority = Authority::parse(certificate.as_bytes())?;
        let key = key_pair(key)?;
        if Fingerprint::of(&key.subject_public_key_info()) != authority.spki_sha256() {
            return Err(IssueError::Key);
        }
        Ok(Self {
            issuer: Issuer::from_ca_cert_der(authority.der(), key)?,
            authority,
            certificate: certificate.to_owned(),
        })
    }

    /// Its certificate.
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Its certificate, PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// Its key, PEM (PKCS #8).
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// Issues a certificate with a new key. A node's certificate is for serving and calling, and has the DNS name
    /// `<code>.yichuan`; a person's is for calling only.
    ///
    /// # Errors
    /// The principal belongs to another jurisdiction, or the validity exceeds the CA's.
    pub fn issue(&self, principal: &Principal, validity: Validity) -> Result<Issued, IssueError> {
        let jurisdiction = principal.jurisdiction();
        if jurisdiction != self.authority.jurisdiction() {
            return Err(IssueError::Jurisdiction {
                ca: self.authority.jurisdiction(),
                principal: principal.clone(),
            });
        }
        if !self.authority.is_valid(validity.not_before)
            || validity.not_after > self.authority.not_after()
        {
            return Err(IssueError::Validity);
        }
        let name = match principal.number() {
            Some(number) => format!("{} {number}", principal.role()),
            None => jurisdiction.trust_domain(),
        };
        let serial = random_serial()?;
        let mut params = params(name, validity, &serial)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![uri(principal.to_string())?];
        if principal.is_node() {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth);
            let dns = jurisdiction.trust_domain().try_into()?;
            params.subject_alt_names.push(SanType::DnsName(dns));
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        Ok(Issued {
            certificate: params.signed_by(&key, &self.issuer)?.pem(),
            key: Zeroizing::new(key.serialize_pem()),
            serial: hex::encode(serial),
        })
    }

    /// Makes a revocation list, PEM. Each has a higher number than the one before.
    ///
    /// # Errors
    /// The list would expire before it becomes valid.
    pub fn crl(
        &self,
        number: u64,
        revoked: &[Revoked],
        validity: Validity,
    ) -> Result<String, IssueError> {
        let revoked = revoked.iter().map(|revoked| {
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&revoked.serial),
                revocation_time: date(revoked.at)?,
                reason_code: None,
                invalidity_date: None,
            })
        });
        let list = CertificateRevocationListParams {
            this_update: date(validity.not_before)?,
            next_update: date(validity.not_after)?,
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect::<Result<_, IssueError>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }

    /// Signs a message with ECDSA P-256 SHA-256, ASN.1: for node cards.
    ///
    /// # Errors
    /// The random source failed.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, IssueError> {
        Ok(self.issuer.key().sign(message)?)
    }
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, with its key", self.authority)
    }
}

fn key_pair(text: &str) -> Result<KeyPair, IssueError> {
    let der: PrivateKeyDer<'static> = pem::one(text.as_bytes()).map_err(IssueError::KeyFile)?;
    let der = Zeroizing::new(der);
    KeyPair::try_from(&*der).map_err(|_| IssueError::KeyKind)
}

fn params(
    common_name: String,
    validity: Validity,
    serial: &[u8],
) -> Result<CertificateParams, IssueError> {
    if validity.not_after <= validity.not_before {
        return Err(IssueError::Validity);
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.not_before = date(validity.not_before)?;
    params.not_after = date(validity.not_after)?;
    Ok(params)
}

fn uri(text: String) -> Result<SanType, IssueError> {
    Ok(SanType::URI(text.try_into()?))
}

fn date(time: Timestamp) -> Result<OffsetDateTime, IssueError> {
    i64::try_from(time.seconds())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or(IssueError::Validity)
}

/// 16 random bytes. The first one makes the number positive and its encoding 16 bytes long (RFC 5280, 4.1.2.2).
fn random_serial() -> Result<[u8; 16], IssueError> {
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| IssueError::Random)?;
    let [first, ..] = &mut serial;
    *first = (*first & 0x7f) | 0x40;
    Ok(serial)
}
