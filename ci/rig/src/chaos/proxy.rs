//! A TCP proxy between one process and one server, which can be told to misbehave.

use super::plan::Trouble;
use crate::ports::free_port;
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

/// A proxy. Dropping it closes every connection through it.
pub struct Proxy {
    address: SocketAddr,
    trouble: watch::Sender<Option<Trouble>>,
    _serving: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Starts one on a free port of loopback, to `server`.
    pub async fn start(server: SocketAddr) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("a proxy on {address}"))?;
        let (trouble, seen) = watch::channel(None);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, server, seen.clone()));
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

async fn serve(client: TcpStream, server: SocketAddr, trouble: watch::Receiver<Option<Trouble>>) {
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
            () = copy(from_client, to_server, trouble.clone()) => {}
            () = copy(from_server, to_client, trouble.clone()) => {}
        }
    };
    tokio::select! {
        () = pass => {}
        // An error is that the proxy is gone.
        _ = cut.wait_for(|trouble| *trouble == Some(Trouble::Cut)) => {}
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut trouble: watch::Receiver<Option<Trouble>>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(len) = from.read(&mut buffer).await
        && len > 0
    {
        let passable = trouble.wait_for(|trouble| *trouble != Some(Trouble::Stall));
        let Ok(now) = passable.await.map(|now| *now) else {
            return;
        };
        if let Some(Trouble::Delay(delay)) = now {
            sleep(delay).await;
        }
        if to.write_all(&buffer[..len]).await.is_err() {
            return;
        }
    }
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
        let proxy = Proxy::start(echo().await).await.unwrap();
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
}
