//! A line to the server that can be cut at a commit.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Where the line is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The commit does not reach the server.
    Commit,
    /// The commit is done, and its answer does not come back.
    Answer,
}

/// Passes everything on until it is told to cut the line.
pub struct Proxy {
    pub address: SocketAddr,
    cut: Arc<Mutex<Option<Cut>>>,
}

impl Proxy {
    pub async fn start(server: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Arc::new(Mutex::new(None));
        let next = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, cut) = (server.clone(), Arc::clone(&next));
                tokio::spawn(async move { pass(client, &server, &cut).await });
            }
        });
        Proxy { address, cut }
    }

    pub fn cut_at_the_next_commit(&self, cut: Cut) {
        *self.cut.lock().unwrap() = Some(cut);
    }
}

async fn pass(mut client: TcpStream, server: &Path, cut: &Mutex<Option<Cut>>) {
    let mut server = UnixStream::connect(server).await.unwrap();
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let message = &asked[..length];
                let commits = message.windows(7).any(|part| part == b"COMMIT\0");
                let cut = if commits { cut.lock().unwrap().take() } else { None };
                if cut == Some(Cut::Commit) {
                    return;
                }
                if server.write_all(message).await.is_err() {
                    return;
                }
                if cut == Some(Cut::Answer) {
                    // It has come this far, and goes no further.
                    let _ = server.read(&mut answered).await;
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
