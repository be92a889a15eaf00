//! One switch with the module loaded, a NATS server, and two far ends.

use super::FarEnd;
use super::phones::{Phones, Script};
use super::usage::Usage;
use crate::freeswitch::{Config, Engine, FreeSwitch, Installation, Trunk};
use crate::ports::free_port;
use crate::process::{Process, Program};
use crate::prompts;
use crate::repository::Built;
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// The trunk whose callee answers at once.
pub const AT_ONCE: &str = "at-once";
/// The trunk whose callee rings 8 s first.
pub const RINGS_8_S: &str = "rings-8-s";
/// How long that callee rings.
pub const RING: Duration = Duration::from_secs(8);

/// The trunk whose callees answer at once, speak and listen.
pub const PHONES: &str = "phones";

/// Everything the benchmarks call with.
pub struct Site {
    /// The switch.
    pub switch: FreeSwitch,
    /// The bus, open to anybody on loopback.
    pub nats_url: String,
    /// What the phones of its trunk [`PHONES`] do and hear.
    pub phones: Option<Phones>,
    /// The folder of its prompts.
    pub prompts: PathBuf,
    _nats: Process,
    _far_ends: Vec<FarEnd>,
    _dir: TempDir,
}

impl Site {
    /// Starts it all, with callees that hear nothing and play nothing.
    pub async fn start(installation: &Installation, built: &Built) -> Result<Self> {
        Site::launch(installation, built, None).await
    }

    /// Starts it with phones, and a dialplan for the peer to play to them by.
    pub async fn with_phones(
        installation: &Installation,
        built: &Built,
        script: Script,
        dialplan: &str,
    ) -> Result<Self> {
        let phones = Phones::start(script)?;
        Site::launch(installation, built, Some((phones, dialplan))).await
    }

    async fn launch(
        installation: &Installation,
        built: &Built,
        phones: Option<(Phones, &str)>,
    ) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("ira-bench-").tempdir()?;
        let (nats, nats_url) = start_nats(dir.path()).await?;
        let trunk = |name: &str, far_end: &FarEnd| Trunk {
            name: name.into(),
            far_end: far_end.address,
        };
        let (mut trunks, mut far_ends) = (Vec::new(), Vec::new());
        for (name, ring, media_port) in [
            (AT_ONCE, Duration::ZERO, None),
            (RINGS_8_S, RING, None),
            (
                PHONES,
                Duration::ZERO,
                phones.as_ref().map(|(it, _)| it.port()),
            ),
        ] {
            let far_end = FarEnd::start(ring, media_port).await?;
            trunks.push(trunk(name, &far_end));
            far_ends.push(far_end);
        }
        let prompts = dir.path().join("prompts");
        std::fs::create_dir(&prompts)?;
        prompts::of_bench(&prompts)?;
        let engine = Engine::new(&built.module)
            .param("node-id", "bench")
            .param("nats-url", &nats_url)
            .prompts(&prompts)
            .of_bench();
        let config = Config {
            trunks,
            engine: Some(engine),
            rtp_ports: 8_000,
            log: "warning",
            ..Config::default()
        };
        let switch = FreeSwitch::start(installation, &config).await?;
        if let Some((_, dialplan)) = &phones {
            let xml = dialplan.replace("PROMPTS", &prompts.to_string_lossy());
            std::fs::write(switch.dir().join("conf/dialplan/bench.xml"), xml)?;
            switch.event_socket().await?.api_ok("reloadxml").await?;
        }
        Ok(Site {
            switch,
            nats_url,
            prompts,
            phones: phones.map(|(phones, _)| phones),
            _nats: nats,
            _far_ends: far_ends,
            _dir: dir,
        })
    }

    /// What the switch uses.
    pub fn usage(&self) -> Usage {
        Usage::of(self.switch.process().id())
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
