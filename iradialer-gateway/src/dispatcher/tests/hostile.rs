//! Receivers that mean harm, or do it: answers without an end, and more than one in the way.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that reads a request's head and then does as it is told with the connection.
struct Raw {
    url: String,
    server: tokio::task::JoinHandle<()>,
}

impl Raw {
    async fn start<F, R>(answer: F) -> Raw
    where
        F: Fn(TcpStream) -> R + Send + Sync + 'static,
        R: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 16 * 1024];
                if matches!(stream.read(&mut request).await, Ok(1..)) {
                    open.spawn(answer(stream));
                }
            }
        });
        Raw { url, server }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A dispatcher that waits for an answer for a second, and tries once.
async fn bench() -> Bench {
    Bench::start_with(|config| {
        config.webhooks.retry_after.clear();
        config.webhooks.timeout = Duration::from_secs(1);
    })
    .await
}

/// What came of one event for this address, and how long it took.
async fn outcome(url: &str) -> ((String, Option<i64>, String), Duration) {
    let bench = bench().await;
    let begun = Instant::now();
    let call = bench.queued_call(url).await;
    let (state, _, status, error) = bench.settled(call).await.remove(0);
    let took = begun.elapsed();
    bench.stop().await;
    ((state, status, error.unwrap_or_default()), took)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_ends_is_not_read_to_its_end() {
    let raw = Raw::start(|mut stream| async move {
        stream
            .write_all(b"HTTP/1.1 500 X\r\ntransfer-encoding: chunked\r\n\r\n")
            .await?;
        loop {
            stream.write_all(b"400\r\n").await?;
            stream.write_all(&[b'x'; 0x400]).await?;
            stream.write_all(b"\r\n").await?;
        }
    })
    .await;
    let ((state, status, error), took) = outcome(&raw.url).await;
    assert_eq!((state.as_str(), status), ("dead", Some(500)));
    assert!(
        error.starts_with("500 Internal Server Error: \"xxx"),
        "{error}"
    );
    assert!(took < Duration::from_millis(900), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_drips_is_waited_for_as_long_as_any() {
    let raw = Raw::start(|mut stream| async move {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            .await?;
        loop {
            stream.write_all(b"x").await?;
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let ((state, status, _), took) = outcome(&raw.url).await;
    assert_eq!((state.as_str(), status), ("delivered", Some(200)));
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_is_a_failure() {
    let quick = Raw::start(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
        loop {
            stream.write_all(b"x-more: and more\r\n").await?;
        }
    })
    .await;
    let slow = Raw::start(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
        loop {
            stream.write_all(b"x-more: and more\r\n").await?;
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let silent = Raw::start(|stream| async move {
        let _open = stream;
        std::future::pending().await
    })
    .await;
    for raw in [quick, slow, silent] {
        let ((state, status, error), took) = outcome(&raw.url).await;
        assert_eq!((state.as_str(), status), ("dead", None), "{error}");
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_a_failure() {
    let raw = Raw::start(|mut stream| async move { stream.write_all(b"220 smtp\r\n").await }).await;
    let ((state, status, error), _) = outcome(&raw.url).await;
    assert_eq!((state.as_str(), status), ("dead", None));
    assert!(error.starts_with("the request failed"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn loopback_in_other_writing_is_refused_too() {
    let bench = Bench::start_with(|config| config.webhooks.allow_addresses.clear()).await;
    let receiver = Receiver::always(StatusCode::OK).await;
    let port = receiver.url.rsplit(':').next().unwrap();
    for host in [
        "2130706433",
        "0x7f.1",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "[::]",
    ] {
        let call = bench.ended_call(&format!("http://{host}:{port}")).await;
        for (state, tries, _, error) in bench.settled(call).await {
            assert_eq!((state.as_str(), tries), ("dead", 1), "{host}");
            let error = error.unwrap();
            assert!(error.contains("webhooks.allow_addresses"), "{error}");
        }
    }
    assert!(receiver.seen().is_empty());
    bench.stop().await;
}
