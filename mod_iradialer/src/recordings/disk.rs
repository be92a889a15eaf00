//! The folder of recordings: what is in it, what is marked, what is too old.

use super::growing::HEAD;
use super::{BROKEN, Limits, PART, WAV};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::SystemTime;

/// What a look through the folder has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Bytes of all files that stay.
    pub bytes: u64,
    /// How many were too old and are gone.
    pub deleted: u64,
}

/// Looks through the folder, and deletes the recordings that are too old.
pub fn look_through(dir: &Path, limits: &Limits, now: SystemTime) -> io::Result<Found> {
    let mut found = Found::default();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        // One that somebody has taken away meanwhile.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if !metadata.is_file() {
            continue;
        }
        let age = metadata.modified().ok();
        let age = age.and_then(|changed| now.duration_since(changed).ok());
        let is_ours = entry.path().extension().is_some_and(|end| end == WAV);
        let is_old = limits
            .longest_kept
            .is_some_and(|longest| age.is_some_and(|age| age > longest));
        if is_ours && is_old && std::fs::remove_file(entry.path()).is_ok() {
            found.deleted += 1;
        } else {
            found.bytes += metadata.len();
        }
    }
    Ok(found)
}

/// Bytes that are free on the disk of `dir`.
pub fn free(dir: &Path) -> io::Result<u64> {
    let room = rustix::fs::statvfs(dir)?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}

/// Marks what an earlier life was writing when it died; returns the names they have now.
pub fn mark_broken(dir: &Path) -> io::Result<Vec<String>> {
    let mut marked = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == PART) {
            marked.extend(mark(&path)?);
        }
    }
    Ok(marked)
}

/// Makes a recording that never ended one that can be heard as far as it goes, and that says so by its name.
/// One in which nothing is, is removed.
pub fn mark(part: &Path) -> io::Result<Option<String>> {
    let mut file = OpenOptions::new().write(true).open(part)?;
    let len = file.metadata()?.len();
    if len <= HEAD {
        std::fs::remove_file(part)?;
        return Ok(None);
    }
    let data = u32::try_from(len - HEAD).unwrap_or(u32::MAX - HEAD as u32);
    file.seek(SeekFrom::Start(4))?;
    file.write_all(&(data + HEAD as u32 - 8).to_le_bytes())?;
    file.seek(SeekFrom::Start(HEAD - 4))?;
    file.write_all(&data.to_le_bytes())?;
    file.sync_all()?;
    let marked = part.with_extension(BROKEN);
    std::fs::rename(part, &marked)?;
    let name = marked.file_name().unwrap_or_default();
    Ok(Some(name.to_string_lossy().into_owned()))
}

/// The SHA-256 of a file, hexadecimal.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut hash, mut chunk) = (Sha256::new(), [0; 16 * 1024]);
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            len => hash.update(&chunk[..len]),
        }
    }
    let hash = hash.finalize();
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}
