//! A count of INVITEs that no crash of the switch takes back: one line each, written before anything
//! comes of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The file. Each line is one `write` to a file opened with `O_APPEND`: whole also where several switches
/// share it, and with the kernel, out of reach of a SIGKILL, once [`InviteLog::note`] returns.
pub struct InviteLog {
    file: File,
    name: String,
}

impl InviteLog {
    /// Opens or makes the file; lines are signed with `name`.
    pub fn open(path: &Path, name: &str) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let name = name.to_owned();
        Ok(InviteLog { file, name })
    }

    /// Notes an INVITE sent now, by the wall's clock. A log that can't be written ends the host: whoever
    /// counts must not come to a wrong sum.
    pub fn note(&self, channel: &str, call: &str, number: &str, trunk: &str) {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let at_us = since_1970.as_micros();
        let line = format!(
            "{at_us}\t{channel}\t{call}\t{number}\t{trunk}\t{}\n",
            self.name
        );
        if let Err(error) = (&self.file).write_all(line.as_bytes()) {
            eprintln!("switch-sandbox: the INVITE log: {error}");
            std::process::exit(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_invite_is_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("invites");
        for name in ["a", "b"] {
            let log = InviteLog::open(&path, name).unwrap();
            log.note("channel", "call", "+15005550001", "trunk");
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split('\t').collect()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[1][1..],
            ["channel", "call", "+15005550001", "trunk", "b"]
        );
        assert!(lines[0][0].parse::<u64>().unwrap() > 1_600_000_000_000_000);
    }
}
