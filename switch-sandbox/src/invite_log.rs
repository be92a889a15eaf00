//! A count of INVITEs that no crash of the switch takes back: one line each, written before anything
//! comes of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// How far back from the end of a journal's file the channel's UUID is looked for, bytes. What is about to
/// be dialled was written a moment ago.
const TAIL: i64 = 256 << 10;

/// The file. Each line is one `write` to a file opened with `O_APPEND`: whole also where several switches
/// share it, and with the kernel, out of reach of a SIGKILL, once [`InviteLog::note`] returns.
pub struct InviteLog {
    file: File,
    name: String,
    journal: Option<PathBuf>,
}

impl InviteLog {
    /// Opens or makes the file; lines are signed with `name`. Where the module's journal is given, each
    /// line says whether the channel's UUID stood in it.
    pub fn open(path: &Path, name: &str, journal: Option<PathBuf>) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let name = name.to_owned();
        Ok(InviteLog {
            file,
            name,
            journal,
        })
    }

    /// Notes an INVITE sent now, by the wall's clock. A log that can't be written ends the host: whoever
    /// counts must not come to a wrong sum.
    pub fn note(&self, channel: &str, call: &str, number: &str, trunk: &str) {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let at_us = since_1970.as_micros();
        let journalled = match &self.journal {
            None => "-",
            Some(journal) if is_in(journal, channel) => "journalled",
            Some(_) => "missing",
        };
        let line = format!(
            "{at_us}\t{channel}\t{call}\t{number}\t{trunk}\t{}\t{journalled}\n",
            self.name
        );
        if let Err(error) = (&self.file).write_all(line.as_bytes()) {
            eprintln!("switch-sandbox: the INVITE log: {error}");
            std::process::exit(1);
        }
    }
}

/// Whether `text` stands near the end of a file of `dir`. Looked at twice, since files are replaced.
fn is_in(dir: &Path, text: &str) -> bool {
    let look = || {
        let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
        files
            .filter_map(|file| tail(&file.path()).ok())
            .any(|tail| {
                let mut windows = tail.windows(text.len());
                windows.any(|window| window == text.as_bytes())
            })
    };
    look() || look()
}

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let len = i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX);
    file.seek(SeekFrom::End(-len.min(TAIL)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_invite_is_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("invites");
        let journal = dir.path().join("journal");
        std::fs::create_dir(&journal).unwrap();
        for (name, journal) in [("a", None), ("b", Some(&journal)), ("c", Some(&journal))] {
            let log = InviteLog::open(&path, name, journal.cloned()).unwrap();
            log.note("channel", "call", "+15005550001", "trunk");
            let record = format!("{}{}", "x".repeat(TAIL as usize / 2), "…channel…");
            std::fs::write(dir.path().join("journal/1.log"), record).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split('\t').collect()).collect();
        let ends: Vec<_> = lines.iter().map(|line| [line[5], line[6]]).collect();
        assert_eq!(ends, [["a", "-"], ["b", "journalled"], ["c", "journalled"]]);
        assert_eq!(lines[0][1..5], ["channel", "call", "+15005550001", "trunk"]);
        assert!(lines[0][0].parse::<u64>().unwrap() > 1_600_000_000_000_000);

        std::fs::write(dir.path().join("journal/1.log"), "nothing of it").unwrap();
        let log = InviteLog::open(&path, "d", Some(journal)).unwrap();
        log.note("channel", "call", "+15005550001", "trunk");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("\td\tmissing\n"), "{text}");
    }
}
