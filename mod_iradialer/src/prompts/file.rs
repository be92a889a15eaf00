//! Files from below the prompts' folder, and never from beyond it.

use super::Why;
use crate::audio::decode::MAX_BYTES;
use iradialer_core::value::PromptPath;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What changes of a file when somebody writes another one in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of the file at `path`, as it is now.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::of_metadata(&std::fs::metadata(path)?))
    }

    fn of_metadata(metadata: &std::fs::Metadata) -> Self {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Whether there is such a file, and no link leads out of `dir` to it.
pub fn is_there(dir: &Path, prompt: &PromptPath) -> bool {
    within(dir, &dir.join(prompt.as_str())).is_ok_and(|real| real.is_file())
}

/// Where a path from below `dir` leads, which has to be below it too.
fn within(dir: &Path, path: &Path) -> Result<PathBuf, Why> {
    let real = path.canonicalize()?;
    match real.starts_with(dir.canonicalize()?) {
        true => Ok(real),
        false => Err(Why::Outside),
    }
}

/// A file from below `dir` with the stamp of what was read.
pub fn read(dir: &Path, path: &Path) -> Result<(Vec<u8>, Stamp), Why> {
    // A pipe that nobody writes to would hold its thread for ever.
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(within(dir, path)?)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Why::NotAFile);
    }
    let mut bytes = Vec::new();
    // One more than is allowed, which is then refused by its size.
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes, Stamp::of_metadata(&metadata)))
}
