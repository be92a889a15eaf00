//! What hostile clients and receivers can make the gateway hold: little, read from the process itself, while others
//! are served as ever.

use crate::gateway::{CONFIG, Gateway, PATIENCE, Site, send};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How much more the process may hold at the worst moment than before, KiB. A debug build, whose buffers and tasks
/// are larger than a release's.
const MORE_KIB: u64 = 96 * 1024;
/// Slow clients at once; the gateway holds 512 connections.
const CLIENTS: usize = 300;
/// A head takes 10 s, a body 15 s, and a machine that is busy a little more.
const LONGEST: Duration = Duration::from_secs(25);

/// A TLS connection that offers these protocols.
async fn connect(gateway: &Gateway, protocols: &[&[u8]]) -> io::Result<TlsStream<TcpStream>> {
    let cert = std::fs::read(gateway.site().data().join("tls/cert.pem"))?;
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&cert).unwrap())
        .unwrap();
    let mut config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let address = gateway.url.strip_prefix("https://").unwrap();
    let stream = TcpStream::connect(address).await?;
    let connector = TlsConnector::from(Arc::new(config));
    connector
        .connect("localhost".try_into().unwrap(), stream)
        .await
}

/// What the gateway says on the connection until it closes it; `None` where it does not within the time.
async fn until_closed(stream: &mut TlsStream<TcpStream>, within: Duration) -> Option<String> {
    let mut said = Vec::new();
    let read = timeout(within, stream.read_to_end(&mut said)).await;
    read.ok()
        .map(|_| String::from_utf8_lossy(&said).into_owned())
}

/// The most the gateway held while `attack` went on, over what it held before, KiB; and how long the slowest of the
/// requests took that were made meanwhile.
async fn most_held<T>(
    gateway: &Gateway,
    token: &str,
    attack: impl Future<Output = T>,
) -> (u64, Duration, T) {
    for _ in 0..20 {
        gateway.get(token, "/api/calls").await;
    }
    let before = gateway.memory_kib();
    let watched = async {
        let (mut most, mut slowest) = (0, Duration::ZERO);
        loop {
            most = most.max(gateway.memory_kib());
            let begun = Instant::now();
            let answer = gateway.get(token, "/api/calls").await;
            assert_eq!(answer.status, 200, "{answer:?}");
            slowest = slowest.max(begun.elapsed());
            WATCHED.with(|seen| seen.set((most, slowest)));
            sleep(Duration::from_millis(100)).await;
        }
    };
    let done = tokio::select! {
        () = watched => unreachable!(),
        done = attack => done,
    };
    let (most, slowest) = WATCHED.with(|seen| seen.get());
    let most = most.max(gateway.memory_kib());
    (most.saturating_sub(before), slowest, done)
}

thread_local! {
    /// What was seen of the gateway of this thread's test.
    static WATCHED: std::cell::Cell<(u64, Duration)> = const { std::cell::Cell::new((0, Duration::ZERO)) };
}

fn check_bounded(what: &str, more_kib: u64, slowest: Duration) {
    assert!(more_kib < MORE_KIB, "{what}: {more_kib} KiB more");
    assert!(
        slowest < Duration::from_secs(5),
        "{what}: others waited {slowest:?}"
    );
}

