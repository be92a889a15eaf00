//! Whom webhooks trust beside the machine's certificate authorities, and what they show of themselves.

use crate::config::WebhookTls;
use reqwest::{Certificate, Identity};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::path::Path;

/// A file that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("webhooks.{key}: {path}: expected {expected}: {detail}")]
pub struct TlsError {
    key: &'static str,
    path: String,
    expected: &'static str,
    detail: String,
}

impl TlsError {
    fn of<E: fmt::Display>(
        key: &'static str,
        path: &Path,
        expected: &'static str,
    ) -> impl Fn(E) -> TlsError {
        move |error| TlsError {
            key,
            path: path.display().to_string(),
            expected,
            detail: error.to_string(),
        }
    }
}

/// What the files hold.
#[derive(Default)]
pub(super) struct Credentials {
    /// Authorities that are trusted beside the machine's.
    pub(super) authorities: Vec<Certificate>,
    /// What a receiver is shown that asks for a client's certificate.
    pub(super) identity: Option<Identity>,
}

impl Credentials {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// Names the key of the configuration, the file, and what is wrong with it.
    pub(super) fn read(files: &WebhookTls) -> Result<Credentials, TlsError> {
        let authorities = match &files.authorities {
            Some(file) => authorities(file)?,
            None => Vec::new(),
        };
        let identity = match &files.client {
            Some(client) => Some(identity(&client.cert, &client.key)?),
            None => None,
        };
        Ok(Credentials {
            authorities,
            identity,
        })
    }
}

fn chain(
    key: &'static str,
    file: &Path,
    expected: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(TlsError::of(key, file, expected))?;
    match chain.is_empty() {
        true => Err(TlsError::of(key, file, expected)("it holds none")),
        false => Ok(chain),
    }
}

fn authorities(file: &Path) -> Result<Vec<Certificate>, TlsError> {
    let (key, expected) = ("ca_file", "certificates of authorities in PEM");
    let mut checked = RootCertStore::empty();
    let mut authorities = Vec::new();
    for certificate in chain(key, file, expected)? {
        let taken = Certificate::from_der(&certificate);
        authorities.push(taken.map_err(TlsError::of(key, file, expected))?);
        checked
            .add(certificate)
            .map_err(TlsError::of(key, file, expected))?;
    }
    Ok(authorities)
}

fn identity(cert: &Path, key: &Path) -> Result<Identity, TlsError> {
    let expected = "a certificate chain in PEM";
    let certificates = chain("client_cert", cert, expected)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(TlsError::of(
        "client_key",
        key,
        "a private key in PEM",
    ))?;
    let provider = rustls::crypto::ring::default_provider();
    let together = "the private key of webhooks.client_cert";
    CertifiedKey::from_der(certificates, private, &provider).map_err(TlsError::of(
        "client_key",
        key,
        together,
    ))?;
    let read = |name, path: &Path| std::fs::read(path).map_err(TlsError::of(name, path, expected));
    let mut pem = read("client_key", key)?;
    pem.push(b'\n');
    pem.extend(read("client_cert", cert)?);
    Identity::from_pem(&pem).map_err(TlsError::of("client_cert", cert, expected))
}
