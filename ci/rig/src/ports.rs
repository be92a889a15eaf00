//! Free ports on loopback.

use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Mutex;

/// Below the kernel's ephemeral range, so that no outgoing connection takes one between our look and
/// the program's bind, and below the switch's RTP ports.
const RANGE: std::ops::Range<u16> = 10_000..16_000;

/// Ports this program has given out; none is given twice.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that is free for TCP and for UDP on 127.0.0.1. Picked at random, because other programs may
/// be looking for one at the same moment.
pub fn free_port() -> Result<u16> {
    free_block(1)
}

/// The first of `len` free ports in a row, on an even number, as RTP wants them.
pub fn free_block(len: u16) -> Result<u16> {
    let mut given = GIVEN
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    for _ in 0..2_000 {
        let first = rand::random_range(RANGE.start / 2..(RANGE.end - len) / 2) * 2;
        let mut block = first..first + len;
        if block
            .clone()
            .all(|port| !given.contains(&port) && is_free(port))
        {
            given.extend(block.by_ref());
            return Ok(first);
        }
    }
    bail!(
        "no {len} free ports in a row on 127.0.0.1 between {} and {}",
        RANGE.start,
        RANGE.end
    )
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
