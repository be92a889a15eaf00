//! Free ports on loopback.

use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::Mutex;

/// Below the kernel's ephemeral range, so that no outgoing connection takes one between our look and
/// the program's bind, and below the switch's RTP ports.
const RANGE: Range<u16> = 4_000..16_000;
/// How many of them are one program's. What it starts again must find its port still free, whatever other
/// test programs take meanwhile.
const SHARE: u16 = 1_000;

static OURS: Mutex<Option<Share>> = Mutex::new(None);

/// The ports of this program.
struct Share {
    ports: Range<u16>,
    /// Given out; none is given twice.
    given: BTreeSet<u16>,
    /// Locked as long as this program lives.
    _lock: File,
}

impl Share {
    fn take() -> Result<Self> {
        let dir = std::env::temp_dir().join("iradialer-ports");
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        for start in RANGE.step_by(usize::from(SHARE)) {
            let path = dir.join(start.to_string());
            // One that can't be opened is another user's.
            if let Ok(lock) = File::create(&path)
                && lock.try_lock().is_ok()
            {
                return Ok(Share {
                    ports: start..start + SHARE,
                    given: BTreeSet::new(),
                    _lock: lock,
                });
            }
        }
        bail!(
            "{} programs have taken the ports of {RANGE:?}: see {}",
            RANGE.len() / usize::from(SHARE),
            dir.display()
        )
    }
}

/// A port that is free for TCP and for UDP on 127.0.0.1, and that no other program like this one takes.
pub fn free_port() -> Result<u16> {
    free_block(1)
}

/// The first of `len` free ports in a row, on an even number, as RTP wants them.
pub fn free_block(len: u16) -> Result<u16> {
    let mut ours = OURS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let Share { ports, given, .. } = match &mut *ours {
        Some(share) => share,
        none => none.insert(Share::take()?),
    };
    // Not the first one each time: the program before this one may have left connections there.
    let some = rand::random_range(ports.start / 2..ports.end / 2) * 2;
    for first in (some..ports.end).chain(ports.start..some).step_by(2) {
        let mut block = first..first + len;
        let fits = block.end <= ports.end;
        if fits && (block.clone()).all(|port| !given.contains(&port) && is_free(port)) {
            given.extend(block.by_ref());
            return Ok(first);
        }
    }
    bail!("no {len} free ports in a row on 127.0.0.1 in {ports:?}")
}

fn is_free(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: BTreeSet<u16> = (0..100).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 100);
    }
}
