//! Receivers with a certificate of an authority of their own, which ask for a client's certificate.

use super::*;
use crate::config::{TlsFiles, WebhookTls};
use crate::dispatcher::tls::Credentials;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::PathBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// An authority, and the file of its certificate.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Authority {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    fn issue(&self) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let file = dir.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

/// A receiver that takes what comes from those who have a certificate of the authority. Its URL.
async fn receiver(authority: &Authority) -> String {
    let (certificate, key) = authority.issue();
    let mut clients = RootCertStore::empty();
    clients.add(authority.certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let asks =
        WebPkiClientVerifier::builder_with_provider(Arc::new(clients), Arc::clone(&provider))
            .build()
            .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(asks)
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}/hook",
        listener.local_addr().unwrap().port()
    );
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                match acceptor.accept(stream).into_fallible().await {
                    Ok(stream) => take_all(stream).await,
                    // Closed with anything left unread in it, it would be reset, and the alert that says why lost.
                    Err((_, refused)) => read_out(refused).await,
                }
            });
        }
    });
    url
}

async fn take_all(mut stream: TlsStream<TcpStream>) -> std::io::Result<()> {
    let mut request = vec![0; 64 * 1024];
    while stream.read(&mut request).await? > 0 {
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
    }
    Ok(())
}

async fn read_out(mut stream: TcpStream) -> std::io::Result<()> {
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}

/// What came of a webhook for this receiver.
async fn outcome(url: &str, tls: WebhookTls) -> (String, String) {
    let bench = Bench::start_with(|config| {
        config.webhooks.tls = tls;
        config.webhooks.retry_after.clear();
    })
    .await;
    let call = bench.queued_call(url).await;
    let (state, _, _, error) = bench.settled(call).await.remove(0);
    bench.stop().await;
    (state, error.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_may_have_its_own_authority_and_ask_for_our_certificate() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let url = receiver(&authority).await;
    let (certificate, key) = authority.issue();
    let authorities = write(dir.path(), "ca.pem", &authority.certificate.pem());
    let client = TlsFiles {
        cert: write(dir.path(), "client.pem", &certificate.pem()),
        key: write(dir.path(), "client.key", &key.serialize_pem()),
    };
    let whole = WebhookTls {
        authorities: Some(authorities),
        client: Some(client),
    };
    let (state, error) = outcome(&url, whole.clone()).await;
    assert_eq!((state.as_str(), error.as_str()), ("delivered", ""));

    let unknown = WebhookTls {
        authorities: None,
        ..whole.clone()
    };
    let (state, error) = outcome(&url, unknown).await;
    assert_eq!(state, "dead");
    assert!(error.contains("certificate"), "{error}");

    let nobody = WebhookTls {
        client: None,
        ..whole
    };
    let (state, error) = outcome(&url, nobody).await;
    assert_eq!(state, "dead");
    assert!(error.to_lowercase().contains("certificate"), "{error}");
}

#[test]
fn a_file_that_is_of_no_use_is_named() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let (certificate, key) = authority.issue();
    let (_, other_key) = authority.issue();
    let cert = write(dir.path(), "client.pem", &certificate.pem());
    let text = write(dir.path(), "text", "so to say");
    let client = |cert: &Path, key: &Path| WebhookTls {
        authorities: None,
        client: Some(TlsFiles {
            cert: cert.to_owned(),
            key: key.to_owned(),
        }),
    };
    let good = write(dir.path(), "client.key", &key.serialize_pem());
    let wrong = write(dir.path(), "other.key", &other_key.serialize_pem());
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
