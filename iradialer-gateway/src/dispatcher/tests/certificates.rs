//! The files that certificates come from. What they are good for is tested with the running gateway.

use super::*;
use crate::config::{TlsFiles, WebhookTls};
use crate::dispatcher::tls::Credentials;
use std::path::PathBuf;

/// A certificate, and its key.
fn certified() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let file = dir.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn a_file_that_is_of_no_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = certified();
    let (_, other_key) = certified();
    let cert = write(dir.path(), "client.pem", &certificate);
    let text = write(dir.path(), "text", "so to say");
    let client = |cert: &Path, key: &Path| WebhookTls {
        authorities: None,
        client: Some(TlsFiles {
            cert: cert.to_owned(),
            key: key.to_owned(),
        }),
    };
    let good = write(dir.path(), "client.key", &key);
    let wrong = write(dir.path(), "other.key", &other_key);
    let of_no_authority = WebhookTls {
        authorities: Some(text.clone()),
        client: None,
    };
    assert!(Credentials::read(&client(&cert, &good)).is_ok());
    for (files, key, file) in [
        (of_no_authority, "webhooks.ca_file: ", "text"),
        (client(&text, &good), "webhooks.client_cert: ", "text"),
        (client(&cert, &text), "webhooks.client_key: ", "text"),
        (client(&cert, &wrong), "webhooks.client_key: ", "other.key"),
    ] {
        let error = Credentials::read(&files).err().unwrap().to_string();
        assert!(error.starts_with(key) && error.contains(file), "{error}");
    }
}
