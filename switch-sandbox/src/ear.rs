//! What far ends hear, kept in files: the packets of each call as they went out.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

/// What a silenced packet is.
const SILENCE: [u8; 160] = [0xFF; 160];

/// One far end's ear: a file of PCMU at 8 kHz, without a head.
pub struct Ear(File);

impl Ear {
    /// Opens or makes `DIR/CALL.ul`.
    pub fn open(dir: &std::path::Path, call: &str) -> io::Result<Self> {
        let path: PathBuf = dir.join(format!("{call}.ul"));
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Ear(file))
    }

    /// Hears a packet, or as much silence where it is deaf.
    pub fn hear(&mut self, packet: &[u8], is_deaf: bool) -> io::Result<()> {
        match is_deaf {
            true => self
                .0
                .write_all(&SILENCE[..packet.len().min(SILENCE.len())]),
            false => self.0.write_all(packet),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        for (byte, is_deaf) in [(1, false), (2, true), (3, false)] {
            let mut ear = Ear::open(dir.path(), "call").unwrap();
            ear.hear(&[byte; 2], is_deaf).unwrap();
        }
        let heard = std::fs::read(dir.path().join("call.ul")).unwrap();
        assert_eq!(heard, [1, 1, 0xFF, 0xFF, 3, 3]);
        assert!(Ear::open(&dir.path().join("none"), "call").is_err());
    }
}
