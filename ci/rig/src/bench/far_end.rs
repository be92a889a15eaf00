//! sipp without its logs, which would cost more than the calls.

use crate::ports::{free_block, free_port};
use crate::process::{Process, Program};
use crate::repository;
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use tempfile::TempDir;

/// A callee that rings for a while and answers.
pub struct FarEnd {
    _process: Process,
    _dir: TempDir,
    /// Where it listens.
    pub address: SocketAddr,
}

impl FarEnd {
    /// Starts one that rings so long, and has its media sent to this port if one is given.
    pub async fn start(ring: Duration, media_port: Option<u16>) -> Result<Self> {
        let shipped = repository::root()?.join("ci/sipp/bench.xml");
        let text = std::fs::read_to_string(&shipped)
            .with_context(|| format!("reading {}", shipped.display()))?;
        let mut text = text.replace("[ring_ms]", &ring.as_millis().to_string());
        if let Some(port) = media_port {
            text = text.replace("[media_port]", &port.to_string());
        }
        let dir = tempfile::Builder::new().prefix("ira-bench-").tempdir()?;
        std::fs::write(dir.path().join("scenario.xml"), text)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut process = Program::new("sipp", "sipp")
            .args([
                "-sf",
                "scenario.xml",
                "-nostdin",
                "-i",
                "127.0.0.1",
                "-mi",
                "127.0.0.1",
            ])
            .args([
                "-p",
                &address.port().to_string(),
                "-mp",
                &free_block(4)?.to_string(),
            ])
            .start(dir.path())?;
        let bound = || UdpSocket::bind(address).is_err().then_some(());
        process
            .until("listening", Duration::from_secs(20), bound)
            .await
            .context("sipp is in the Debian package sip-tester")?;
        Ok(FarEnd {
            _process: process,
            _dir: dir,
            address,
        })
    }
}
