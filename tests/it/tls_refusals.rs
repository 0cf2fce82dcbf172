//! Who is refused at the door, and for what recorded reason. Real sockets, a passed-in clock, no waiting for time.

use crate::common::{der, heard::Heard};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::{
    AlertDescription, ClientConfig, HandshakeKind, NamedGroup, ProtocolVersion, RootCertStore,
    ServerConfig,
    client::WebPkiServerVerifier,
    crypto::{
        CryptoProvider, SupportedKxGroup,
        aws_lc_rs::{
            self,
            kx_group::{SECP256R1, X25519, X25519MLKEM768},
        },
    },
    time_provider::TimeProvider,
    version,
};
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime,
    pem::PemObject,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::transport::Channel;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use yichuan::{
    access::Principal,
    domain::{Clock, Jurisdiction, Timestamp},
    tls::{
        Authority, Ca, Credentials, CredentialsError, Crl, CrlError, Dialer, Drained, Gate,
        GateLimits, Issued, Reason, RequireHybrid, Revoked, TlsError, TrustStore, Validity, dev,
        peer_of, principal_named, serve,
    },
};

/// 2026-06-01T00:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_780_272_000_000);
const DAY: u64 = 24 * 3600;

fn sinan() -> Jurisdiction {
    "520624".parse().unwrap()
}

fn guangdong() -> Jurisdiction {
    "440000".parse().unwrap()
}

fn year() -> Validity {
    Validity::days(NOW, 365)
}

#[derive(Debug)]
struct TestClock(AtomicU64);

impl TestClock {
    fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

#[derive(Debug)]
struct Fixed;

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(
            NOW.seconds(),
        )))
    }
}

/// A node of Sinan that knows Guangdong as a partner.
struct World {
    ca: Ca,
    partner: Ca,
    node: Arc<Credentials>,
    /// The first list of each CA, which revokes nothing.
    first: [Crl; 2],
    gate: Arc<Gate>,
    address: SocketAddr,
    clock: Arc<TestClock>,
    heard: Heard,
    /// Who sent each request, as its handler sees it.
    callers: mpsc::UnboundedReceiver<String>,
    stop: CancellationToken,
    serving: JoinHandle<Result<Drained, tonic::transport::Error>>,
}

fn crl(ca: &Ca, number: u64, revoked: &[&Issued], validity: Validity) -> Crl {
    let revoked: Vec<_> = revoked
        .iter()
        .map(|issued| Revoked {
            serial: hex::decode(&issued.serial).unwrap(),
            at: NOW,
        })
        .collect();
    let pem = ca.crl(number, &revoked, validity).unwrap();
    Crl::parse(pem.as_bytes(), ca.authority()).unwrap()
}

fn issue(ca: &Ca, name: &str, validity: Validity) -> Issued {
    let principal = principal_named(ca.authority().jurisdiction(), name).unwrap();
    ca.issue(&principal, validity).unwrap()
}

fn credentials(issued: &Issued) -> Arc<Credentials> {
    Arc::new(Credentials::from_pem(issued.certificate.as_bytes(), issued.key.as_bytes()).unwrap())
}

async fn world() -> World {
    world_with(GateLimits {
        connections: 16,
        handshake_timeout: Duration::from_secs(5),
        ..GateLimits::default()
    })
    .await
}

async fn world_with(limits: GateLimits) -> World {
    let heard = Heard::listen();

    let clock = Arc::new(TestClock(AtomicU64::new(NOW.millis())));
    let ca = Ca::create(sinan(), year()).unwrap();
    let partner = Ca::create(guangdong(), year()).unwrap();
    let node = credentials(&issue(&ca, "node", year()));
    let month = Validity::days(NOW, 30);
    let first = [crl(&ca, 1, &[], month), crl(&partner, 1, &[], month)];
    let [own, theirs] = first.clone().map(Some);
    let trust = TrustStore::new(ca.authority().clone(), own).unwrap();
    let trust = Arc::new(trust.with(partner.authority().clone(), theirs).unwrap());
    let gate = Gate::new(node.clone(), trust, limits, clock.clone()).unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let tracker = TaskTracker::new();
    let incoming = gate.incoming(listener, &tracker, stop.clone()).unwrap();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let (seen, callers) = mpsc::unbounded_channel();
    let note_caller = move |request: tonic::Request<()>| {
        let peer = peer_of(request.extensions()).unwrap();
        seen.send(peer.identity().principal().to_string()).unwrap();
        Ok(request)
    };
    let router = tonic::transport::Server::builder()
        .layer(tonic::service::InterceptorLayer::new(note_caller))
        .add_service(health);
    let serving = tracker.spawn({
        let (gate, stop) = (gate.clone(), stop.clone());
        async move {
            serve(&gate, incoming, stop, Duration::ZERO, |incoming, stop| {
                router.serve_with_incoming_shutdown(incoming, stop)
            })
            .await
        }
    });
    World {
        ca,
        partner,
        node,
        first,
        gate,
        address,
        clock,
        heard,
        callers,
        stop,
        serving,
    }
}

