//! Bytes on a connection, with and without TLS, and a WebSocket by hand: what a client library does not let a test see.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{TestServer, fixture};

/// A connection that bytes go to and come from.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection to a server.
pub(crate) struct Socket(Box<dyn Stream>);

impl Socket {
    /// Connects, with TLS where the server speaks it.
    pub(crate) async fn connect(server: &TestServer, host: &str) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        if server.origin().starts_with("http://") {
            return Self(Box::new(stream));
        }
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(fixture("tls/ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).unwrap();
        Self(Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()))
    }

    /// Sends bytes.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Sends a piece of a chunked body.
    pub(crate) async fn send_chunk(&mut self, text: &str) {
        self.send(format!("{:x}\r\n{text}\r\n", text.len())).await;
    }

    /// Reads until what came ends so.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            let byte = self.0.read_u8().await;
            read.push(byte.unwrap_or_else(|_| panic!("{end:?} does not follow {:?}", text(&read))));
        }
        text(&read)
    }

    /// Reads the head of an answer.
    pub(crate) async fn head(&mut self) -> String {
        self.read_until("\r\n\r\n").await
    }

    /// Reads until the server closes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut read = Vec::new();
        // A connection that is broken off is at its end as well.
        let _ = self.0.read_to_end(&mut read).await;
        read
    }

    /// Makes it a WebSocket; the head of the answer.
    pub(crate) async fn upgrade(&mut self, host: &str, path: &str) -> String {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.send(head).await;
        self.head().await
    }

    /// Sends a message of text.
    pub(crate) async fn say(&mut self, message: &str) {
        self.send_frame(1, message.as_bytes()).await;
    }

    /// Sends a frame, masked with zeros as a client may.
    pub(crate) async fn send_frame(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode];
        match u16::try_from(payload.len()) {
            Ok(length @ 0..126) => frame.push(0x80 | length as u8),
            Ok(length) => frame.extend([&[0x80 | 126][..], &length.to_be_bytes()].concat()),
            Err(_) => frame.extend([&[0x80 | 127][..], &(payload.len() as u64).to_be_bytes()].concat()),
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.send(frame).await;
    }

    /// The next frame: its opcode and what it holds.
    pub(crate) async fn frame(&mut self) -> (u8, Vec<u8>) {
        let opcode = self.0.read_u8().await.expect("a frame") & 0xF;
        let length = match self.0.read_u8().await.unwrap() {
            126 => self.0.read_u16().await.unwrap().into(),
            127 => self.0.read_u64().await.unwrap(),
            length => u64::from(length),
        };
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.unwrap();
        (opcode, payload)
    }

    /// The text of the next message.
    pub(crate) async fn hear(&mut self) -> String {
        let (opcode, payload) = self.frame().await;
        assert_eq!(opcode, 1, "{payload:?}");
        text(&payload)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
