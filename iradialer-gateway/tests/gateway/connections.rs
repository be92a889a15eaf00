//! What a client that holds connections can do, without a token: little.

use crate::gateway::{Gateway, PATIENCE};
use crate::tokens::token_with;
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

/// The head of the next answer on the connection, once all of it has come; its body is read and dropped.
async fn next_answer(stream: &mut TlsStream<TcpStream>) -> String {
    let mut came = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&came).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .split_once("content-length: ")
                .map_or("0", |(_, rest)| {
                    rest.split("\r\n").next().unwrap_or_default()
                });
            if body.len() >= length.parse().unwrap() {
                return head.to_owned();
            }
        }
        let read = timeout(PATIENCE, stream.read_buf(&mut came)).await;
        let read = read.expect("no answer in time").unwrap();
        assert!(read > 0, "closed after {text:?}");
    }
}

/// A client may send its next request on a connection that nobody said would end, and can't know that it has.
#[tokio::test]
async fn who_is_refused_before_the_body_has_come_reads_why_and_is_not_cut_off_unwarned() {
    let (gateway, token) = Gateway::start().await;
    let operator = token_with(gateway.site(), &["--role", "operator"]).await;
    let bearer = |token: &str| format!("authorization: Bearer {token}\r\n");
    let json = "content-type: application/json\r\n";
    let cases = [
        ("POST /api/makecall", json.to_owned(), 401),
        ("POST /api/nothing", bearer(&token) + json, 404),
        ("PUT /api/makecall", bearer(&token) + json, 405),
        ("PUT /api/campaigns/x", bearer(&token) + json, 403),
        ("PUT /api/cpaconfigs/x", bearer(&operator) + json, 501),
        (
            "POST /api/makecall",
            bearer(&token) + "content-type: text/plain\r\n",
            415,
        ),
    ];
    let mut wrong = Vec::new();
    for (line, headers, status) in cases {
        for length in [2, 700 * 1024] {
            let head =
                format!("{line} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n");
            let mut stream = begin(&gateway, head.as_bytes()).await;
            stream.flush().await.unwrap();
            // A network may take its time between the two.
            sleep(Duration::from_millis(100)).await;
            let case = format!("{line}, {status}, {length} bytes");
            if let Err(error) = stream.write_all(&vec![b' '; length]).await {
                wrong.push(format!("{case}: {error}"));
                continue;
            }
            let answer = next_answer(&mut stream).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answer}"
            );
            if answer.contains("connection: close") {
                continue;
            }
            let next = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
            let mut read = [0; 12];
            let next = async {
                stream.write_all(next).await?;
                stream.read_exact(&mut read).await
            };
            match timeout(PATIENCE, next).await.expect("no answer in time") {
                Ok(_) => assert_eq!(read, *b"HTTP/1.1 200"),
                Err(error) => wrong.push(format!("{case}: the next request: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
