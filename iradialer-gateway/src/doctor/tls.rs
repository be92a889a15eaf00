//! The certificate of the HTTPS API.

use super::Finding;
use crate::config::{Config, Role, TlsFiles};
use crate::web::certificate;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

const CHECK: &str = "tls";
/// A certificate that ends within so many days is warned of.
const SOON_DAYS: i64 = 30;
const DAY_S: i64 = 86_400;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    if !config.roles.contains(&Role::Web) {
        return vec![Finding::skipped(CHECK, "this gateway has no HTTPS API")];
    }
    let files = match &config.web.tls {
        Some(files) => files.clone(),
        None => certificate::own(&config.data_dir),
    };
    if config.web.tls.is_none() && !files.cert.exists() {
        let found = "no certificate is configured: an own one is made at the first start";
        return vec![Finding::skipped(CHECK, found)];
    }
    if let Err(error) = certificate::server_config(&files) {
        let mend = "set web.tls_cert and web.tls_key to PEM files that belong together, readable by the \
            gateway's user";
        return vec![Finding::fault(CHECK, error.to_string(), mend)];
    }
    let mut findings = vec![validity(&files)];
    findings.extend(key_mode(&files));
    findings
}

fn validity(files: &TlsFiles) -> Finding {
    let shown = files.cert.display();
    let unreadable = |why: String| {
        let found = format!("{shown} can't be read as a certificate: {why}");
        Finding::fault(
            CHECK,
            found,
            "put the certificate chain there, leaf first, in PEM",
        )
    };
    let leaf = match CertificateDer::from_pem_file(&files.cert) {
        Ok(leaf) => leaf,
        Err(error) => return unreadable(error.to_string()),
    };
    let certificate = match X509Certificate::from_der(&leaf) {
        Ok((_, certificate)) => certificate,
        Err(error) => return unreadable(error.to_string()),
    };
    let valid = certificate.validity();
    let now_s = (crate::clock::Clock::system().now_ms() / 1_000) as i64;
    let (from_s, until_s) = (valid.not_before.timestamp(), valid.not_after.timestamp());
    let mend = "renew it, put the new files where web.tls_cert and web.tls_key say, and restart the gateway";
    if now_s > until_s {
        let found = format!("the certificate {shown} ended at {}", valid.not_after);
        return Finding::fault(CHECK, found, mend);
    }
    if now_s < from_s {
        let found = format!(
            "the certificate {shown} is good from {} on",
            valid.not_before
        );
        let mend = "see that this machine's clock is right, or use a certificate that is good now";
        return Finding::fault(CHECK, found, mend);
    }
    let days = (until_s - now_s) / DAY_S;
    let found = format!("the certificate {shown} is good for {days} days more");
    match days < SOON_DAYS {
        true => Finding::warning(CHECK, found, mend),
        false => Finding::ok(CHECK, found),
    }
}

fn key_mode(files: &TlsFiles) -> Option<Finding> {
    let mode = fs::metadata(&files.key).ok()?.permissions().mode() & 0o777;
    let shown = files.key.display();
    (mode & 0o007 != 0).then(|| {
        let found = format!("everybody on this machine can read the key {shown} (mode {mode:o})");
        Finding::warning(CHECK, found, format!("chmod 600 {shown}"))
    })
}
