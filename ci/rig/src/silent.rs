//! A far end that takes every packet and says nothing: the carrier is there, nobody answers.

use anyhow::Result;
use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long its thread may go on after the far end is dropped.
const LINGER: Duration = Duration::from_millis(100);

/// The far end. Dropping it closes its port.
pub struct SilentFarEnd {
    address: SocketAddr,
    calls: Arc<Mutex<BTreeSet<String>>>,
    closed: Arc<AtomicBool>,
}

impl SilentFarEnd {
    /// Opens a UDP port of loopback.
    pub fn start() -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(LINGER))?;
        let far_end = SilentFarEnd {
            address: socket.local_addr()?,
            calls: Arc::default(),
            closed: Arc::default(),
        };
        let (calls, closed) = (far_end.calls.clone(), far_end.closed.clone());
        std::thread::spawn(move || {
            let mut packet = [0; 65_536];
            while !closed.load(Ordering::Relaxed) {
                let Ok(length) = socket.recv(&mut packet) else {
                    continue;
                };
                if let Some(call) = invited(&String::from_utf8_lossy(&packet[..length])) {
                    let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
                    calls.insert(call);
                }
            }
        });
        Ok(far_end)
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The Call-IDs of the INVITEs that came, each once however often it was sent.
    pub fn calls(&self) -> BTreeSet<String> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.clone()
    }
}

impl Drop for SilentFarEnd {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

/// The Call-ID of an INVITE.
fn invited(message: &str) -> Option<String> {
    let mut lines = message.strip_prefix("INVITE ")?.lines();
    lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_id = name.eq_ignore_ascii_case("call-id") || name == "i";
        is_id.then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invite_counts_once_and_nothing_else_does() -> Result<()> {
        let far_end = SilentFarEnd::start()?;
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let invite = "INVITE sip:1@h SIP/2.0\r\nVia: x\r\nCall-ID: one\r\n\r\n";
        for message in [
            invite,
            invite,
            "CANCEL sip:1@h SIP/2.0\r\nCall-ID: one\r\n\r\n",
            "OPTIONS sip:1@h SIP/2.0\r\nCall-ID: two\r\n\r\n",
            "INVITE sip:1@h SIP/2.0\r\ni: three\r\n\r\n",
        ] {
            socket.send_to(message.as_bytes(), far_end.address())?;
        }
        // Packets of loopback come in their order.
        while !far_end.calls().contains("three") {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(far_end.calls().len(), 2);
        Ok(())
    }
}
