//! TLS by certificate files, which are read again when they change: connections that are open go on with what
//! they began with, new ones get the new certificate.

mod session;

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::config::checked::TlsFiles;
pub(crate) use session::session_of;

/// How long a client may take to agree on keys.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Plaintext of one record. A record is made in memory of its own, which the allocator takes from a page of equal ones
/// in turn: of this size they all fit into the processor's cache, of the greatest they do not.
const RECORD_BYTES: usize = 8 * 1024 - 64;
/// How often the files are looked at. Certificates are renewed weeks before they end.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// The protocol that clients know as HTTP/2 (RFC 9113, 3.1).
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// What a listener needs to speak TLS. Clones share the certificate.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// One of the files cannot be read, has nothing of its kind in it, or they do not belong together: by the
    /// setting's and the file's name.
    pub(crate) fn load(files: TlsFiles) -> anyhow::Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certificate = Arc::new(Certificate::load(files, Arc::clone(&provider))?);
        let resolver: Arc<dyn ResolvesServerCert> = certificate.clone();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
        config.max_fragment_size = Some(RECORD_BYTES);
        // Clients that come back skip most of the handshake; the keys live in memory and change by themselves.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(Self { acceptor: Arc::new(config).into(), certificate })
    }

    /// Agrees on keys with a client.
    ///
    /// # Errors
    /// The client speaks something else, wants what we do not offer, goes away or takes too long.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        tokio::time::timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(stream)).await?
    }

    /// Reads the files again where they changed. A broken file leaves the certificate as it is and is logged.
    pub(crate) async fn look(&self) {
        let certificate = Arc::clone(&self.certificate);
        if let Err(error) = spawn_blocking(move || certificate.look()).await {
            tracing::error!(%error, "cannot look at the certificate");
        }
    }

    /// Looks at the files now and then.
    pub(crate) async fn keep_current(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK_INTERVAL)).await.is_some() {
            self.look().await;
        }
    }
}

/// The certificate in use.
struct Certificate {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
    /// What the files looked like when they were last read.
    seen: Mutex<Stamps>,
}

impl Certificate {
    fn load(files: TlsFiles, provider: Arc<CryptoProvider>) -> anyhow::Result<Self> {
        // Before the reading: a change in between is seen the next time.
        let seen = Mutex::new(Stamps::of(&files));
        let current = ArcSwap::from_pointee(read(&files, &provider)?);
        Ok(Self { files, provider, current, seen })
    }

    /// Whether the certificate was exchanged.
    fn look(&self) -> bool {
        let stamps = Stamps::of(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == stamps {
            return false;
        }
        *seen = stamps;
        match read(&self.files, &self.provider) {
            Ok(certificate) => {
                self.current.store(Arc::new(certificate));
                tracing::info!(file = %self.files.cert.display(), "a new certificate is in use");
                true
            }
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "the new certificate is broken; the old one stays"
                );
                false
            }
        }
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// What tells a file from the one that was there before; `None` where there is none.
#[derive(Debug, PartialEq, Eq)]
struct Stamps([Option<(u64, i64, i64, u64)>; 2]);

impl Stamps {
    fn of(files: &TlsFiles) -> Self {
        let stamp = |file: Metadata| (file.ino(), file.mtime(), file.mtime_nsec(), file.len());
        Self([&files.cert, &files.key].map(|file| fs::metadata(file).ok().map(stamp)))
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> anyhow::Result<CertifiedKey> {
    let chain = read_chain(&files.cert).with_context(|| format!("tls-cert: {}", files.cert.display()))?;
    let in_key = || format!("tls-key: {}", files.key.display());
    let key = PrivateKeyDer::from_pem_slice(&fs::read(&files.key).with_context(in_key)?)
        .context("it is not a PEM file with a private key that is not encrypted")
        .with_context(in_key)?;
    CertifiedKey::from_der(chain, key, provider)
        .with_context(|| format!("it does not fit the certificate in {}", files.cert.display()))
        .with_context(in_key)
}

fn read_chain(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&fs::read(file)?).collect();
    let chain = chain.context("it is not a PEM file")?;
    ensure!(!chain.is_empty(), "there is no certificate in it");
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
    }

    #[test]
    fn files_are_read_when_they_changed_and_only_then() {
        let directory = tempfile::tempdir().unwrap();
        let files =
            TlsFiles { cert: directory.path().join("cert.pem"), key: directory.path().join("key.pem") };
        let install = |cert: &str, key: &str| {
            fs::copy(fixture(cert), &files.cert).unwrap();
            fs::copy(fixture(key), &files.key).unwrap();
        };
        install("first.pem", "first.key");
        let certificate = Certificate::load(files.clone(), Arc::new(aws_lc_rs::default_provider())).unwrap();
        let shown = || certificate.current.load().cert[0].clone();
        let first = shown();
        assert!(!certificate.look(), "nothing changed");
        install("renewed.pem", "first.key");
        assert!(!certificate.look() && shown() == first, "they do not belong together");
        assert!(!certificate.look(), "it is told once");
        install("renewed.pem", "renewed.key");
        assert!(certificate.look() && shown() != first);
        fs::remove_file(&files.cert).unwrap();
        assert!(!certificate.look() && shown() != first);
        install("first.pem", "first.key");
        assert!(certificate.look() && shown() == first);
    }
}
