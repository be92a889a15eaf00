//! Recordings on this switch's disk: written away from the sessions' threads, whole or marked as not.
//!
//! A recording grows as `NAME.part` and gets its name, `NAME.wav`, when it is complete and on the disk. One that
//! did not come so far, as its switch died or the disk was full, is kept as `NAME.broken.wav`.

mod disk;
mod growing;
mod writer;

use crate::audio::{Law, RATE};
use crate::host::Level;
use crossbeam_channel::{Sender, TrySendError, bounded};
pub use growing::Shape;
use parking_lot::Mutex;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;
use writer::{Job, Writer};

/// How many packets may wait for the disk, of all recordings together: five seconds of both sides of 200 calls.
const WAITING: usize = 100_000;
/// The end of a recording that grows.
const PART: &str = "part";
/// The end of one that is complete.
const WAV: &str = "wav";
/// The end of one that never came to its end.
const BROKEN: &str = "broken.wav";
/// The longest name, without what it ends with.
const LONGEST_NAME: usize = 160;
/// How far a side may fall behind the clock before the gap is filled with silence, samples: what comes late in a
/// burst is not a gap.
const GAP: u64 = RATE as u64 / 10;

/// How much of the disk recordings may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// No recording begins or goes on where the disk has less room, bytes.
    pub least_free: u64,
    /// Nor where there are as many bytes of recordings; 0 for no such limit.
    pub most_bytes: u64,
    /// Those that were ended so long ago are deleted; `None` keeps them.
    pub longest_kept: Option<Duration>,
}

/// A recording that is complete and on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The file's name in the folder of recordings.
    pub name: String,
    /// How long it is, ms.
    pub ms: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// The SHA-256 of the file, hexadecimal.
    pub sha256: String,
}

/// What is told of a recording when it is on the disk or can't be, once; on the writer's thread or the one that
/// has ended it.
pub type Then = Box<dyn FnOnce(Result<Kept, String>) + Send>;

/// Writes a line to the host's log.
pub type Log = Box<dyn Fn(Level, &str) + Send>;

/// How it stands, for a person.
#[derive(Debug, Default)]
pub struct Standing {
    /// Bytes of the files in the folder.
    pub bytes: AtomicU64,
    /// Recordings that grow.
    pub growing: AtomicU64,
    /// Recordings of this life that failed.
    pub failed: AtomicU64,
}

/// Writes recordings until it is closed.
pub struct Recordings {
    dir: PathBuf,
    jobs: Sender<Job>,
    standing: Arc<Standing>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Which one is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The person.
    Person,
    /// What the person hears.
    Switch,
}

/// A recording that grows. One that is dropped without [`Recording::finish`] is kept as broken.
pub struct Recording {
    jobs: Sender<Job>,
    id: u64,
    begun_us: u64,
    samples: [u64; 2],
    fate: Arc<Fate>,
    ended: bool,
}

/// What both threads say of a recording.
#[derive(Debug, Default)]
struct Fate {
    /// Why there will be none.
    failed: OnceLock<String>,
    /// Nobody adds to it any more, and its end found no room in the queue.
    abandoned: AtomicBool,
}

impl Recordings {
    /// Begins to write to `dir`, which is made where there is none, and marks what an earlier life has not
    /// finished.
    ///
    /// # Errors
    /// Where the folder can't be made, looked through or written to, or there is no thread.
    pub fn open(dir: &Path, limits: Limits, log: Log) -> io::Result<Self> {
        let standing = Arc::new(Standing::default());
        let (jobs, to_do) = bounded(WAITING);
        let writer = Writer::new(dir, limits, Arc::clone(&standing), log)?;
        let thread = std::thread::Builder::new().name("iradialer-rec".to_owned());
        let writer = thread.spawn(move || writer.run(&to_do))?;
        Ok(Recordings {
            dir: dir.to_owned(),
            jobs,
            standing,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Where they are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How it stands.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Begins one, `NAME.wav`, at this time of the host's steady clock. What the disk says to it shows by
    /// [`Recording::failed`].
    ///
    /// # Errors
    /// A name that is none of up to 160 letters, digits, `_` and `-`, or a disk that does not keep up.
    pub fn begin(&self, name: String, shape: Shape, now_us: u64) -> Result<Recording, String> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(fits) {
            return Err(format!(
                "expected a name of 1 to {LONGEST_NAME} letters, digits, '_' and '-', got {name:?}"
            ));
        }
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let fate = Arc::new(Fate::default());
        let job = Job::Begin {
            id,
            name,
            shape,
            fate: Arc::clone(&fate),
        };
        self.jobs.try_send(job).map_err(|_| BEHIND.to_owned())?;
        Ok(Recording {
            jobs: self.jobs.clone(),
            id,
            begun_us: now_us,
            samples: [0; 2],
            fate,
            ended: false,
        })
    }

    /// Keeps what still grows as broken, and ends the writer.
    pub fn close(&self) {
        // A full queue is waited for: the writer works it off.
        let _ = self.jobs.send(Job::Stop);
        if let Some(writer) = self.writer.lock().take() {
            // Fails only if it has panicked, which the host's log has.
            let _ = writer.join();
        }
    }
}

impl Drop for Recordings {
    fn drop(&mut self) {
        if self.writer.get_mut().is_some() {
            self.close();
        }
    }
}

/// Why nothing more can be written.
const BEHIND: &str = "the disk of the recordings does not keep up";

impl Recording {
    /// Adds a packet of G.711 that was heard at this time of the steady clock; what is missing before it is
    /// silence. Never waits: where the disk does not keep up the recording fails.
    pub fn add(&mut self, side: Side, law: Law, packet: &[u8], now_us: u64) {
        if self.fate.failed.get().is_some() {
            return;
        }
        let due = now_us.saturating_sub(self.begun_us) * u64::from(RATE) / 1_000_000;
        let samples = &mut self.samples[side as usize];
        let missing = due.saturating_sub(*samples + packet.len() as u64);
        let silence = if missing > GAP { missing } else { 0 };
        *samples += silence + packet.len() as u64;
        let job = Job::Add {
            id: self.id,
            side,
            silence,
            law,
            packet: packet.into(),
        };
        self.send(job);
    }

    /// How long it is, ms.
    pub fn ms(&self) -> u64 {
        let [person, switch] = self.samples;
        person.max(switch) * 1_000 / u64::from(RATE)
    }

    /// Why there will be none, once that is known.
    pub fn failed(&self) -> Option<&str> {
        self.fate.failed.get().map(String::as_str)
    }

    /// Ends it. `then` hears when it is on the disk, or can't be.
    pub fn finish(mut self, then: Then) {
        self.ended = true;
        let fate = Arc::clone(&self.fate);
        let why = move |error| fate.failed.get().cloned().unwrap_or(error);
        let end = Job::End {
            id: self.id,
            then: Some(Box::new(move |kept| then(kept.map_err(why)))),
        };
        let Err(error) = self.jobs.try_send(end) else {
            return;
        };
        self.fate.abandoned.store(true, Ordering::Relaxed);
        if let TrySendError::Full(Job::End { then, .. })
        | TrySendError::Disconnected(Job::End { then, .. }) = error
        {
            then.into_iter()
                .for_each(|then| then(Err(BEHIND.to_owned())));
        }
    }

    fn send(&self, job: Job) {
        if self.jobs.try_send(job).is_err() {
            let _ = self.fate.failed.set(BEHIND.to_owned());
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let end = Job::End {
            id: self.id,
            then: None,
        };
        if !self.ended && self.jobs.try_send(end).is_err() {
            self.fate.abandoned.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
