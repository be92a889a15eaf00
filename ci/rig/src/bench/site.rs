//! One switch with the module loaded, a NATS server, and two far ends.

use super::FarEnd;
use crate::freeswitch::{Config, Engine, FreeSwitch, Installation, Trunk};
use crate::ports::free_port;
use crate::process::{Process, Program};
use crate::repository::Built;
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// The trunk whose callee answers at once.
pub const AT_ONCE: &str = "at-once";
/// The trunk whose callee rings 8 s first.
pub const RINGS_8_S: &str = "rings-8-s";
/// How long that callee rings.
pub const RING: Duration = Duration::from_secs(8);

/// Everything the benchmarks call with.
pub struct Site {
    /// The switch.
    pub switch: FreeSwitch,
    /// The bus, open to anybody on loopback.
    pub nats_url: String,
    _nats: Process,
    _far_ends: [FarEnd; 2],
    _dir: TempDir,
}

impl Site {
    /// Starts it all.
    pub async fn start(installation: &Installation, built: &Built) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("ira-bench-").tempdir()?;
        let (nats, nats_url) = start_nats(dir.path()).await?;
        let far_ends = [
            FarEnd::start(Duration::ZERO).await?,
            FarEnd::start(RING).await?,
        ];
        let trunk = |name: &str, far_end: &FarEnd| Trunk {
            name: name.into(),
            far_end: far_end.address,
        };
        let prompts = dir.path().join("prompts");
        std::fs::create_dir(&prompts)?;
        let engine = Engine::new(&built.module)
            .param("node-id", "bench")
            .param("nats-url", &nats_url)
            .prompts(&prompts)
            .of_bench();
        let config = Config {
            trunks: vec![trunk(AT_ONCE, &far_ends[0]), trunk(RINGS_8_S, &far_ends[1])],
            engine: Some(engine),
            rtp_ports: 14_000,
            log: "warning",
            ..Config::default()
        };
        let switch = FreeSwitch::start(installation, &config).await?;
        Ok(Site {
            switch,
            nats_url,
            _nats: nats,
            _far_ends: far_ends,
            _dir: dir,
        })
    }

    /// CPU time the switch has used so far.
    pub fn switch_cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.switch.process().id()))?;
        // The name in brackets may hold anything; the numbers come after it.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
        let used = ticks(11)
            .zip(ticks(12))
            .map(|(user, system)| user + system)
            .context("reading the switch's CPU time")?;
        // Linux counts in hundredths of a second for every program it tells.
        Ok(Duration::from_millis(used * 10))
    }

    /// How many threads the switch has.
    pub fn switch_threads(&self) -> Result<u32> {
        Ok(u32::try_from(
            std::fs::read_dir(format!("/proc/{}/task", self.switch.process().id()))?.count(),
        )?)
    }

    /// The switch's memory, KiB.
    pub fn switch_memory_kib(&self) -> Result<u64> {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.switch.process().id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .context("reading the switch's memory")?;
        Ok(line.split_whitespace().nth(1).unwrap_or_default().parse()?)
    }
}

async fn start_nats(dir: &Path) -> Result<(Process, String)> {
    let port = free_port()?;
    let store = dir.join("nats");
    let mut nats = Program::new("nats-server", "nats-server")
        .args([
            "-a",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-js",
            "-sd",
            &store.to_string_lossy(),
        ])
        .start(dir)
        .context("nats-server is in the Debian package nats-server")?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    nats.until("listening", Duration::from_secs(20), || {
        TcpStream::connect(address).ok()
    })
    .await?;
    Ok((nats, format!("nats://{address}")))
}
