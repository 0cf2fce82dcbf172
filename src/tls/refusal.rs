//! Why a connection was refused, in words that machines count and people grep.

use super::identity::IdentityError;
use rustls::{CertificateError, Error as RustlsError, OtherError, PeerIncompatible};
use std::{fmt, io, sync::Arc};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $word:literal,)*) => {
        /// Why a connection was refused, or cut.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// All.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As it stands in logs and metrics.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

reasons! {
    /// The caller showed no certificate.
    NoClientCertificate => "no_client_certificate",
    /// Nobody here vouches for its trust domain.
    UnknownIssuer => "unknown_issuer",
    /// Not signed by the CA of the jurisdiction that it names.
    WrongCa => "wrong_ca",
    /// The certificate, or its CA's, has expired.
    Expired => "expired",
    /// The certificate, or its CA's, does not hold yet.
    NotYetValid => "not_yet_valid",
    /// Revoked.
    Revoked => "revoked",
    /// No fresh revocation list, without which this principal is not admitted.
    NoFreshCrl => "no_fresh_crl",
    /// The leaf is a CA's, or may sign certificates.
    CaLeaf => "ca_leaf",
    /// Not exactly one URI name, or not a SPIFFE id of this exchange.
    UriSan => "uri_san",
    /// The certificate is malformed, or not for this use.
    BadCertificate => "bad_certificate",
    /// Another node than the one dialled.
    WrongPeer => "wrong_peer",
    /// A certificate from `certs-dev/`, seen outside loopback.
    DevCertificate => "dev_certificate",
    /// Not TLS 1.3.
    TlsVersion => "tls_version",
    /// A key exchange without X25519MLKEM768, where it is demanded: see [`super::RequireHybrid`].
    NotHybrid => "not_hybrid",
    /// The handshake took too long.
    Timeout => "timeout",
    /// As many connections as are allowed are open.
    TooManyConnections => "too_many_connections",
    /// Others shook hands faster while there was no room for more.
    CrowdedOut => "crowded_out",
    /// As many connections as one address may have are open.
    TooManyFromAddress => "too_many_from_address",
    /// As many connections as one principal, or one other jurisdiction, may have are open.
    TooManyOfPrincipal => "too_many_of_principal",
    /// Nothing was said after the handshake.
    Silent => "silent",
    /// Closed during the handshake.
    Aborted => "aborted",
    /// The handshake failed otherwise.
    Handshake => "handshake",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
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
    /// As rustls carries it to the alert. What rustls has a word for keeps it, so that the peer gets the right alert.
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
            // The verifier never says this: the peer does not hold the certificate's key.
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

/// What rustls says, in words that tell one cause from another.
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
            // webpki's own, for extensions of leaf and CA alike.
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
