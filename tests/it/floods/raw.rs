//! TLS with a valid certificate, and HTTP/2 frames written by hand on it: RFC 9113 and, for headers, RFC 7541.

use super::world::{COUNTY, code};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, version};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use yichuan::tls::dev;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// The error code of a peer that is told to calm down.
pub(crate) const ENHANCE_YOUR_CALM: u32 = 0xb;

/// A TCP connection from an address of this machine, such as 127.0.0.9.
pub(crate) async fn tcp(from: [u8; 4], to: SocketAddr) -> io::Result<tokio::net::TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(to).await
}

/// A connection of somebody whom the county's CA vouches for.
pub(crate) async fn tls(
    identity: &str,
    to: SocketAddr,
) -> io::Result<TlsStream<tokio::net::TcpStream>> {
    let mut roots = RootCertStore::empty();
    let ca = dev::ca(code(COUNTY)).unwrap().certificate;
    roots
        .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
        .unwrap();
    let identity = dev::identity(code(COUNTY), identity).unwrap();
    let leaf = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![leaf], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from(format!("{COUNTY}.yichuan")).unwrap();
    let tcp = tcp([127, 0, 0, 1], to).await?;
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The headers of a gRPC call, none of them in the dynamic table.
pub(crate) fn call_headers(path: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x87];
    let mut literal = |name: &[u8], value: &[u8]| {
        block.extend(name);
        assert!(value.len() < 127);
        block.push(u8::try_from(value.len()).unwrap());
        block.extend(value);
    };
    literal(&[0x04], path.as_bytes());
    literal(&[0x01], b"520624.yichuan");
    literal(&[0x0f, 0x10], b"application/grpc");
    literal(&[0x00, 2, b't', b'e'], b"trailers");
    block
}

/// What the other side said, and how it ended.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// The error code of its GOAWAY.
    pub(crate) goaway: Option<u32>,
    /// The first byte of its first answer's headers: 0x88 is `:status: 200`, of which gRPC makes its own.
    pub(crate) status: Option<u8>,
    /// Streams that it reset.
    pub(crate) resets: usize,
    /// Frames of each kind.
    pub(crate) frames: [usize; 10],
    /// It closed the connection.
    pub(crate) closed: bool,
}

/// A connection on which anything can be said.
pub(crate) struct Raw {
    tls: TlsStream<tokio::net::TcpStream>,
    unread: Vec<u8>,
    pub(crate) heard: Heard,
}

impl Raw {
    /// Connects and says what every HTTP/2 client says first.
    pub(crate) async fn connect(identity: &str, to: SocketAddr) -> io::Result<Self> {
        let mut tls = tls(identity, to).await?;
        tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
        tls.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
        Ok(Self {
            tls,
            unread: Vec::new(),
            heard: Heard::default(),
        })
    }

    /// Writes, as far as the other side takes it. False where it is gone.
    pub(crate) async fn say(&mut self, bytes: &[u8]) -> bool {
        self.tls.write_all(bytes).await.is_ok() && self.tls.flush().await.is_ok()
    }

    /// Reads until `enough`, or until the other side closes.
    pub(crate) async fn listen(&mut self, enough: impl Fn(&Heard) -> bool) -> &Heard {
        let mut buffer = vec![0; 64 * 1024];
        while !enough(&self.heard) && !self.heard.closed {
            match self.tls.read(&mut buffer).await {
                Ok(0) | Err(_) => self.heard.closed = true,
                Ok(read) => self.unread.extend(&buffer[..read]),
            }
            self.take_frames();
        }
        &self.heard
    }

    fn take_frames(&mut self) {
        while let Some(header) = self.unread.get(..9) {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
            let end = 9 + usize::try_from(length).unwrap();
            if self.unread.len() < end {
                return;
            }
            let frame: Vec<u8> = self.unread.drain(..end).collect();
            let kind = frame[3];
            if let Some(count) = self.heard.frames.get_mut(usize::from(kind)) {
                *count += 1;
            }
            match kind {
                GOAWAY => {
                    let code = frame[13..17].try_into().unwrap();
                    self.heard.goaway = Some(u32::from_be_bytes(code));
                }
                HEADERS => self.heard.status = self.heard.status.or(frame.get(9).copied()),
                RST_STREAM => self.heard.resets += 1,
                _ => {}
            }
        }
    }
}