/// A client that shows whatever certificate it is told to.
fn raw(world: &World, shown: Option<(&str, &str)>) -> Arc<ClientConfig> {
    offering(world, shown, aws_lc_rs::default_provider().kx_groups)
}

/// One that exchanges keys with these groups alone, the first preferred.
fn offering(
    world: &World,
    shown: Option<(&str, &str)>,
    kx_groups: Vec<&'static dyn SupportedKxGroup>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(world.ca.authority().der().clone()).unwrap();
    let provider = Arc::new(CryptoProvider {
        kx_groups,
        ..aws_lc_rs::default_provider()
    });
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .unwrap();
    let builder = ClientConfig::builder_with_details(provider, Arc::new(Fixed))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_webpki_verifier(verifier);
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let leaf = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![leaf], key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

fn shown(issued: &Issued) -> Option<(&str, &str)> {
    Some((&issued.certificate, &issued.key))
}

impl World {
    /// The trust of the beginning, or with each CA's second list where something is revoked.
    fn trust(&self, revoked: &[&Issued], theirs: &[&Issued]) -> Arc<TrustStore> {
        let month = Validity::days(NOW, 30);
        let list = |ca: &Ca, first: &Crl, revoked: &[&Issued]| match revoked {
            [] => Some(first.clone()),
            _ => Some(crl(ca, 2, revoked, month)),
        };
        let [own, other] = &self.first;
        let own = list(&self.ca, own, revoked);
        let other = list(&self.partner, other, theirs);
        let store = TrustStore::new(self.ca.authority().clone(), own).unwrap();
        Arc::new(store.with(self.partner.authority().clone(), other).unwrap())
    }

    /// Connects. In TLS 1.3 a client finishes first, and hears of its refusal when it reads.
    async fn connect(&self, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("520624.yichuan").unwrap();
        let mut tls = TlsConnector::from(config).connect(name, tcp).await?;
        // The server's HTTP/2 settings, or its alert.
        match tls.read(&mut [0; 1]).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(tls),
        }
    }

    async fn refused(&mut self, config: Arc<ClientConfig>, reason: Reason) {
        let before = self.gate.refused(reason);
        self.connect(config).await.unwrap_err();
        assert_eq!(self.heard.next("reason").await, reason.as_str());
        assert_eq!(self.gate.refused(reason), before + 1);
    }

    async fn refuses(&mut self, issued: &Issued, reason: Reason) {
        let config = raw(self, shown(issued));
        self.refused(config, reason).await;
    }

    async fn admits(&self, issued: &Issued) -> TlsStream<TcpStream> {
        let config = raw(self, shown(issued));
        self.connect(config).await.unwrap()
    }

    /// As the people of Sinan and the partner's node do.
    fn dial(&self, issued: &Issued) -> HealthClient<Channel> {
        let trust = TrustStore::new(self.ca.authority().clone(), None).unwrap();
        self.dial_as(issued, trust, sinan())
    }

    fn dial_as(
        &self,
        issued: &Issued,
        trust: TrustStore,
        peer: Jurisdiction,
    ) -> HealthClient<Channel> {
        let dialer = Dialer::new(credentials(issued), Arc::new(trust), self.clock.clone()).unwrap();
        let endpoint = format!("https://{}", self.address).parse().unwrap();
        HealthClient::new(dialer.connect(&endpoint, peer))
    }
}

fn ask() -> HealthCheckRequest {
    HealthCheckRequest {
        service: String::new(),
    }
}

