//! A `nats-server` of our own, as an operator would run one: users for gateway and switch, JetStream.

use crate::gateway::{Bus, SwitchLogin};
use crate::ports::free_port;
use crate::process::{Process, Program};
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// How long a start may take, with every core busy.
const START_TIME: Duration = Duration::from_secs(30);
/// How long a stop may take.
const STOP_TIME: Duration = Duration::from_secs(30);

/// A running server. Dropping it ends it and removes its store.
pub struct Nats {
    process: Process,
    dir: TempDir,
    port: u16,
    password: String,
}

impl Nats {
    /// Starts one on a free port of loopback.
    pub async fn start() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("ira-nats-").tempdir()?;
        let port = free_port()?;
        let password = uuid::Uuid::new_v4().simple().to_string();
        let config = format!(
            "listen: 127.0.0.1:{port}\n\
             jetstream {{ store_dir: \"{}\", max_memory_store: 64MB, max_file_store: 1GB }}\n\
             authorization {{ users = [\n\
             \x20 {{ user: gateway, password: \"{password}\" }}\n\
             \x20 {{ user: switch, password: \"{password}\" }}\n\
             ] }}\n",
            dir.path().join("store").display()
        );
        let mut nats = Nats {
            process: Self::spawn(&dir, &config)?,
            dir,
            port,
            password,
        };
        nats.wait_until_ready().await?;
        Ok(nats)
    }

    /// Kills it (SIGKILL) and starts it again on the same port and store.
    pub async fn kill_and_restart(&mut self) -> Result<()> {
        self.kill(false).await?;
        self.start_again().await
    }

    /// Kills it (SIGKILL) and removes its streams; [`Nats::start_again`] brings it back without them.
    pub async fn kill(&mut self, wipe: bool) -> Result<()> {
        self.process.signal(rustix::process::Signal::KILL)?;
        self.process.stop(STOP_TIME).await?;
        if wipe {
            std::fs::remove_dir_all(self.dir.path().join("store"))?;
        }
        Ok(())
    }

    /// Stops it as an operator does (SIGTERM).
    pub async fn stop(&mut self) -> Result<()> {
        self.process.stop(STOP_TIME).await.map(drop)
    }

    /// Starts it again on the same port and store, after [`Nats::kill`] or [`Nats::stop`].
    pub async fn start_again(&mut self) -> Result<()> {
        let config = std::fs::read_to_string(self.dir.path().join("nats.conf"))?;
        self.process = Self::spawn(&self.dir, &config)?;
        self.wait_until_ready().await
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    fn spawn(dir: &TempDir, config: &str) -> Result<Process> {
        let file = dir.path().join("nats.conf");
        std::fs::write(&file, config)?;
        Program::new("nats-server", program())
            .arg("-c")
            .arg(file.to_string_lossy())
            .start(dir.path())
            .context("nats-server is in the Debian package nats-server")
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let address = self.address();
        let listening = || TcpStream::connect(address).ok().map(drop);
        self.process.until("listening", START_TIME, listening).await
    }

    /// How a gateway logs on.
    pub fn gateway_login(&self) -> Bus {
        Bus {
            url: self.url(),
            user: "gateway".into(),
            password: self.password.clone(),
        }
    }

    /// How a switch logs on.
    pub fn switch_login(&self) -> SwitchLogin {
        SwitchLogin {
            url: self.url(),
            user: "switch".into(),
            password: self.password.clone(),
        }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

/// Debian puts it where only root's `PATH` looks.
fn program() -> PathBuf {
    let debian = PathBuf::from("/usr/sbin/nats-server");
    if debian.exists() {
        debian
    } else {
        "nats-server".into()
    }
}