/// Sends `head`, then `drip` each half second until the gateway has had enough. What it said in the end.
async fn drip(gateway: &Gateway, head: &str, drip: &str) -> Option<String> {
    let stream = connect(gateway, &[]).await.unwrap();
    let (mut from, mut to) = tokio::io::split(stream);
    to.write_all(head.as_bytes()).await.unwrap();
    let dripping = async {
        loop {
            sleep(Duration::from_millis(500)).await;
            if to.write_all(drip.as_bytes()).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut said = Vec::new();
    tokio::select! {
        read = timeout(LONGEST, from.read_to_end(&mut said)) => {
            read.ok().map(|_| String::from_utf8_lossy(&said).into_owned())
        }
        () = dripping => None,
    }
}

#[tokio::test]
async fn hundreds_of_slow_clients_are_sent_away_and_harm_nobody() {
    let (gateway, token) = Gateway::start().await;
    let body_head = format!(
        "POST /api/makecall HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 400000\r\n\r\n{{\"metadata\":{{\"a\":\""
    );
    let attack = async {
        let clients = (0..CLIENTS).map(|number| match number % 2 {
            0 => drip(
                &gateway,
                "GET /api/calls HTTP/1.1\r\nhost: x\r\n",
                "x-a: b\r\n",
            ),
            _ => drip(&gateway, &body_head, "aaaa"),
        });
        futures::future::join_all(clients).await
    };
    let (more_kib, slowest, ended) = most_held(&gateway, &token, attack).await;
    check_bounded("slow clients", more_kib, slowest);
    for (number, said) in ended.iter().enumerate() {
        let said = said.as_ref().expect("one was not sent away");
        // A head that does not come is not answered; a body that does not come is.
        assert!(
            number % 2 == 0 || said.starts_with("HTTP/1.1 408 "),
            "{said:?}"
        );
    }
    assert!(gateway.calls(&token).await.is_empty());
}

#[tokio::test]
async fn floods_of_headers_are_refused() {
    let (gateway, token) = Gateway::start().await;
    let many: String = (0..20_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let one = format!("x-long: {}\r\n", "z".repeat(4 * 1024 * 1024));
    let attack = async {
        for flood in [&many, &one] {
            let mut clients = JoinSet::new();
            for _ in 0..50 {
                let mut stream = connect(&gateway, &[]).await.unwrap();
                let request = format!("GET /api/calls HTTP/1.1\r\nhost: x\r\n{flood}\r\n");
                clients.spawn(async move {
                    // It closes on what is too much before it has all of it; its answer is there by then.
                    let _ = stream.write_all(request.as_bytes()).await;
                    until_closed(&mut stream, PATIENCE).await
                });
            }
            while let Some(said) = clients.join_next().await {
                let said = said.unwrap().expect("it goes on reading");
                assert!(said.starts_with("HTTP/1.1 431 "), "{said:?}");
            }
        }
    };
    let (more_kib, slowest, ()) = most_held(&gateway, &token, attack).await;
    check_bounded("header floods", more_kib, slowest);
}

#[tokio::test]
async fn bodies_without_an_end_are_cut() {
    let (gateway, token) = Gateway::start().await;
    let head = |framing: &str| {
        format!(
            "POST /api/makecall HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\n{framing}\r\n\r\n"
        )
    };
    let chunk = format!("{:x}\r\n{}\r\n", 65_536, "a".repeat(65_536));
    let attack = async {
        let mut clients = JoinSet::new();
        for number in 0..40 {
            let mut stream = connect(&gateway, &[]).await.unwrap();
            let (head, piece) = match number % 2 {
                0 => (head("content-length: 10000000000"), "a".repeat(65_536)),
                _ => (head("transfer-encoding: chunked"), chunk.clone()),
            };
            clients.spawn(async move {
                stream.write_all(head.as_bytes()).await.unwrap();
                let mut sent = 0;
                while sent < 1_000_000_000 && stream.write_all(piece.as_bytes()).await.is_ok() {
                    sent += piece.len();
                }
                let said = until_closed(&mut stream, PATIENCE).await;
                (sent, said)
            });
        }
        while let Some(ended) = clients.join_next().await {
            let (sent, said) = ended.unwrap();
            assert!(sent < 100_000_000, "it took {sent} bytes");
            let said = said.expect("it goes on reading");
            assert!(said.starts_with("HTTP/1.1 413 "), "{said:?}");
        }
    };
    let (more_kib, slowest, ()) = most_held(&gateway, &token, attack).await;
    check_bounded("endless bodies", more_kib, slowest);
    assert!(gateway.calls(&token).await.is_empty());
}

#[tokio::test]
async fn a_compressed_body_is_refused_unread() {
    let (gateway, token) = Gateway::start().await;
    // A gzip stream of nothing but a header: it is refused for what it says it is.
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, gzip"] {
        let request = gateway
            .request("/api/makecall", &b"\x1f\x8b\x08\x00"[..])
            .header("content-encoding", coding)
            .bearer_auth(&token);
        let answer = send(request).await;
        assert_eq!(answer.status, 415, "{coding}: {answer:?}");
        assert!(
            answer.body["status"]
                .as_str()
                .unwrap()
                .contains("content-encoding"),
            "{answer:?}"
        );
    }
    let plain = gateway
        .request(
            "/api/makecall",
            r#"{"campaign_name":"reminders","to_number":"+15005550006"}"#,
        )
        .header("content-encoding", "identity")
        .bearer_auth(&token);
    assert_eq!(send(plain).await.status, 200);
}

#[tokio::test]
async fn http_2_is_not_spoken_so_nothing_of_it_can_be_flooded() {
    let (gateway, token) = Gateway::start().await;
    let both = connect(&gateway, &[b"h2", b"http/1.1"]).await.unwrap();
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(
        connect(&gateway, &[b"h2"]).await.is_err(),
        "there is nothing to agree on"
    );
    // A client that does not ask: the preface, its settings, a HEADERS frame without an end and its CONTINUATIONs,
    // streams that are reset as soon as they are open.
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in (1..20_000u32).step_by(2) {
        let id = stream.to_be_bytes();
        flood.extend([&[0, 0, 1, 1, 0][..], &id, &[0x82]].concat());
        flood.extend([&[0, 0, 4, 9, 0][..], &id, &[0x40, 1, b'a', b'b']].concat());
        flood.extend([&[0, 0, 4, 3, 0][..], &id, &[0, 0, 0, 8]].concat());
    }
    let attack = async {
        for _ in 0..20 {
            let mut stream = connect(&gateway, &[]).await.unwrap();
            let _ = stream.write_all(&flood).await;
            let said = until_closed(&mut stream, PATIENCE).await;
            let said = said.expect("it goes on reading");
            // It is cut at the preface, without an answer: who speaks HTTP/2 could not read one of HTTP/1.1.
            assert_eq!(said, "");
        }
    };
    let (more_kib, slowest, ()) = most_held(&gateway, &token, attack).await;
    check_bounded("HTTP/2 floods", more_kib, slowest);
}

/// A server that reads a request and does as it is told with the connection, and how many came.
async fn receiver<F, R>(answer: F) -> (String, Arc<AtomicUsize>)
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    tokio::spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 16 * 1024];
            if matches!(stream.read(&mut request).await, Ok(1..)) {
                count.fetch_add(1, Ordering::Relaxed);
                open.spawn(answer(stream));
            }
        }
    });
    (url, came)
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_whose_answers_never_end_fill_nothing() {
    let config = format!("[webhooks]\nretry_after_s = []\ntimeout_s = 3\n{CONFIG}");
    let site = Site::new(&config);
    let token = site.token("acme").await;
    let gateway = site.start().await;
    let endless_body = |mut stream: TcpStream| async move {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000000\r\n\r\n";
        stream.write_all(head).await?;
        let piece = vec![b'x'; 1 << 20];
        loop {
            stream.write_all(&piece).await?;
        }
    };
    let endless_head = |mut stream: TcpStream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
        let lines = b"x-more: and more\r\n".repeat(4_096);
        loop {
            stream.write_all(&lines).await?;
        }
    };
    let dripping_head = |mut stream: TcpStream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
        loop {
            stream.write_all(b"x-more: and more\r\n").await?;
            sleep(Duration::from_millis(200)).await;
        }
    };
    let early_end = |mut stream: TcpStream| async move {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\nxxx")
            .await
    };
    let silent = |stream: TcpStream| async move {
        let _open = stream;
        std::future::pending().await
    };
    let receivers = [
        receiver(endless_body).await,
        receiver(endless_head).await,
        receiver(dripping_head).await,
        receiver(early_end).await,
        receiver(silent).await,
    ];
    let attack = async {
        for number in 0..16 * receivers.len() {
            let (url, _) = &receivers[number % receivers.len()];
            let body = json!({
                "campaign_name": "reminders", "to_number": "+15005550006",
                "call_params": { "event_url": url },
            });
            gateway.make_call(&token, &body).await;
        }
        // As many as each gets at once. Each is tried once: taken, or given up within the time for a request.
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let shown = gateway.get(&token, "/api/webhooks").await;
            let sum = |name: &str| -> u64 {
                let all = shown.body["receivers"].as_array().unwrap().iter();
                all.map(|each| each[name].as_u64().unwrap()).sum()
            };
            if sum("given_up") + sum("delivered") == 16 * receivers.len() as u64 {
                return;
            }
            assert!(Instant::now() < deadline, "{shown:?}");
            sleep(Duration::from_millis(100)).await;
        }
    };
    let (more_kib, slowest, ()) = most_held(&gateway, &token, attack).await;
    check_bounded("receivers without an end", more_kib, slowest);
    for (url, came) in &receivers {
        assert!(came.load(Ordering::Relaxed) > 0, "{url}");
    }
}