/// A leaf made by hand.
fn forge(ca: &Ca, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
    let ca_key = KeyPair::from_pem(&ca.key_pem()).unwrap();
    let issuer = Issuer::from_ca_cert_pem(ca.certificate_pem(), ca_key).unwrap();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![uri("spiffe://520624.yichuan/officer/001")];
    change(&mut params);
    let leaf = params.signed_by(&key, &issuer).unwrap();
    (leaf.pem(), key.serialize_pem())
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

#[tokio::test]
async fn the_honest_are_admitted_under_tls13_with_post_quantum_keys() {
    let mut world = world().await;
    for (ca, name, caller) in [
        (
            &world.ca,
            "officer-001",
            "spiffe://520624.yichuan/officer/001",
        ),
        (&world.ca, "node", "spiffe://520624.yichuan/node"),
        (&world.partner, "node", "spiffe://440000.yichuan/node"),
        (
            &world.partner,
            "auditor-7",
            "spiffe://440000.yichuan/auditor/7",
        ),
    ] {
        let mut client = world.dial(&issue(ca, name, year()));
        client.check(ask()).await.unwrap();
        assert_eq!(world.callers.try_recv().unwrap(), caller);
    }
    let officer = issue(&world.ca, "officer-001", year());
    let config = raw(&world, shown(&officer));
    let tls = world.connect(config).await.unwrap();
    let connection = tls.get_ref().1;
    assert_eq!(
        connection.negotiated_key_exchange_group().unwrap().name(),
        NamedGroup::X25519MLKEM768
    );
    assert_eq!(
        connection.protocol_version(),
        Some(ProtocolVersion::TLSv1_3)
    );
    assert_eq!(connection.alpn_protocol(), Some(&b"h2"[..]));
    assert!(Reason::ALL.iter().all(|r| world.gate.refused(*r) == 0));
}

/// With which group a client that offers these gets in.
async fn admitted_with(
    world: &World,
    issued: &Issued,
    offered: &[&'static dyn SupportedKxGroup],
) -> NamedGroup {
    let config = offering(world, shown(issued), offered.to_vec());
    let tls = world.connect(config).await.unwrap();
    let group = tls.get_ref().1.negotiated_key_exchange_group();
    group.unwrap().name()
}

/// X25519MLKEM768 was preferred and not demanded: whoever offered X25519 or P-256 alone was let in with it.
#[tokio::test]
async fn regression_a_nodes_connection_without_a_hybrid_key_exchange_is_refused_and_both_hear_why()
{
    let mut world = world().await;
    let theirs = issue(&world.partner, "node", year());
    let own = issue(&world.ca, "node", year());
    let officer = issue(&world.ca, "officer-001", year());
    for plain in [X25519, SECP256R1] {
        for node in [&theirs, &own] {
            let config = offering(&world, shown(node), vec![plain]);
            let before = world.gate.refused(Reason::NotHybrid);
            let heard = world.connect(config).await.unwrap_err();
            let heard = heard.get_ref().and_then(|error| error.downcast_ref());
            assert_eq!(
                heard,
                Some(&rustls::Error::AlertReceived(
                    AlertDescription::HandshakeFailure
                ))
            );
            assert_eq!(world.heard.next("reason").await, "not_hybrid");
            assert_eq!(world.gate.refused(Reason::NotHybrid), before + 1);
        }
        // People's software is not ours to choose.
        assert_eq!(
            admitted_with(&world, &officer, &[plain]).await,
            plain.name()
        );
    }
    assert_eq!(world.gate.key_exchange(guangdong()), None);
    // What a client can do counts, not what it would rather.
    let hybrid = NamedGroup::X25519MLKEM768;
    let last = [SECP256R1, X25519, X25519MLKEM768];
    assert_eq!(admitted_with(&world, &theirs, &last).await, hybrid);
    assert_eq!(admitted_with(&world, &officer, &last).await, hybrid);
    assert_eq!(
        world.gate.key_exchange(guangdong()).as_deref(),
        Some("X25519MLKEM768")
    );
}

#[tokio::test]
async fn a_hybrid_key_exchange_is_demanded_of_whom_the_configuration_says() {
    let with = |require_hybrid| GateLimits {
        require_hybrid,
        ..GateLimits::default()
    };
    let mut world = world_with(with(RequireHybrid::All)).await;
    let officer = issue(&world.ca, "officer-001", year());
    let config = offering(&world, shown(&officer), vec![X25519]);
    world.refused(config, Reason::NotHybrid).await;
    world.admits(&officer).await;

    let world = world_with(with(RequireHybrid::Off)).await;
    let node = issue(&world.partner, "node", year());
    let group = admitted_with(&world, &node, &[X25519]).await;
    assert_eq!(group, NamedGroup::X25519);
    let shown = world.gate.key_exchange(guangdong());
    assert_eq!(shown.as_deref(), Some("X25519"));
}

/// The other direction: a node without X25519MLKEM768 is dialled.
#[tokio::test]
async fn regression_a_node_that_cannot_exchange_keys_hybridly_is_not_dialled_by_a_node() {
    let mut world = world().await;
    let node = issue(&world.ca, "node", year());
    let provider = CryptoProvider {
        kx_groups: vec![X25519],
        ..aws_lc_rs::default_provider()
    };
    let leaf = CertificateDer::from_pem_slice(node.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(node.key.as_bytes()).unwrap();
    let mut config = ServerConfig::builder_with_details(provider.into(), Arc::new(Fixed))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.address = listener.local_addr().unwrap();
    let (shaken, mut shaking) = mpsc::unbounded_channel();
    let serving = TaskTracker::new().spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let tls = TlsAcceptor::from(Arc::new(config.clone()))
                .accept(tcp)
                .await;
            shaken.send(tls.is_ok()).unwrap();
        }
    });
    let trust = || {
        let store = TrustStore::new(world.partner.authority().clone(), None).unwrap();
        store.with(world.ca.authority().clone(), None).unwrap()
    };
    let theirs = issue(&world.partner, "node", year());
    world
        .dial_as(&theirs, trust(), sinan())
        .check(ask())
        .await
        .unwrap_err();
    assert!(!shaking.recv().await.unwrap());
    assert_eq!(world.heard.next("reason").await, "not_hybrid");
    // A person's command takes what there is; this server then serves nothing.
    let officer = issue(&world.partner, "officer-001", year());
    world
        .dial_as(&officer, trust(), sinan())
        .check(ask())
        .await
        .unwrap_err();
    assert!(shaking.recv().await.unwrap());
    serving.abort();
}

#[tokio::test]
async fn no_certificate() {
    let mut world = world().await;
    let config = raw(&world, None);
    world.refused(config, Reason::NoClientCertificate).await;
}

