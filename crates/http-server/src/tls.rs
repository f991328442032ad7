//! TLS with certificates of files (SE-07).

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

/// What a server proves itself with.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
}

impl fmt::Debug for Tls {
    /// Nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// A server cannot prove itself with these files.
#[derive(Debug, thiserror::Error)]
pub enum ReadTlsError {
    /// It cannot be read, or is not PEM.
    #[error("could not read {what} from {}: it must be a PEM file", path.display())]
    File {
        /// A certificate, or a key.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// There is no certificate in it.
    #[error("{} has no certificate", .0.display())]
    NoCertificate(PathBuf),
    /// They do not belong together, or are of no use.
    #[error("the key of {} does not go with the certificate of {}", key.display(), certificate.display())]
    Unfit {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

impl Tls {
    /// Reads a chain of certificates, the server's own first, and its private key: both PEM.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, ReadTlsError> {
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |source| ReadTlsError::File { what, path, source }
        };
        let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .map_err(failed("certificates", certificate))?;
        if chain.is_empty() {
            return Err(ReadTlsError::NoCertificate(certificate.to_owned()));
        }
        let private = PrivateKeyDer::from_pem_file(key).map_err(failed("a private key", key))?;
        let unfit = |source| ReadTlsError::Unfit { certificate: certificate.to_owned(), key: key.to_owned(), source };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(unfit)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    pub(crate) async fn accept<S>(&self, stream: S) -> io::Result<tokio_rustls::server::TlsStream<S>>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        self.acceptor.accept(stream).await
    }
}
