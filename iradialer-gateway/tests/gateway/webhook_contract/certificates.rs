//! A receiver with a certificate of an authority of its own, which asks for the gateway's.

use super::receiver::Receiver;
use super::{canceled_call, config, settled, statuses};
use crate::gateway::{Gateway, Site};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// An authority, and its certificate.
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

/// Lets those in who have a certificate of the authority.
struct Guarded {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Guarded {
    async fn bind(authority: &Authority) -> Guarded {
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
        Guarded {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }
}

impl Listener for Guarded {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.listener.accept().await.unwrap();
            match self.acceptor.accept(stream).into_fallible().await {
                Ok(stream) => return (stream, from),
                Err((_, stream)) => drop(tokio::spawn(drain(stream))),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Ends a connection that was refused. A socket that is closed with something unread is reset, and then the client
/// may never read why it was refused.
async fn drain(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    while let Ok(1..) = stream.read(&mut [0; 4096]).await {}
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let file = dir.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

/// Has the gateway start again with these lines about webhooks and send what the call has.
async fn sent_again(
    gateway: Gateway,
    lines: &str,
    (token, call): (&str, &str),
    state: &str,
) -> (Gateway, Value) {
    let (_, site) = gateway.stop().await;
    std::fs::write(site.config(), config(lines)).unwrap();
    let gateway = site.start().await;
    let path = format!("/api/calls/{call}/redeliver");
    let again = gateway.post(token, &path, &json!({ "all": true })).await;
    assert_eq!(again.status, 200, "{again:?}");
    let became = settled(&gateway, token, call, state).await.remove(0);
    (gateway, became)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_may_have_its_own_authority_and_ask_for_our_certificate() {
    let authority = Authority::new();
    let guarded = Guarded::bind(&authority).await;
    let port = guarded.local_addr().unwrap().port();
    let url = format!("https://localhost:{port}/hook");
    let receiver = Receiver::serve(guarded, url, |_, _| async {
        StatusCode::NO_CONTENT.into_response()
    });

    let once = "retry_after_s = []\n";
    let site = Site::new(&config(once));
    let dir = site.config().parent().unwrap().to_owned();
    let (certificate, key) = authority.issue();
    let ca = write(&dir, "ca.pem", &authority.certificate.pem());
    let cert = write(&dir, "client.pem", &certificate.pem());
    let key = write(&dir, "client.key", &key.serialize_pem());
    let trusts = format!("ca_file = {ca:?}\n");
    let shows = format!("client_cert = {cert:?}\nclient_key = {key:?}\n");

    let token = site.token("acme").await;
    let gateway = site.start().await;
    let call = canceled_call(&gateway, &token, &receiver.url).await;
    let of_call = (token.as_str(), call.as_str());
    let neither = settled(&gateway, &token, &call, "dead").await.remove(0);
    let (gateway, stranger) = sent_again(gateway, &format!("{once}{shows}"), of_call, "dead").await;
    let (gateway, nobody) = sent_again(gateway, &format!("{once}{trusts}"), of_call, "dead").await;
    for refused in [neither, stranger, nobody] {
        assert!(statuses(&refused).iter().all(Option::is_none), "{refused}");
        let error = refused["error"].as_str().unwrap().to_lowercase();
        assert!(error.contains("certificate"), "{error}");
    }
    assert!(receiver.seen().is_empty());

    let all = format!("{once}{trusts}{shows}");
    let (_gateway, taken) = sent_again(gateway, &all, of_call, "delivered").await;
    assert_eq!(statuses(&taken).last(), Some(&Some(204)), "{taken}");
    assert_eq!(receiver.seen().len(), 2);
}
