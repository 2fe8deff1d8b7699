//! TLS towards a target: whom a probe trusts, and the handshake.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Finding, Probed};
use crate::edge::files::read_octets;

/// Octets of a file of roots.
const ROOTS_FILE_MAX: u64 = 16 * 1024 * 1024;

/// What is trusted: whether certificates are verified, and which roots there are beside the usual ones.
type Basis = (bool, Option<PathBuf>);

/// The ways to trust that were needed so far; as many as the checks name.
#[derive(Default)]
pub(super) struct Trust(Mutex<BTreeMap<Basis, Arc<ClientConfig>>>);

impl Trust {
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How to shake hands; roots are read once.
    pub(super) async fn config(&self, verifies: bool, roots: Option<&Path>) -> Probed<Arc<ClientConfig>> {
        let basis = (verifies, roots.map(Path::to_owned));
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&basis).cloned();
        if let Some(config) = known {
            return Ok(config);
        }
        let path = basis.1.clone();
        let made = tokio::task::spawn_blocking(move || make(verifies, path.as_deref())).await;
        let made = made.unwrap_or_else(|_| Err("the roots could not be read".into()));
        let config = Arc::new(made.map_err(Finding::untold)?);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(basis, Arc::clone(&config));
        Ok(config)
    }
}

fn make(verifies: bool, roots: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|fault| fault.to_string())?;
    let mut config = if verifies {
        let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = roots {
            add_roots(&mut store, path)?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
        builder.with_webpki_verifier(verifier.map_err(|fault| fault.to_string())?).with_no_client_auth()
    } else {
        let verifier = Arc::new(Anybody(provider));
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    };
    // Every probe looks at the certificate anew: one that has expired must not hide behind an old session.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn add_roots(store: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let told = |fault: &dyn std::fmt::Display| format!("{}: {fault}", path.display());
    let (pem, _) = read_octets(path, ROOTS_FILE_MAX).map_err(|fault| told(&fault))?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        store.add(certificate.map_err(|fault| told(&fault))?).map_err(|fault| told(&fault))?;
        count += 1;
    }
    if count == 0 { Err(told(&"no certificate in it")) } else { Ok(()) }
}

/// A handshake as with the server of that name, which may be an address in words.
pub(super) async fn shake_hands(
    stream: TcpStream,
    config: Arc<ClientConfig>,
    name: &str,
) -> Probed<TlsStream<TcpStream>> {
    let name = ServerName::try_from(name.trim_end_matches('.').to_owned())
        .map_err(|_| Finding::untold(format_args!("{name:?} is no server name")))?;
    let shaken = TlsConnector::from(config).connect(name, stream).await;
    shaken.map_err(|fault: io::Error| Finding::bad(format_args!("TLS: {fault}")))
}

/// Trusts whatever certificate is shown (`verify: false`); who shows it must still hold its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