/// A ClientHello of TLS 1.2 (RFC 5246, 7.4.1.2): this build of rustls could not send one.
const TLS12_HELLO: &[u8] = &[
    22, 3, 1, 0, 69, // handshake record
    1, 0, 0, 65, 3, 3, // ClientHello, version 1.2
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, // random
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, //
    0,  // no session
    0, 2, 0xc0, 0x2b, // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    1, 0, // no compression
    0, 22, // extensions
    0, 10, 0, 4, 0, 2, 0, 23, // supported_groups: secp256r1
    0, 11, 0, 2, 1, 0, // ec_point_formats: uncompressed
    0, 13, 0, 4, 0, 2, 4, 3, // signature_algorithms: ecdsa_secp256r1_sha256
];

#[tokio::test]
async fn tls12() {
    let mut world = world().await;
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    tcp.write_all(TLS12_HELLO).await.unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.unwrap();
    // A fatal alert: protocol_version.
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 70]);
    assert_eq!(world.heard.next("reason").await, "tls_version");
    assert_eq!(world.gate.refused(Reason::TlsVersion), 1);
}

/// It was `expired`, and whoever read that issued new certificates.
#[tokio::test]
async fn regression_a_clock_before_the_cas_start_is_not_an_expired_certificate() {
    let world = world().await;
    let leaf = world.node.leaf();
    let trust = world.gate.trust();
    let early = Timestamp::from_millis(NOW.millis() - 1000);
    let late = NOW.plus_seconds(366 * DAY);
    for (now, reason) in [(early, Reason::NotYetValid), (late, Reason::Expired)] {
        assert_eq!(trust.admit_node(leaf, sinan(), now), Err(reason));
        assert_eq!(trust.admit_caller(leaf, now), Err(reason));
    }
    world.clock.0.store(early.millis(), Ordering::SeqCst);
    let refused = world.gate.reload(world.node.clone(), trust).unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("does not hold yet") && said.contains("set the clock"),
        "{said}"
    );
}

/// `not signed by the jurisdiction's CA` stood for all of these.
#[test]
fn regression_a_list_that_is_refused_says_why() {
    let ca = Ca::create(sinan(), year()).unwrap();
    let pem = ca.crl(1, &[], year()).unwrap();
    let list = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).unwrap();
    let with = |oid, value| {
        let extension = der::extension(oid, true, value);
        der::with_extension(&list, 0xa0, &extension, &ca.key_pem())
    };
    let refused = |list: &[u8]| Crl::parse(list, ca.authority()).unwrap_err();
    // ECDSA with SHA-512 instead of SHA-256: RFC 5758, section 3.2.
    let mut sha512 = list.to_vec();
    for at in 0..sha512.len() - 8 {
        if sha512[at..].starts_with(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]) {
            sha512[at + 7] = 4;
        }
    }
    assert_eq!(refused(&sha512), CrlError::Algorithm);
    let twin = Ca::create(sinan(), year()).unwrap();
    let forged = twin.crl(1, &[], year()).unwrap();
    assert_eq!(refused(forged.as_bytes()), CrlError::Signature);
    let other = Ca::create(guangdong(), year()).unwrap().crl(1, &[], year());
    assert_eq!(refused(other.unwrap().as_bytes()), CrlError::Issuer);
    for (list, word) in [
        (with(der::DELTA, &[2, 1, 0]), "delta"),
        (with(der::UNKNOWN, &[5, 0]), "critical extension"),
    ] {
        let said = refused(&list).to_string();
        assert!(said.contains(word), "{said}");
    }
}

/// `the private key does not belong to the certificate` stood for all that rustls could not read.
#[test]
fn regression_a_certificate_with_an_unknown_critical_extension_is_not_said_to_lack_its_key() {
    let ca = Ca::create(sinan(), year()).unwrap();
    let (certificate, key) = forge(&ca, |params| {
        let mut unknown =
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 65_535, 1], vec![5, 0]);
        unknown.set_criticality(true);
        params.custom_extensions = vec![unknown];
    });
    let refused = Credentials::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("critical extension"), "{said}");
    let other = issue(&ca, "officer-001", year());
    let officer = issue(&ca, "officer-001", year());
    let refused = Credentials::from_pem(officer.certificate.as_bytes(), other.key.as_bytes());
    assert!(matches!(refused, Err(CredentialsError::Mismatch)));
}

#[tokio::test]
async fn a_jurisdiction_without_a_card_here() {
    let mut world = world().await;
    let zhejiang = Ca::create("330000".parse().unwrap(), year()).unwrap();
    let node = issue(&zhejiang, "node", year());
    world.refuses(&node, Reason::UnknownIssuer).await;
}

#[tokio::test]
async fn a_partners_ca_that_speaks_for_another_jurisdiction() {
    let mut world = world().await;
    // Guangdong's CA is trusted, and signs well; but not for Sinan.
    let (certificate, key) = forge(&world.partner, |_| {});
    let config = raw(&world, Some((&certificate, &key)));
    world.refused(config, Reason::WrongCa).await;
}

#[tokio::test]
async fn a_ca_of_the_same_name_with_another_key() {
    let mut world = world().await;
    let twin = Ca::create(sinan(), year()).unwrap();
    let officer = issue(&twin, "officer-001", year());
    world.refuses(&officer, Reason::WrongCa).await;
}

