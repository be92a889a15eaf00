//! What a client that holds connections can do, without a token: little.

use crate::gateway::{Gateway, PATIENCE};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How many connections the gateway holds.
const PLACES: usize = 512;

async fn connect(gateway: &Gateway) -> TcpStream {
    let address = gateway.url.strip_prefix("https://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// Whether the gateway closes the connection within that time.
async fn is_closed(stream: &mut TcpStream, within: Duration) -> bool {
    let mut rest = Vec::new();
    timeout(within, stream.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test]
async fn connections_have_a_limit_and_their_places_are_free_again() {
    let (gateway, token) = Gateway::start().await;
    let mut held = Vec::new();
    for _ in 0..PLACES / 32 {
        for _ in 0..32 {
            held.push(connect(&gateway).await);
        }
        // The system's own queue of connections is shorter than this.
        sleep(Duration::from_millis(30)).await;
    }
    let mut more = connect(&gateway).await;
    assert!(is_closed(&mut more, PATIENCE).await);
    assert!(!is_closed(&mut held[0], Duration::from_millis(100)).await);
    drop(held);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let url = format!("{}/api/calls", gateway.url);
    loop {
        let request = gateway.client.get(&url).bearer_auth(&token);
        match request.send().await {
            Ok(answer) => break assert_eq!(answer.status(), 200),
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// A TLS connection on which these bytes were sent, and no more.
async fn begin(gateway: &Gateway, bytes: &[u8]) -> TlsStream<TcpStream> {
    let cert = std::fs::read(gateway.site().data().join("tls/cert.pem")).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&cert).unwrap())
        .unwrap();
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let name = "localhost".try_into().unwrap();
    let mut stream = connector
        .connect(name, connect(gateway).await)
        .await
        .unwrap();
    // It may have closed already on what is too long.
    let _ = stream.write_all(bytes).await;
    stream
}

#[tokio::test]
async fn a_client_that_says_nothing_or_half_is_sent_away() {
    let (gateway, _token) = Gateway::start().await;
    let endless = [b"GET / HTTP/1.1\r\nx: ".as_slice(), &[b'a'; 64 * 1024]].concat();
    let cases = [
        b"".as_slice(),
        b"PRI * HTTP/2.0\r\n",
        b"POST /api/makecall HTTP/1.1\r\nhost: x\r\n",
        &endless,
    ];
    let ended = cases.map(|begun| {
        let gateway = &gateway;
        async move {
            let mut stream = begin(gateway, begun).await;
            let mut answer = Vec::new();
            // A head takes 10 s at the most.
            timeout(Duration::from_secs(15), stream.read_to_end(&mut answer))
                .await
                .is_ok()
        }
    });
    let ended = futures::future::join_all(ended).await;
    assert_eq!(ended, [true; 4]);
}
