//! A TCP proxy between one process and one server, which can be told to misbehave.

use super::frames::Frames;
use super::plan::Trouble;
use crate::ports::free_port;
use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

/// What is spoken on the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// NATS, whose messages can be lost, doubled and held back.
    Nats,
    /// Whatever it is, it can be held up or cut only.
    Any,
}

/// A proxy. Dropping it closes every connection through it.
pub struct Proxy {
    address: SocketAddr,
    trouble: watch::Sender<Option<Trouble>>,
    _serving: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Starts one on a free port of loopback, to `server`.
    pub async fn start(server: SocketAddr, speech: Speech) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("a proxy on {address}"))?;
        let (trouble, seen) = watch::channel(None);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, server, speech, seen.clone()));
            }
        });
        Ok(Proxy {
            address,
            trouble,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has everything through it suffer this from now on, or nothing.
    pub fn suffer(&self, trouble: Option<Trouble>) {
        self.trouble.send_replace(trouble);
    }
}

async fn serve(
    client: TcpStream,
    server: SocketAddr,
    speech: Speech,
    trouble: watch::Receiver<Option<Trouble>>,
) {
    let mut cut = trouble.clone();
    let pass = async {
        let Ok(upstream) = TcpStream::connect(server).await else {
            return;
        };
        // What is small must not wait for more.
        let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = upstream.into_split();
        tokio::select! {
            () = Way::new(to_server, speech, &trouble).copy(from_client) => {}
            () = Way::new(to_client, speech, &trouble).copy(from_server) => {}
        }
    };
    tokio::select! {
        () = pass => {}
        // An error is that the proxy is gone.
        _ = cut.wait_for(|trouble| *trouble == Some(Trouble::Cut)) => {}
    }
}

/// One direction of a connection.
struct Way {
    to: OwnedWriteHalf,
    speech: Speech,
    trouble: watch::Receiver<Option<Trouble>>,
    frames: Frames,
    /// Copies of messages that come again, and when.
    late: VecDeque<(Instant, Vec<u8>)>,
}

impl Way {
    fn new(to: OwnedWriteHalf, speech: Speech, trouble: &watch::Receiver<Option<Trouble>>) -> Self {
        Way {
            to,
            speech,
            trouble: trouble.clone(),
            frames: Frames::default(),
            late: VecDeque::new(),
        }
    }

    async fn copy(mut self, mut from: OwnedReadHalf) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let due = self.late.front().map(|(due, _)| *due);
            let far = || Instant::now() + std::time::Duration::from_secs(3_600);
            let written = tokio::select! {
                read = from.read(&mut buffer) => match read {
                    Ok(len) if len > 0 => self.pass(&buffer[..len]).await,
                    _ => return,
                },
                () = sleep_until(due.unwrap_or_else(far)), if due.is_some() => {
                    let (_, copy) = self.late.pop_front().unwrap_or_else(|| (far(), Vec::new()));
                    self.to.write_all(&copy).await
                }
            };
            if written.is_err() {
                return;
            }
        }
    }

    async fn pass(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let gone = |_| std::io::Error::other("the proxy is gone");
        let passable = self.trouble.wait_for(|now| *now != Some(Trouble::Stall));
        let now = passable.await.map(|now| *now).map_err(gone)?;
        if let Some(Trouble::Delay(delay)) = now {
            sleep(delay).await;
        }
        if self.speech == Speech::Any {
            return self.to.write_all(bytes).await;
        }
        self.frames.push(bytes);
        for frame in self.frames.by_ref() {
            let times = match now {
                Some(Trouble::Lose(percent)) if frame.is_message && hits(percent) => 0,
                Some(Trouble::Double(percent)) if frame.is_message && hits(percent) => 2,
                Some(Trouble::Haunt(after)) if frame.is_message => {
                    let copy = frame.bytes.clone();
                    self.late.push_back((Instant::now() + after, copy));
                    1
                }
                _ => 1,
            };
            for _ in 0..times {
                self.to.write_all(&frame.bytes).await?;
            }
        }
        Ok(())
    }
}

fn hits(percent: u8) -> bool {
    rand::random_range(0..100) < percent
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        address
    }

    async fn exchange(stream: &mut TcpStream) -> bool {
        let mut answer = [0; 4];
        stream.write_all(b"ping").await.is_ok() && stream.read_exact(&mut answer).await.is_ok()
    }

    #[tokio::test]
    async fn what_passes_and_what_does_not() {
        let proxy = Proxy::start(echo().await, Speech::Any).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(exchange(&mut stream).await);

        proxy.suffer(Some(Trouble::Stall));
        let stalled = timeout(Duration::from_millis(200), exchange(&mut stream)).await;
        assert!(stalled.is_err(), "it passed");
        proxy.suffer(None);
        // The answer to the one that stalled comes first.
        assert!(exchange(&mut stream).await);

        proxy.suffer(Some(Trouble::Cut));
        let closed = timeout(Duration::from_secs(5), async {
            while exchange(&mut stream).await {}
        });
        assert!(closed.await.is_ok(), "it stayed open");
        proxy.suffer(None);
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(exchange(&mut stream).await);
    }

    #[tokio::test]
    async fn messages_are_lost_doubled_and_come_again() {
        let proxy = Proxy::start(echo().await, Speech::Nats).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        // What passes both ways: a line, and a message that is lost or comes in fours (doubled there and
        // doubled back), or comes back at once and again.
        let after = Duration::from_millis(150);
        for (trouble, times) in [
            (None, 1),
            (Some(Trouble::Lose(100)), 0),
            (Some(Trouble::Double(100)), 4),
            (Some(Trouble::Haunt(after)), 4),
            (None, 1),
        ] {
            proxy.suffer(trouble);
            stream.write_all(b"PUB a 2\r\nhi\r\n").await.unwrap();
            tokio::time::sleep(after * 3).await;
            stream.write_all(b"PING\r\n").await.unwrap();
            let mut said = Vec::new();
            while !said.ends_with(b"PING\r\n") {
                let read = timeout(Duration::from_secs(5), stream.read_buf(&mut said));
                assert!(read.await.unwrap().unwrap() > 0, "it was closed");
            }
            let expected = "PUB a 2\r\nhi\r\n".repeat(times) + "PING\r\n";
            assert_eq!(String::from_utf8(said).unwrap(), expected, "{trouble:?}");
        }
    }
}
