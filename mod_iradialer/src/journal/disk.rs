//! The little of a file system that the journal needs, so that tests can make it fail.

use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Held while a module has the directory. It sorts before the segments.
const LOCK: &str = "lock";

/// A directory.
pub trait Disk: Send {
    /// The names in it.
    fn names(&self) -> io::Result<Vec<String>>;
    /// A file's content.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// A fresh, empty file; one that has this name is emptied.
    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>>;
    /// Gives a file another name, and has both names on the disk when it returns.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A file that is only ever added to.
pub trait LogFile: Send {
    /// Adds some of `bytes`, and says how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Returns when all that was written is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// A directory of the host, locked for this module alone.
pub struct HostDir {
    path: PathBuf,
    _lock: File,
}

impl HostDir {
    /// Makes the directory where there is none, and locks it.
    pub fn lock(path: &Path) -> io::Result<HostDir> {
        std::fs::create_dir_all(path)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            rustix::io::Errno::WOULDBLOCK => {
                io::Error::other("another module has this journal open")
            }
            error => error.into(),
        })?;
        Ok(HostDir {
            path: path.to_owned(),
            _lock: lock,
        })
    }
}

impl Disk for HostDir {
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.path)?;
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.path.join(name))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(File::create(self.path.join(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))?;
        File::open(&self.path)?.sync_all()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }
}

impl LogFile for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
