//! A FreeSWITCH of our own: its configuration in a temporary directory, its ports on loopback.

mod config;
mod installation;

pub use config::{Config, Engine, Trunk};
pub use installation::Installation;

use crate::event_socket::EventSocket;
use crate::ports::free_port;
use crate::process::{Process, Program};
use anyhow::{Context, Result};
use config::Ports;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// How long a start may take, with every core busy.
const START_TIME: Duration = Duration::from_secs(60);
/// How long a stop may take: it hangs up every call and unloads every module, and its SIP stack waits up to 30 s by
/// itself for far ends that do not answer (`nua_shutdown` of Sofia-SIP).
const STOP_TIME: Duration = Duration::from_secs(60);

/// A running FreeSWITCH. Dropping it ends it and removes its directory.
pub struct FreeSwitch {
    process: Process,
    dir: TempDir,
    ports: Ports,
    password: String,
    version: String,
}

impl FreeSwitch {
    /// Starts `installation` with `config` and waits until it answers on the event socket.
    pub async fn start(installation: &Installation, config: &Config) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("ira-freeswitch-")
            .tempdir()?;
        let ports = Ports::free(config.rtp_ports)?;
        let password = uuid::Uuid::new_v4().simple().to_string();
        config.write(dir.path(), &ports, &password)?;
        installation.link_modules(
            &dir.path().join("mod"),
            config.engine.as_ref().map(|e| e.module.as_path()),
        )?;

        let mut program =
            Program::new("freeswitch", &installation.program).args(["-nonat", "-nf", "-nc", "-np"]);
        for (name, value) in &config.env {
            program = program.env(name, value);
        }
        for option in DIRS {
            let path = dir.path().join(option);
            std::fs::create_dir_all(&path)?;
            program = program
                .arg(format!("-{option}"))
                .arg(path.to_string_lossy());
        }
        let mut process = program.start(dir.path())?;
        process.also_show(dir.path().join("log/freeswitch.log"));

        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.event_socket));
        let listening = || std::net::TcpStream::connect(address).ok();
        process
            .until("listening on its event socket", START_TIME, listening)
            .await?;
        let mut started = FreeSwitch {
            process,
            dir,
            ports,
            password,
            version: installation.version.clone(),
        };
        started.wait_until_ready(config).await?;
        Ok(started)
    }

    /// The event socket listens before the last module is loaded: waits for the SIP profiles and for
    /// the switch to call itself ready.
    async fn wait_until_ready(&mut self, config: &Config) -> Result<()> {
        let mut socket = self.event_socket().await?;
        let deadline = tokio::time::Instant::now() + START_TIME;
        loop {
            let status = socket.api("status").await?;
            let profiles = socket.api("sofia status").await?;
            let wanted = 1 + usize::from(config.callee_port.is_some());
            if status.contains("is ready") && profiles.matches("RUNNING").count() == wanted {
                break;
            }
            anyhow::ensure!(
                tokio::time::Instant::now() < deadline,
                "FreeSWITCH is not ready after {START_TIME:?}: {status}\n{profiles}\n{}",
                self.process.log_tail()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if config.engine.is_some() {
            let answer = socket.api("load mod_iradialer").await?;
            anyhow::ensure!(
                answer.contains("+OK") && !answer.contains("-ERR"),
                "load mod_iradialer: {answer}\n{}",
                self.process.log_tail()
            );
        }
        Ok(())
    }

    /// A new connection to its event socket.
    pub async fn event_socket(&self) -> Result<EventSocket> {
        let (address, password) = self.event_socket_login();
        EventSocket::connect(address, password)
            .await
            .with_context(|| self.process.log_tail())
    }

    /// Where its event socket is, and the password.
    pub fn event_socket_login(&self) -> (SocketAddr, &str) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.event_socket));
        (address, &self.password)
    }

    /// Where the SIP profile `external` listens.
    pub fn sip_address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.sip))
    }

    /// The host's version, as it tells it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its process, to be waited for.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The folder its recordings are kept in.
    pub fn recordings_dir(&self) -> PathBuf {
        self.dir.path().join("recordings")
    }

    /// The folder prompts are played from.
    pub fn prompts_dir(&self) -> PathBuf {
        self.dir.path().join("prompts")
    }

    /// Stops it as an operator does (SIGTERM) and waits for its end.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.process.stop(STOP_TIME).await
    }

    /// Adds a trunk while it runs.
    pub async fn add_trunk(&self, trunk: &Trunk) -> Result<()> {
        trunk.write(&self.dir.path().join("conf/trunks"))?;
        let mut socket = self.event_socket().await?;
        socket.api_ok("reloadxml").await?;
        socket.api_ok("sofia profile external rescan").await?;
        let gateway = format!("sofia status gateway {}", trunk.name);
        let deadline = tokio::time::Instant::now() + START_TIME;
        while socket.api(&gateway).await?.contains("Invalid Gateway") {
            anyhow::ensure!(
                tokio::time::Instant::now() < deadline,
                "trunk {} did not appear",
                trunk.name
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// The directory options of `freeswitch`, each a folder of that name; together they keep it from every
/// path that was compiled in.
const DIRS: [&str; 14] = [
    "conf",
    "log",
    "run",
    "db",
    "mod",
    "scripts",
    "temp",
    "htdocs",
    "storage",
    "cache",
    "recordings",
    "sounds",
    "grammar",
    "certs",
];

impl Ports {
    fn free(rtp_ports: u16) -> Result<Self> {
        // RTP below the kernel's ephemeral range, above the ports given out one by one. Switches that this
        // program starts one after the other have different ports: of two that have bound one, which the
        // switch allows, only one hears anything.
        static STARTED: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(rand::random()));
        let parts = (32_700 - 16_384) / rtp_ports.max(2);
        let part = STARTED.fetch_add(1, Ordering::Relaxed) % parts.max(1);
        let rtp_start = 16_384 + part * rtp_ports;
        Ok(Ports {
            sip: free_port()?,
            event_socket: free_port()?,
            rtp: rtp_start..rtp_start + rtp_ports,
        })
    }
}