#[tokio::test]
async fn expired_or_not_yet_valid() {
    let mut world = world().await;
    let day = Validity::days(NOW, 1);
    let officer = issue(&world.ca, "officer-001", day);
    world.admits(&officer).await;
    let later = Validity::days(NOW.plus_seconds(3 * DAY), 1);
    let early = issue(&world.ca, "officer-001", later);
    world.refuses(&early, Reason::NotYetValid).await;
    world.clock.forward(2 * DAY);
    world.refuses(&officer, Reason::Expired).await;
}

#[tokio::test]
async fn a_leaf_that_may_sign() {
    let mut world = world().await;
    let flagged = forge(&world.ca, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    let cert_sign = forge(&world.ca, |params| {
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
        ];
    });
    let crl_sign = forge(&world.ca, |params| {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign];
    });
    for (certificate, key) in [flagged, cert_sign, crl_sign] {
        let config = raw(&world, Some((&certificate, &key)));
        world.refused(config, Reason::CaLeaf).await;
    }
}

#[tokio::test]
async fn not_exactly_one_identity() {
    let mut world = world().await;
    for names in [
        vec![],
        vec![
            uri("spiffe://520624.yichuan/officer/001"),
            uri("spiffe://520624.yichuan/supervisor/001"),
        ],
        vec![uri("spiffe://520624.yichuan/chief/001")],
        vec![uri("https://520624.yichuan/officer/001")],
    ] {
        let (certificate, key) = forge(&world.ca, |params| params.subject_alt_names = names);
        let config = raw(&world, Some((&certificate, &key)));
        world.refused(config, Reason::UriSan).await;
    }
}

#[tokio::test]
async fn revoked() {
    let mut world = world().await;
    let bad = issue(&world.ca, "officer-001", year());
    let theirs = issue(&world.partner, "node", year());
    world.admits(&bad).await;
    world.admits(&theirs).await;
    let next = world.trust(&[&bad], &[&theirs]);
    world.gate.reload(world.node.clone(), next).unwrap();
    // The connections above were cut.
    world.heard.take();
    world.refuses(&bad, Reason::Revoked).await;
    world.refuses(&theirs, Reason::Revoked).await;
    world.admits(&issue(&world.ca, "officer-001", year())).await;
}

