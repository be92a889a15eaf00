//! A `nats-server` of our own, as an operator would run one: with the users that `nats-config` makes, each
//! of which may touch its own subjects only, and JetStream.

use crate::engine_config::value_of;
use crate::gateway::{Bus, SwitchLogin};
use crate::ports::free_port;
use crate::process::{Process, Program};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
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
    gateway: Bus,
    switches: BTreeMap<String, SwitchLogin>,
}

impl Nats {
    /// Starts one on a free port of loopback, with a user for the gateway and one for each of the switches
    /// `nodes`; `gateway` is the program that makes them.
    pub async fn start(gateway: &Path, nodes: &[&str]) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("ira-nats-").tempdir()?;
        let port = free_port()?;
        let users = dir.path().join("users");
        make_users(gateway, nodes, port, &users)?;
        let config = std::fs::read_to_string(users.join("nats-server.conf"))?;
        let config = config
            .replace("127.0.0.1:4222", &format!("127.0.0.1:{port}"))
            .replace(
                "/var/lib/nats",
                &dir.path().join("store").display().to_string(),
            );
        let logins = nodes.iter().map(|node| {
            let text = std::fs::read_to_string(users.join(format!("{node}.xml")))?;
            let value = |name| value_of(&text, name).map(str::to_owned);
            let login = SwitchLogin {
                url: value("nats-url")?,
                user: value("nats-user")?,
                password: value("nats-password")?,
            };
            Ok(((*node).to_owned(), login))
        });
        let of_gateway: OfGateway =
            toml::from_str(&std::fs::read_to_string(users.join("gateway.toml"))?)?;
        let mut nats = Nats {
            process: Self::spawn(&dir, &config)?,
            gateway: of_gateway.nats,
            switches: logins.collect::<Result<_>>()?,
            dir,
            port,
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
        self.gateway.clone()
    }

    /// How the switch `node` logs on.
    pub fn switch_login(&self, node: &str) -> Result<SwitchLogin> {
        let login = self.switches.get(node).cloned();
        login.with_context(|| format!("the bus was started without a user for {node}"))
    }
}

/// What `nats-config` leaves for the gateway.
#[derive(Deserialize)]
struct OfGateway {
    nats: Bus,
}

/// Has the gateway's own command make the users, as an operator does.
fn make_users(gateway: &Path, nodes: &[&str], port: u16, out: &Path) -> Result<()> {
    let mut command = Command::new(gateway);
    command.arg("nats-config");
    for node in nodes {
        command.args(["--node", node]);
    }
    let output = command
        .args(["--url", &format!("nats://127.0.0.1:{port}"), "--out"])
        .arg(out)
        .output()
        .context("running the gateway's nats-config")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "nats-config: {told}");
    Ok(())
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
