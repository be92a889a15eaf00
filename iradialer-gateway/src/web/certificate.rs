//! The certificate the API shows: from files, or an own one made at first start.

use crate::config::{TlsFiles, WebConfig};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// How long an own certificate is good for. It is trusted by being handed over, not by an authority
/// that could follow its renewals, so it is made once.
const VALID_FOR: Duration = Duration::days(3_650);
/// The folder of the own certificate, below the data directory.
const DIR: &str = "tls";
/// A client's clock may be behind ours.
const VALID_SINCE: Duration = Duration::days(1);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file can't be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file holds something else.
    #[error("{path}: expected {expected} in PEM: {detail}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
        /// What the reader says.
        detail: String,
    },
    /// The certificate and the key can't be used, or not together.
    #[error("web.tls_cert, web.tls_key: {0}")]
    Unusable(#[from] rustls::Error),
    /// An own one could not be made.
    #[error("making a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// The files of the configuration, or of the own certificate in `DATA_DIR/tls`, made if it is missing.
pub(super) fn files(config: &WebConfig, data_dir: &Path) -> Result<TlsFiles, CertificateError> {
    if let Some(files) = &config.tls {
        return Ok(files.clone());
    }
    let (dir, own) = (data_dir.join(DIR), own(data_dir));
    if !(own.cert.exists() && own.key.exists()) {
        fs::create_dir_all(&dir).map_err(|error| at(&dir, error))?;
        make(config, &own)?;
        tracing::info!(cert = %own.cert.display(), "made an own certificate");
    }
    Ok(own)
}

/// Where the own certificate is, once it is made.
pub(crate) fn own(data_dir: &Path) -> TlsFiles {
    let dir = data_dir.join(DIR);
    TlsFiles {
        cert: dir.join("cert.pem"),
        key: dir.join("key.pem"),
    }
}

/// What the TLS server is set up with: TLS 1.2 and 1.3, HTTP/1.1.
pub(crate) fn server_config(files: &TlsFiles) -> Result<ServerConfig, CertificateError> {
    let unreadable = |path: &Path, expected, error: &rustls::pki_types::pem::Error| {
        CertificateError::Unreadable {
            path: path.to_owned(),
            expected,
            detail: error.to_string(),
        }
    };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(&files.cert, "a certificate chain", &error))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unreadable(&files.key, "a private key", &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn make(config: &WebConfig, files: &TlsFiles) -> Result<(), CertificateError> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    let listen = config.listen.ip();
    if !listen.is_unspecified() && !listen.is_loopback() {
        names.push(listen.to_string());
    }
    names.extend(host_name());

    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "iradialer gateway");
    params.not_before = OffsetDateTime::now_utc() - VALID_SINCE;
    params.not_after = OffsetDateTime::now_utc() + VALID_FOR;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let cert = params.self_signed(&key)?;
    // The key first: a certificate without its key would look like a finished pair to the next start.
    write(&files.key, 0o600, &key.serialize_pem())?;
    write(&files.cert, 0o644, &cert.pem())
}

fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    let is_dns_name = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    is_dns_name.then(|| name.to_owned())
}

/// Writes the file whole or not at all.
fn write(path: &Path, mode: u32, text: &str) -> Result<(), CertificateError> {
    let new = path.with_extension("new");
    let written = || {
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    written().map_err(|error| at(path, error))
}

fn at(path: &Path, error: io::Error) -> CertificateError {
    CertificateError::File {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn own() -> WebConfig {
        WebConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            tls: None,
            max_body_bytes: 1_024,
            requests_per_s: 0,
            burst: 1,
            cors_origins: Vec::new(),
        }
    }

    #[test]
    fn an_own_certificate_is_made_once_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let made = files(&own(), dir.path()).unwrap();
        let cert = fs::read(&made.cert).unwrap();
        assert!(server_config(&made).is_ok());
        let mode = fs::metadata(&made.key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        files(&own(), dir.path()).unwrap();
        assert_eq!(fs::read(&made.cert).unwrap(), cert);
    }

    #[test]
    fn a_file_that_is_no_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let made = files(&own(), dir.path()).unwrap();
        fs::write(&made.key, "nonsense").unwrap();
        let error = server_config(&made).unwrap_err().to_string();
        assert!(error.contains("key.pem"), "{error}");
    }
}
