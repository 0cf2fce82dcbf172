//! Why a connection was refused, as keys that can be counted and searched for.

use super::identity::IdentityError;
use crate::domain::keyed;
use rustls::{CertificateError, Error as RustlsError, OtherError, PeerIncompatible};
use std::{io, sync::Arc};

keyed! {
    /// Why a connection was refused or cut. The keys are those of logs and metrics.
    pub enum Reason {
        /// The caller showed no certificate.
        NoClientCertificate = "no_client_certificate",
        /// No authority here vouches for its trust domain.
        UnknownIssuer = "unknown_issuer",
        /// Not signed by the CA of the jurisdiction that it names.
        WrongCa = "wrong_ca",
        /// The certificate, or its CA's, has expired.
        Expired = "expired",
        /// The certificate, or its CA's, is not valid yet.
        NotYetValid = "not_yet_valid",
        /// Revoked.
        Revoked = "revoked",
        /// No fresh revocation list, without which this principal is not admitted.
        NoFreshCrl = "no_fresh_crl",
        /// The leaf is a CA's, or may sign certificates.
        CaLeaf = "ca_leaf",
        /// Not exactly one URI name, or not a SPIFFE id of this exchange.
        UriSan = "uri_san",
        /// The certificate is malformed, or not for this use.
        BadCertificate = "bad_certificate",
        /// A node other than the one dialled.
        WrongPeer = "wrong_peer",
        /// A certificate from `certs-dev/`, seen outside loopback.
        DevCertificate = "dev_certificate",
        /// Not TLS 1.3.
        TlsVersion = "tls_version",
        /// A key exchange without X25519MLKEM768, where it is demanded: see [`super::RequireHybrid`].
        NotHybrid = "not_hybrid",
        /// The handshake took too long.
        Timeout = "timeout",
        /// The maximum number of connections is open.
        TooManyConnections = "too_many_connections",
        /// Others completed their handshakes while no slot was free.
        CrowdedOut = "crowded_out",
        /// The maximum number of connections from one address is open.
        TooManyFromAddress = "too_many_from_address",
        /// The maximum number of connections of one principal, or of one other jurisdiction, is open.
        TooManyOfPrincipal = "too_many_of_principal",
        /// The peer sent nothing after the handshake.
        Silent = "silent",
        /// The peer closed the connection during the handshake.
        Aborted = "aborted",
        /// The handshake failed for another reason.
        Handshake = "handshake",
    }
}

impl std::error::Error for Reason {}

impl From<IdentityError> for Reason {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Malformed | IdentityError::TrailingBytes => Self::BadCertificate,
            IdentityError::CaLeaf => Self::CaLeaf,
            IdentityError::UriSan | IdentityError::Principal(_) => Self::UriSan,
        }
    }
}

impl Reason {
    /// The error that carries it through rustls to the alert. If rustls has an error of its own for it, that one is
    /// used, so that the peer gets the right alert.
    pub(super) fn into_rustls(self) -> RustlsError {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "what rustls has no word for travels as itself"
        )]
        let error = match self {
            Self::WrongCa => CertificateError::UnknownIssuer,
            Self::Expired => CertificateError::Expired,
            Self::NotYetValid => CertificateError::NotValidYet,
            Self::Revoked => CertificateError::Revoked,
            // Its alert is handshake_failure: no acceptable set of parameters (RFC 8446, section 6.2).
            Self::NotHybrid => return RustlsError::Other(OtherError(Arc::new(self))),
            other => CertificateError::Other(OtherError(Arc::new(other))),
        };
        RustlsError::InvalidCertificate(error)
    }

    /// Why a chain did not verify.
    pub(super) fn of_verification(error: &RustlsError) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "rustls adds variants, and all others are a bad certificate"
        )]
        match error {
            RustlsError::InvalidCertificate(certificate) => match certificate {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::WrongCa,
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    Self::Expired
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Self::NotYetValid
                }
                CertificateError::Revoked => Self::Revoked,
                CertificateError::UnknownRevocationStatus => Self::NoFreshCrl,
                CertificateError::Other(OtherError(inner)) => inner
                    .downcast_ref::<Self>()
                    .copied()
                    .unwrap_or(Self::BadCertificate),
                _ => Self::BadCertificate,
            },
            _ => Self::BadCertificate,
        }
    }

    /// Why a handshake failed.
    pub(super) fn of_handshake(error: &io::Error) -> Self {
        let Some(error) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<RustlsError>())
        else {
            return Self::Aborted;
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "rustls adds variants, and all others are a failed handshake"
        )]
        match error {
            RustlsError::NoCertificatesPresented => Self::NoClientCertificate,
            // The verifier never returns this: the peer does not hold the certificate's key.
            RustlsError::InvalidCertificate(CertificateError::BadSignature) => Self::Handshake,
            RustlsError::InvalidCertificate(_) => Self::of_verification(error),
            RustlsError::Other(OtherError(inner)) => inner
                .downcast_ref::<Self>()
                .copied()
                .unwrap_or(Self::Handshake),
            RustlsError::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon) => Self::NotHybrid,
            RustlsError::PeerIncompatible(
                PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => Self::TlsVersion,
            _ => Self::Handshake,
        }
    }
}

/// An error of rustls in words that tell causes apart.
pub(super) fn words(error: &RustlsError) -> String {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "rustls adds variants, whose own words are as good as ours"
    )]
    match error {
        RustlsError::InvalidCertificate(error) => match error {
            CertificateError::UnhandledCriticalExtension => {
                "it has a critical extension that is not known here".to_owned()
            }
            CertificateError::BadEncoding => "it is not encoded as RFC 5280 has it".to_owned(),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "it lacks the DNS name of its jurisdiction, <code>.yichuan".to_owned()
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                "its extended key usage lacks serverAuth or clientAuth".to_owned()
            }
            CertificateError::UnknownRevocationStatus => {
                "the revocation list does not cover it: the list is for a part of the CA's certificates (issuing \
                 distribution point)"
                    .to_owned()
            }
            // webpki's own error, for extensions of leaf and CA alike.
            CertificateError::Other(OtherError(inner))
                if inner.to_string() == "UnsupportedCriticalExtension" =>
            {
                "it, or its CA's, has a critical extension that is not known here".to_owned()
            }
            CertificateError::Other(OtherError(inner)) => {
                format!("it breaks a rule of certification paths, RFC 5280 section 6 ({inner})")
            }
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}
