//! [`TrustStore`] as a verifier of rustls, and the TLS configurations of both sides: TLS 1.3 only, X25519MLKEM768
//! preferred or demanded, HTTP/2, no session resumption.

use super::{
    credentials::{Credentials, CredentialsError},
    crl::CrlError,
    hybrid::RequireHybrid,
    refusal::Reason,
    trust::TrustStore,
};
use crate::domain::{Clock, Jurisdiction, Timestamp};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, ServerConfig,
    SignatureScheme,
    client::{
        Resumption, VerifierBuilderError as BuilderError,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature},
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    time_provider::TimeProvider,
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

/// Why certificates and trust do not make a working configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The own certificate or key.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Everybody would refuse the own certificate.
    #[error("own certificate refused ({reason}): {why}")]
    Own {
        /// The reason that others would log.
        reason: Reason,
        /// The reason in words, and what to do.
        why: String,
    },
    /// A revocation list.
    #[error(transparent)]
    Crl(#[from] CrlError),
    /// rustls refuses the configuration.
    #[error("certificates and key do not make a TLS configuration: {0}")]
    Rustls(#[from] Error),
    /// rustls refuses a CA or its list.
    #[error("a CA certificate or its revocation list does not make a verifier: {0}")]
    Verifier(#[from] BuilderError),
    /// Development certificates on a network.
    #[error(transparent)]
    Dev(#[from] super::dev::DevOutsideLoopback),
}

/// One cryptographic provider for everything; its key exchange groups begin with X25519MLKEM768.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    PROVIDER.clone()
}

/// As [`provider`], for key exchanges with X25519MLKEM768 alone.
fn hybrid_provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider {
            kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768],
            ..aws_lc_rs::default_provider()
        })
    });
    PROVIDER.clone()
}

/// How a client exchanges keys, judged by what it offers.
#[derive(Clone, Copy, Debug)]
pub(super) enum KeyExchange {
    /// It offers X25519MLKEM768.
    Hybrid,
    /// It does not offer it, and is refused if that is demanded from it.
    Plain(RequireHybrid),
}

pub(super) fn server_config(
    credentials: &Credentials,
    trust: &Arc<TrustStore>,
    clock: &Arc<dyn Clock>,
    exchange: KeyExchange,
) -> Result<ServerConfig, TlsError> {
    let (provider, without_hybrid) = match exchange {
        KeyExchange::Hybrid => (hybrid_provider(), RequireHybrid::Off),
        KeyExchange::Plain(refused) => (provider(), refused),
    };
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(Time(clock.clone())))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(Verifier {
            trust: trust.clone(),
            without_hybrid,
        }))
        .with_cert_resolver(credentials.for_rustls());
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session does not run the verifier: a revoked caller would come back.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(config)
}

/// If a hybrid key exchange is demanded from the owner of these credentials, nothing else is offered.
pub(super) fn client_config(
    credentials: &Credentials,
    trust: &Arc<TrustStore>,
    clock: &Arc<dyn Clock>,
    require: RequireHybrid,
) -> Result<ClientConfig, TlsError> {
    let provider = match require.of(credentials.identity().principal()) {
        true => hybrid_provider(),
        false => provider(),
    };
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(Time(clock.clone())))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier {
            trust: trust.clone(),
            without_hybrid: RequireHybrid::Off,
        }))
        .with_client_cert_resolver(credentials.for_rustls());
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The name under which a jurisdiction's node is dialled, whatever its address.
pub(super) fn server_name(peer: Jurisdiction) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(peer.trust_domain()).map_err(|_| Reason::WrongPeer.into_rustls())
}

fn jurisdiction_of(name: &ServerName<'_>) -> Option<Jurisdiction> {
    let ServerName::DnsName(name) = name else {
        return None;
    };
    name.as_ref().strip_suffix(".yichuan")?.parse().ok()
}

#[derive(Debug)]
struct Time(Arc<dyn Clock>);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let now = Duration::from_millis(self.0.now().millis());
        Some(UnixTime::since_unix_epoch(now))
    }
}

#[derive(Debug)]
struct Verifier {
    trust: Arc<TrustStore>,
    /// Who is refused because of the key exchange in handshakes with this configuration.
    without_hybrid: RequireHybrid,
}

impl Verifier {
    fn signature(
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        verify_tls13_signature(message, leaf, signed, algorithms)
    }

    fn schemes() -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl ClientCertVerifier for Verifier {
    /// No hints: who the partners are is confidential until a caller is known.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let admitted = self.trust.admit_caller(leaf, timestamp(now));
        match admitted {
            Ok(caller) if self.without_hybrid.of(caller.principal()) => {
                Err(Reason::NotHybrid.into_rustls())
            }
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(reason) => Err(reason.into_rustls()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Self::schemes()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let admitted = jurisdiction_of(name)
            .ok_or(Reason::WrongPeer)
            .and_then(|peer| self.trust.admit_node(leaf, peer, timestamp(now)));
        match admitted {
            Ok(_) => Ok(ServerCertVerified::assertion()),
            Err(reason) => Err(reason.into_rustls()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Self::schemes()
    }
}

fn timestamp(time: UnixTime) -> Timestamp {
    Timestamp::from_millis(0).plus_seconds(time.as_secs())
}
