//! A certificate of the server's own, and who believes in it.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use seawall::testing::server::{Accepted, Builder};
use tokio_rustls::TlsAcceptor;

/// Which protocols a side of the handshake offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    Http1,
    Http2,
    /// HTTP/2 is preferred.
    Both,
    /// No word about it, which means HTTP/1.1.
    Silent,
}

impl Alpn {
    fn names(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Self::Http1 => &[b"http/1.1"],
            Self::Http2 => &[b"h2"],
            Self::Both => &[b"h2", b"http/1.1"],
            Self::Silent => &[],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }
}

/// A self-signed certificate and its key. Clones are the same identity, for several servers.
#[derive(Clone)]
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: Arc<PrivatePkcs8KeyDer<'static>>,
}

impl Identity {
    /// For `127.0.0.1` and `localhost`.
    pub fn local() -> Self {
        Self::new(&["127.0.0.1", "localhost"])
    }

    /// For these names or addresses.
    pub fn new(names: &[&str]) -> Self {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let made =
            rcgen::generate_simple_self_signed(names).expect("names that a certificate takes");
        Self {
            certificate: made.cert.der().clone(),
            key: Arc::new(made.signing_key.serialize_der().into()),
        }
    }

    /// The certificate, DER, which is also the root that it is checked against.
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// A client's configuration that trusts this certificate alone.
    pub fn client_config(&self, alpn: Alpn) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a certificate of our own");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions that ring knows")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.names();
        config
    }

    fn acceptor(&self, alpn: Alpn) -> TlsAcceptor {
        let key = PrivateKeyDer::Pkcs8(self.key.clone_key());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions that ring knows")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)
            .expect("a key that fits");
        config.alpn_protocols = alpn.names();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// TLS for a fault server.
pub trait Tls {
    /// ALPN decides on the version of HTTP.
    fn tls(self, identity: &Identity, alpn: Alpn) -> Self;
}

impl Tls for Builder {
    fn tls(self, identity: &Identity, alpn: Alpn) -> Self {
        let acceptor = identity.acceptor(alpn);
        self.scheme("https").accept_with(move |socket| {
            let handshake = acceptor.accept(socket);
            async move {
                let stream = handshake.await?;
                let session = stream.get_ref().1;
                let http2 = session.alpn_protocol() == Some(b"h2");
                let name = session.server_name().map(str::to_owned);
                Ok(Accepted::new(stream).http2(http2).server_name(name.as_deref()))
            }
        })
    }
}

/// Chooses this process's provider, which reqwest wants to find before it builds any client.
pub fn install_provider() {
    // Another test of the process may have been first.
    let _ = ring::default_provider().install_default();
}
