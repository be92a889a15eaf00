//! sipp as the far end of a trunk: one scenario on one port.

mod keys;

use crate::ports::{free_block, free_port};
use crate::process::{Process, Program};
use crate::repository;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The scenario whose audio comes back.
const ECHOES: &str = "answer_echo";

/// A running sipp. Dropping it ends it.
pub struct Sipp {
    process: Process,
    dir: TempDir,
    ports: Ports,
}

/// Where a sipp listens.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    port: u16,
    /// The first of four.
    media: u16,
}

impl Ports {
    /// Free ones.
    pub fn free() -> Result<Self> {
        Ok(Ports {
            port: free_port()?,
            media: free_block(4)?,
        })
    }

    /// The address of its SIP.
    pub fn address(self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }
}

/// A SIP message sipp got.
#[derive(Debug, Clone)]
pub struct Received {
    time: String,
    text: String,
}

impl Sipp {
    /// Starts the scenario `ci/sipp/NAME.xml` with values for its `[key]`s. They are put in here, because
    /// sipp takes its own `-key` not in a status line. A value whose name is that of a capture the scenario
    /// plays, as `keys` of `keys.pcap`, becomes that capture.
    pub async fn start(scenario: &str, values: &[(&str, &str)]) -> Result<Self> {
        Self::start_on(Ports::free()?, scenario, values).await
    }

    /// The same on ports that an earlier one had.
    pub async fn start_on(ports: Ports, scenario: &str, values: &[(&str, &str)]) -> Result<Self> {
        let mut sipp = Self::launch(ports, scenario, values, None)?;
        let address = sipp.address();
        // UDP has no listener to connect to: sipp has the port when we can't have it.
        let bound = || UdpSocket::bind(address).is_err().then_some(());
        sipp.process
            .until("listening", Duration::from_secs(20), bound)
            .await
            .context("sipp is in the Debian package sip-tester")?;
        Ok(sipp)
    }

    /// Calls `switch` once, as the scenario does, and waits for its end. An error where anything else came
    /// than the scenario expects.
    pub async fn call(
        switch: SocketAddr,
        scenario: &str,
        values: &[(&str, &str)],
        within: Duration,
    ) -> Result<()> {
        let mut sipp = Self::launch(Ports::free()?, scenario, values, Some(switch))?;
        let until = Instant::now() + within;
        let status = loop {
            if let Some(status) = sipp.process.ended() {
                break status;
            }
            ensure!(
                Instant::now() < until,
                "{scenario}: no end after {within:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        ensure!(
            status.success(),
            "{scenario}: {status}\n{}{}",
            sipp.errors(),
            std::fs::read_to_string(sipp.messages_log()).unwrap_or_default()
        );
        Ok(())
    }

    fn launch(
        ports: Ports,
        scenario: &str,
        values: &[(&str, &str)],
        calls: Option<SocketAddr>,
    ) -> Result<Self> {
        let Ports { port, media } = ports;
        let shipped = repository::root()?.join(format!("ci/sipp/{scenario}.xml"));
        let mut text = std::fs::read_to_string(&shipped)
            .with_context(|| format!("reading the sipp scenario {}", shipped.display()))?;
        let dir = tempfile::Builder::new().prefix("ira-sipp-").tempdir()?;
        for (name, value) in values {
            let capture = format!("{name}.pcap");
            if text.contains(&format!("\"{capture}\"")) {
                std::fs::write(dir.path().join(capture), keys::capture(value))?;
                continue;
            }
            let key = format!("[{name}]");
            ensure!(text.contains(&key), "{scenario}.xml has no {key}");
            text = text.replace(&key, value);
        }
        let file = dir.path().join("scenario.xml");
        std::fs::write(&file, text)?;
        let program = Program::new("sipp", "sipp")
            .args(["-sf", "scenario.xml"])
            .args(["-i", "127.0.0.1", "-p", &port.to_string()])
            .args(["-mi", "127.0.0.1", "-mp", &media.to_string()])
            .args(["-trace_msg", "-message_file", "messages.log"])
            .args(["-trace_err", "-error_file", "errors.log"])
            .args(["-nostdin"])
            .env("TZ", "UTC");
        let program = match scenario {
            ECHOES => program.args(["-rtp_echo"]),
            _ => program,
        };
        let program = match calls {
            Some(switch) => program.args(["-m", "1", &switch.to_string()]),
            None => program,
        };
        let mut process = program.start(dir.path())?;
        process.also_show(dir.path().join("errors.log"));
        Ok(Sipp {
            process,
            dir,
            ports,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.ports.address()
    }

    /// Where the switch sends it audio.
    pub fn media_port(&self) -> u16 {
        self.ports.media
    }

    /// Every message it got, in order.
    pub fn received(&self) -> Result<Vec<Received>> {
        let log = self.messages_log();
        let bytes = match std::fs::read(&log) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("reading {}", log.display())),
        };
        Ok(received_in(&String::from_utf8_lossy(&bytes)))
    }

    /// How many calls were tried: distinct Call-IDs of the INVITEs it got.
    pub fn calls(&self) -> Result<usize> {
        let received = self.received()?;
        let invites = received
            .iter()
            .filter(|message| message.method() == "INVITE");
        Ok(invites
            .map(|invite| invite.header("Call-ID"))
            .collect::<BTreeSet<_>>()
            .len())
    }

    /// What it did not expect, as it wrote it down.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("errors.log")).unwrap_or_default()
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    fn messages_log(&self) -> PathBuf {
        self.dir.path().join("messages.log")
    }
}

impl Received {
    /// When it came, UTC, as `2026-11-21 06:59:33.924857`.
    pub fn time(&self) -> &str {
        &self.time
    }

    /// The request's method, or `SIP/2.0` for a response.
    pub fn method(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// The request's URI.
    pub fn uri(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    /// The header of that name, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let value = self
            .text
            .lines()
            .take_while(|line| !line.is_empty())
            .find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found
                    .trim()
                    .eq_ignore_ascii_case(name)
                    .then_some(value.trim())
            });
        value.unwrap_or_default()
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The messages of a `-trace_msg` log that came in. Each entry is a line of dashes and a time, a line
/// that says which way it went, an empty line, and the message.
fn received_in(log: &str) -> Vec<Received> {
    let log = log.replace("\r\n", "\n");
    let begin = "-----------------------------------------------";
    let log = log.strip_prefix(begin).unwrap_or(&log);
    log.split(&format!("\n{begin}"))
        .filter_map(|entry| {
            let (head, text) = entry.split_once("\n\n")?;
            head.contains("message received").then(|| Received {
                time: head.lines().next().unwrap_or_default().trim().to_owned(),
                text: text.trim_start().to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\n----------------------------------------------- 2026-11-21 01:00:00.1\n\
        UDP message received [10] bytes :\n\nINVITE sip:+1@127.0.0.1 SIP/2.0\r\nCall-ID: a\r\n\
        X-Order: 7\r\n\r\nv=0\r\n\n----------------------------------------------- 2026-11-21 01:00:00.2\n\
        UDP message sent (9 bytes):\n\nSIP/2.0 200 OK\r\nCall-ID: a\r\n\r\n";

    #[test]
    fn the_messages_that_came_in_are_read() {
        let messages = received_in(LOG);
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].time(), "2026-11-21 01:00:00.1");
        assert_eq!(messages[0].method(), "INVITE");
        assert_eq!(messages[0].uri(), "sip:+1@127.0.0.1");
        assert_eq!(messages[0].header("x-order"), "7");
        assert_eq!(messages[0].header("v"), "");
    }
}