#[tokio::test]
async fn a_revoked_caller_does_not_come_back_by_resumption() {
    let mut world = world().await;
    let bad = issue(&world.ca, "officer-001", year());
    // This configuration would resume, were it given a ticket.
    let config = raw(&world, shown(&bad));
    for _ in 0..2 {
        let tls = world.connect(config.clone()).await.unwrap();
        assert_eq!(tls.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(tls.get_ref().1.tls13_tickets_received(), 0);
    }
    let next = world.trust(&[&bad], &[]);
    world.gate.reload(world.node.clone(), next).unwrap();
    world.heard.take();
    world.refused(config, Reason::Revoked).await;
}

#[tokio::test]
async fn reload_cuts_the_live_connection_of_the_revoked_and_no_other() {
    let mut world = world().await;
    let (bad, good) = (
        issue(&world.ca, "officer-001", year()),
        issue(&world.ca, "officer-002", year()),
    );
    let (mut bad_client, mut good_client) = (world.dial(&bad), world.dial(&good));
    let mut bad_stream = bad_client.watch(ask()).await.unwrap().into_inner();
    let mut good_stream = good_client.watch(ask()).await.unwrap().into_inner();
    bad_stream.message().await.unwrap().unwrap();
    good_stream.message().await.unwrap().unwrap();
    assert_eq!(world.gate.peers().len(), 2);

    let next = world.trust(&[&bad], &[]);
    assert_eq!(world.gate.reload(world.node.clone(), next).unwrap(), 1);
    assert_eq!(world.heard.next("reason").await, "revoked");
    bad_stream.message().await.unwrap_err();
    bad_client.check(ask()).await.unwrap_err();
    good_client.check(ask()).await.unwrap();
    let [left] = &*world.gate.peers() else {
        panic!("one connection is left");
    };
    assert_eq!(hex::encode(left.identity().serial()), good.serial);
}

#[tokio::test]
async fn a_partner_that_left_or_got_another_ca_is_cut() {
    let world = world().await;
    let node = issue(&world.partner, "node", year());
    for twin in [false, true] {
        let mut client = world.dial(&node);
        client.check(ask()).await.unwrap();
        let cut = world
            .gate
            .update_trust(|trust| {
                let left = trust.clone().without(guangdong());
                let other = Ca::create(guangdong(), year()).unwrap();
                Ok(Some(match twin {
                    false => left,
                    true => left.with(other.authority().clone(), None)?,
                }))
            })
            .unwrap();
        assert_eq!(cut, 1);
        client.check(ask()).await.unwrap_err();
        let back = world.trust(&[], &[]);
        world.gate.reload(world.node.clone(), back).unwrap();
    }
}

#[tokio::test]
async fn what_expires_while_it_is_connected_is_cut() {
    let mut world = world().await;
    let officer = issue(&world.ca, "officer-001", Validity::days(NOW, 1));
    let mut client = world.dial(&officer);
    client.check(ask()).await.unwrap();
    assert_eq!(world.gate.recheck(), 0);
    world.clock.forward(2 * DAY);
    assert_eq!(world.gate.recheck(), 1);
    assert_eq!(world.heard.next("reason").await, "expired");
    client.check(ask()).await.unwrap_err();
}

/// A partner was cut off by an entry alone, and its people stayed, for as long as the node's own certificate had run out.
#[tokio::test]
async fn regression_an_expired_certificate_of_ones_own_keeps_nobody_from_being_cut_off() {
    let world = world().await;
    let brief = credentials(&issue(&world.ca, "node", Validity::days(NOW, 1)));
    world
        .gate
        .reload(brief.clone(), world.gate.trust())
        .unwrap();
    let theirs = issue(&world.partner, "officer-001", year());
    let mut officers = world.dial(&theirs);
    officers.check(ask()).await.unwrap();
    world.clock.forward(2 * DAY);

    // Nor from being told what a partner revoked.
    let revoked = issue(&world.partner, "officer-002", year());
    let list = crl(&world.partner, 9, &[&revoked], year());
    let brings = |trust: &TrustStore| trust.with_crl(guangdong(), list.der());
    world.gate.update_trust(brings).unwrap();
    let suspends = |trust: &TrustStore| Ok(Some(trust.clone().alone()));
    assert_eq!(world.gate.update_trust(suspends).unwrap(), 1);
    officers.check(ask()).await.unwrap_err();
    // It is still no certificate to begin with.
    world.gate.reload(brief, world.gate.trust()).unwrap_err();
}

#[tokio::test]
async fn regression_what_one_partner_brings_costs_no_check_of_others() {
    let world = world().await;
    let officer = issue(&world.ca, "officer-001", Validity::days(NOW, 1));
    let node = issue(&world.partner, "node", year());
    let (mut officers, mut nodes) = (world.dial(&officer), world.dial(&node));
    officers.check(ask()).await.unwrap();
    nodes.check(ask()).await.unwrap();
    // Had the officer's been looked at, it would be cut now, not with the next look at all of them.
    world.clock.forward(2 * DAY);
    let brings = |revoked: &[&Issued], number| {
        let list = crl(&world.partner, number, revoked, year());
        let swap = |trust: &TrustStore| trust.with_crl(guangdong(), list.der());
        world.gate.update_trust(swap).unwrap()
    };
    assert_eq!(brings(&[], 7), 0);
    assert_eq!(brings(&[&node], 8), 1);
    assert_eq!(world.gate.recheck(), 1);
}

#[tokio::test]
async fn without_a_fresh_list_only_a_partners_node_comes_in() {
    let mut world = world().await;
    let (officer, theirs) = (
        issue(&world.ca, "officer-001", year()),
        issue(&world.partner, "officer-001", year()),
    );
    let (node, revoked) = (
        issue(&world.partner, "node", year()),
        issue(&world.partner, "node", year()),
    );
    let next = world.trust(&[], &[&revoked]);
    world.gate.reload(world.node.clone(), next).unwrap();
    let _held = [
        world.admits(&officer).await,
        world.admits(&theirs).await,
        world.admits(&node).await,
    ];
    world.clock.forward(31 * DAY);
    // Its own officer and the partner's, not the partner's node.
    assert_eq!(world.gate.recheck(), 2);
    world.heard.take();
    world.refuses(&officer, Reason::NoFreshCrl).await;
    world.refuses(&theirs, Reason::NoFreshCrl).await;
    // An expired list is still good for what it revokes.
    world.refuses(&revoked, Reason::Revoked).await;
    world.admits(&node).await;
}

#[tokio::test]
async fn a_partner_without_any_list_gets_its_node_in_alone() {
    let mut world = world().await;
    let zhejiang = Ca::create("330000".parse().unwrap(), year()).unwrap();
    world
        .gate
        .update_trust(|trust| {
            Ok(Some(
                trust.clone().with(zhejiang.authority().clone(), None)?,
            ))
        })
        .unwrap();
    world.admits(&issue(&zhejiang, "node", year())).await;
    let officer = issue(&zhejiang, "officer-001", year());
    world.refuses(&officer, Reason::NoFreshCrl).await;
    // Its list arrives, and with it its people.
    let list = zhejiang.crl(1, &[], Validity::days(NOW, 30)).unwrap();
    let code = zhejiang.authority().jurisdiction();
    world
        .gate
        .update_trust(|trust| trust.with_crl(code, list.as_bytes()))
        .unwrap();
    world.admits(&officer).await;
}

#[tokio::test]
async fn a_bad_reload_leaves_the_old_state_serving() {
    let mut world = world().await;
    let bad = issue(&world.ca, "officer-001", year());
    let next = world.trust(&[&bad], &[]);
    world.gate.reload(world.node.clone(), next.clone()).unwrap();

    // An older list would forget the revocation.
    let older = world.trust(&[], &[]);
    let refused = world.gate.reload(world.node.clone(), older);
    assert!(matches!(
        refused,
        Err(TlsError::Crl(CrlError::Older {
            offered: 1,
            known: 2
        }))
    ));
    // So would another's list, or none.
    let list = world.partner.crl(9, &[], year()).unwrap();
    let refused = world
        .gate
        .update_trust(|trust| trust.with_crl(sinan(), list.as_bytes()));
    assert!(matches!(refused, Err(TlsError::Crl(CrlError::Issuer))));
    let none = TrustStore::new(world.ca.authority().clone(), None).unwrap();
    let refused = world.gate.reload(world.node.clone(), Arc::new(none));
    assert!(matches!(
        refused,
        Err(TlsError::Crl(CrlError::Older { .. }))
    ));
    // A certificate that no partner would take.
    for useless in [
        issue(&world.ca, "officer-001", year()),
        issue(&world.partner, "node", year()),
        issue(&Ca::create(sinan(), year()).unwrap(), "node", year()),
    ] {
        let refused = world.gate.reload(credentials(&useless), next.clone());
        assert!(matches!(refused, Err(TlsError::Own { .. })));
    }

    world.refuses(&bad, Reason::Revoked).await;
    world.admits(&issue(&world.ca, "officer-002", year())).await;
}

#[tokio::test]
async fn a_silent_caller_is_refused_in_time() {
    let mut world = world_with(GateLimits {
        connections: 16,
        handshake_timeout: Duration::from_millis(20),
        ..GateLimits::default()
    })
    .await;
    let silent = TcpStream::connect(world.address).await.unwrap();
    assert_eq!(world.heard.next("reason").await, "timeout");
    assert_eq!(world.gate.refused(Reason::Timeout), 1);
    drop(silent);
}

#[tokio::test]
async fn one_connection_too_many() {
    let mut world = world_with(GateLimits {
        connections: 1,
        handshake_timeout: Duration::from_secs(5),
        ..GateLimits::default()
    })
    .await;
    let officer = issue(&world.ca, "officer-001", year());
    let config = raw(&world, shown(&officer));
    let _held = world.connect(config.clone()).await.unwrap();
    world.refused(config, Reason::TooManyConnections).await;
}

#[tokio::test]
async fn who_says_nothing_after_the_handshake_is_let_go() {
    let mut world = world_with(GateLimits {
        handshake_timeout: Duration::from_millis(500),
        ..GateLimits::default()
    })
    .await;
    let officer = issue(&world.ca, "officer-001", year());
    let mut silent = world.connect(raw(&world, shown(&officer))).await.unwrap();
    // A part of the preface is not enough.
    silent.write_all(b"PRI * HTTP/2.0").await.unwrap();
    assert_eq!(world.heard.next("reason").await, "silent");
    assert_eq!(world.gate.refused(Reason::Silent), 1);
    while world.gate.occupancy() != (0, 0) {
        tokio::task::yield_now().await;
    }
    world.dial(&officer).check(ask()).await.unwrap();
}

#[tokio::test]
async fn one_principal_has_its_share_of_connections() {
    let mut world = world_with(GateLimits {
        connections_per_principal: 2,
        ..GateLimits::default()
    })
    .await;
    let officer = issue(&world.ca, "officer-001", year());
    let config = raw(&world, shown(&officer));
    let _first = world.connect(config.clone()).await.unwrap();
    let second = world.connect(config.clone()).await.unwrap();
    world
        .refused(config.clone(), Reason::TooManyOfPrincipal)
        .await;
    world.admits(&issue(&world.ca, "officer-002", year())).await;
    drop(second);
    while world.gate.occupancy().1 > 1 {
        tokio::task::yield_now().await;
    }
    world.connect(config).await.unwrap();
}

#[tokio::test]
async fn half_open_handshakes_make_room_for_whoever_shakes_hands_at_once() {
    let mut world = world_with(GateLimits {
        handshakes: 8,
        ..GateLimits::default()
    })
    .await;
    let officer = issue(&world.ca, "officer-001", year());
    let mut half_open = Vec::new();
    for _ in 0..10 {
        half_open.push(TcpStream::connect(world.address).await.unwrap());
    }
    // All are from one address, which has a quarter of the room.
    for _ in 0..8 {
        assert_eq!(world.heard.next("reason").await, "crowded_out");
    }
    assert_eq!(world.gate.occupancy().0, 2);
    world.admits(&officer).await;
    drop(half_open);
}

#[tokio::test]
async fn a_client_refuses_a_server_that_is_another_jurisdictions() {
    let mut world = world().await;
    let own = world.partner.authority().clone();
    let node = issue(&world.partner, "node", year());

    // Sinan answers where Guangdong was dialled, though Sinan is trusted for itself.
    let trust = TrustStore::new(own.clone(), None).unwrap();
    let trust = trust.with(world.ca.authority().clone(), None).unwrap();
    let mut client = world.dial_as(&node, trust, guangdong());
    client.check(ask()).await.unwrap_err();
    assert_eq!(next_of(&mut world, "wrong_peer").await, "wrong_peer");

    // Something answers as Sinan that Sinan's CA, as this client knows it, did not sign.
    let twin = Ca::create(sinan(), year()).unwrap();
    let trust = TrustStore::new(own.clone(), None).unwrap();
    let trust = trust.with(twin.authority().clone(), None).unwrap();
    let mut client = world.dial_as(&node, trust, sinan());
    client.check(ask()).await.unwrap_err();
    assert_eq!(next_of(&mut world, "wrong_ca").await, "wrong_ca");

    // The server's certificate is revoked.
    let server = Issued {
        certificate: String::new(),
        key: String::new().into(),
        serial: hex::encode(world.node.identity().serial()),
    };
    let list = crl(&world.ca, 2, &[&server], year());
    let trust = TrustStore::new(own, None).unwrap();
    let trust = trust
        .with(world.ca.authority().clone(), Some(list))
        .unwrap();
    let mut client = world.dial_as(&node, trust, sinan());
    client.check(ask()).await.unwrap_err();
    assert_eq!(next_of(&mut world, "revoked").await, "revoked");
}

/// Client and server both record; the server's word for a client that hung up is passed over.
async fn next_of(world: &mut World, expected: &str) -> String {
    loop {
        let reason = world.heard.next("reason").await;
        if reason == expected || !["aborted", "handshake"].contains(&&*reason) {
            return reason;
        }
    }
}

#[tokio::test]
async fn a_client_cuts_its_connection_to_a_revoked_server() {
    let world = world().await;
    let node = issue(&world.partner, "node", year());
    let partner = world.partner.authority().clone();
    let trust = |list| {
        let own = TrustStore::new(partner.clone(), None).unwrap();
        Arc::new(own.with(world.ca.authority().clone(), list).unwrap())
    };
    let dialer = Dialer::new(credentials(&node), trust(None), world.clock.clone()).unwrap();
    let endpoint = format!("https://{}", world.address).parse().unwrap();
    let mut client = HealthClient::new(dialer.connect(&endpoint, sinan()));
    let mut stream = client.watch(ask()).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    assert_eq!(
        dialer
            .set_trust(trust(Some(world.first[0].clone())))
            .unwrap(),
        0
    );
    let server = Issued {
        certificate: String::new(),
        key: String::new().into(),
        serial: hex::encode(world.node.identity().serial()),
    };
    let list = crl(&world.ca, 2, &[&server], year());
    assert_eq!(dialer.set_trust(trust(Some(list))).unwrap(), 1);
    stream.message().await.unwrap_err();
}

#[tokio::test]
async fn development_certificates_stay_on_loopback() {
    let mut world = world().await;
    let ca = dev::ca(sinan()).unwrap();
    let authority = Authority::parse(ca.certificate.as_bytes()).unwrap();
    let list = Crl::parse(ca.crl.as_bytes(), &authority).unwrap();
    let trust = Arc::new(TrustStore::new(authority, Some(list)).unwrap());
    let node = dev::identity(sinan(), "node").unwrap();
    let node = Credentials::from_pem(node.certificate.as_bytes(), node.key.as_bytes()).unwrap();
    let node = Arc::new(node);
    let limits = GateLimits {
        connections: 1,
        handshake_timeout: Duration::from_secs(5),
        ..GateLimits::default()
    };
    let gate = Gate::new(node.clone(), trust.clone(), limits, world.clock.clone()).unwrap();
    let tracker = TaskTracker::new();
    for (address, refused) in [("127.0.0.1:0", false), ("0.0.0.0:0", true)] {
        let listener = TcpListener::bind(address).await.unwrap();
        let incoming = gate.incoming(listener, &tracker, CancellationToken::new());
        assert_eq!(
            matches!(incoming, Err(TlsError::Dev(_))),
            refused,
            "{address}"
        );
    }
    // Refused before anything is sent: nobody answers there (RFC 5737).
    let dialer = Dialer::new(node, trust, world.clock.clone()).unwrap();
    let far = "https://192.0.2.1:7443".parse().unwrap();
    let mut client = HealthClient::new(dialer.connect(&far, sinan()));
    client.check(ask()).await.unwrap_err();
    assert_eq!(world.heard.next("reason").await, "dev_certificate");
}

#[tokio::test]
async fn a_person_serves_nobody() {
    let world = world().await;
    // A leaf that names the node but may only call.
    let (certificate, key) = forge(&world.ca, |params| {
        params.subject_alt_names = vec![
            uri(&Principal::node(sinan()).to_string()),
            SanType::DnsName("520624.yichuan".try_into().unwrap()),
        ];
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    let caller = Credentials::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let refused = world.gate.reload(Arc::new(caller), world.gate.trust());
    assert!(matches!(
        refused,
        Err(TlsError::Own {
            reason: Reason::BadCertificate,
            ..
        })
    ));
    assert!(
        world
            .heard
            .take()
            .iter()
            .all(|said| !said.contains_key("reason"))
    );
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_connection_that_will_not_end() {
    let world = world().await;
    let mut client = world.dial(&issue(&world.ca, "officer-001", year()));
    let mut stream = client.watch(ask()).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    world.stop.cancel();
    let drained = world.serving.await.unwrap().unwrap();
    assert_eq!(drained, Drained::Cut(1));
    stream.message().await.unwrap_err();
}
