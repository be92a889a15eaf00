//! The thread that has the disk.

use super::growing::{Growing, HEAD, Shape};
use super::{Fate, Kept, Limits, Log, Side, Standing, Then, disk};
use crate::audio::Law;
use crate::host::Level;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

/// How often the folder is looked through.
const LOOK: Duration = Duration::from_secs(60);
/// How often those are looked for whose end found no room in the queue.
const TICK: Duration = Duration::from_secs(1);
/// How much may be written until the disk is asked again whether there is room for more, bytes.
const UNASKED: u64 = 1 << 20;

/// What there is to do.
pub enum Job {
    /// A recording begins.
    Begin {
        /// Which.
        id: u64,
        /// Its name, without `.wav`.
        name: String,
        /// What is in it.
        shape: Shape,
        /// Where its failure is told.
        fate: Arc<Fate>,
    },
    /// It grows.
    Add {
        /// Which.
        id: u64,
        /// Who is heard.
        side: Side,
        /// Samples of silence before.
        silence: u64,
        /// How it is coded.
        law: Law,
        /// Bytes of G.711.
        packet: Box<[u8]>,
    },
    /// It is complete, or, with nobody to hear of it, broken.
    End {
        /// Which.
        id: u64,
        /// Who waits for it.
        then: Option<Then>,
    },
    /// The module is going: whoever recorded has gone before.
    Stop,
}

/// What it has to write with.
pub struct Writer {
    dir: PathBuf,
    limits: Limits,
    standing: Arc<Standing>,
    log: Log,
    growing: HashMap<u64, Growing>,
    /// Written since the disk was asked.
    unasked: u64,
}

impl Writer {
    /// Makes the folder, and marks what it finds there.
    pub fn new(dir: &Path, limits: Limits, standing: Arc<Standing>, log: Log) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        for name in disk::mark_broken(dir)? {
            log(
                Level::Warning,
                &format!("recording {name} was not ended: the switch died while it grew"),
            );
        }
        let writer = Writer {
            dir: dir.to_owned(),
            limits,
            standing,
            log,
            growing: HashMap::new(),
            unasked: 0,
        };
        writer.look_through()?;
        Ok(writer)
    }

    /// Does what comes until it is stopped.
    pub fn run(mut self, jobs: &Receiver<Job>) {
        let (mut look_at, mut tick_at) = (Instant::now() + LOOK, Instant::now() + TICK);
        loop {
            match jobs.recv_deadline(tick_at) {
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(job) => self.work(job),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            if now >= tick_at {
                tick_at = now + TICK;
                self.drop_abandoned();
            }
            if now >= look_at {
                look_at = now + LOOK;
                if let Err(error) = self.look_through() {
                    self.complain(&format!("the folder can't be looked through: {error}"));
                }
            }
        }
        let left: Vec<u64> = self.growing.keys().copied().collect();
        left.into_iter().for_each(|id| self.is_broken(id));
    }

    fn work(&mut self, job: Job) {
        match job {
            Job::Begin {
                id,
                name,
                shape,
                fate,
            } => {
                let begun = self
                    .has_room()
                    .and_then(|()| Growing::begin(&self.dir, name, shape, Arc::clone(&fate)));
                match begun {
                    Ok(one) => {
                        self.grown(HEAD);
                        self.growing.insert(id, one);
                    }
                    Err(error) => self.failed(&fate, &error.to_string()),
                }
            }
            Job::Add {
                id,
                side,
                silence,
                law,
                packet,
            } => {
                let Some(one) = self.growing.get_mut(&id) else {
                    return;
                };
                let samples = packet.iter().map(|byte| law.sample(*byte));
                let added = one.add(side, silence, samples);
                let fate = Arc::clone(&one.fate);
                let done = added.and_then(|bytes| {
                    self.grown(bytes);
                    self.asked_again()
                });
                if let Err(error) = done {
                    self.failed(&fate, &error.to_string());
                    self.is_broken(id);
                }
            }
            Job::End { id, then: None } => self.is_broken(id),
            Job::End {
                id,
                then: Some(then),
            } => then(self.finish(id)),
            Job::Stop => {}
        }
        self.stand();
    }

    fn finish(&mut self, id: u64) -> Result<Kept, String> {
        let Some(one) = self.growing.remove(&id) else {
            // Its failure has been told of by then.
            return Err("it failed before its end".to_owned());
        };
        let late = one.fate.failed.get().cloned();
        let fate = Arc::clone(&one.fate);
        let finished = match late {
            None => one.finish(&self.dir),
            Some(why) => {
                self.growing.insert(id, one);
                self.is_broken(id);
                Err(why)
            }
        };
        finished.inspect_err(|why| self.failed(&fate, why))
    }

    fn failed(&self, fate: &Fate, why: &str) {
        self.standing.failed.fetch_add(1, Ordering::Relaxed);
        self.complain(why);
        let _ = fate.failed.set(why.to_owned());
    }

    fn is_broken(&mut self, id: u64) {
        if let Some(name) = self.growing.remove(&id).and_then(|mut one| one.is_broken()) {
            self.complain(&format!("{name} has not come to its end"));
        }
        self.stand();
    }

    fn complain(&self, what: &str) {
        (self.log)(Level::Error, &format!("recordings: {what}"));
    }

    fn stand(&self) {
        let growing = self.growing.len() as u64;
        self.standing.growing.store(growing, Ordering::Relaxed);
    }

    fn grown(&mut self, bytes: u64) {
        self.unasked += bytes;
        self.standing.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn asked_again(&mut self) -> io::Result<()> {
        match self.unasked {
            0..UNASKED => Ok(()),
            _ => self.has_room(),
        }
    }

    /// Whether there is room for more.
    fn has_room(&mut self) -> io::Result<()> {
        self.unasked = 0;
        let Limits {
            least_free,
            most_bytes,
            ..
        } = self.limits;
        let held = self.standing.bytes.load(Ordering::Relaxed);
        if most_bytes > 0 && held >= most_bytes {
            return Err(io::Error::other(format!(
                "expected less than {most_bytes} bytes of recordings (recordings-max-mib), got {held}"
            )));
        }
        match disk::free(&self.dir)? {
            free if free < least_free => Err(io::Error::other(format!(
                "expected {least_free} bytes of room on the disk of the recordings (recordings-min-free-mib), got {free}"
            ))),
            _ => Ok(()),
        }
    }

    fn look_through(&self) -> io::Result<()> {
        let found = disk::look_through(&self.dir, &self.limits, SystemTime::now())?;
        self.standing.bytes.store(found.bytes, Ordering::Relaxed);
        if found.deleted > 0 {
            let line = format!("{} recordings were too old and are gone", found.deleted);
            (self.log)(Level::Info, &line);
        }
        Ok(())
    }

    fn drop_abandoned(&mut self) {
        let abandoned = |one: &Growing| one.fate.abandoned.load(Ordering::Relaxed);
        let ids = self.growing.iter().filter(|(_, one)| abandoned(one));
        let ids: Vec<u64> = ids.map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.is_broken(id));
    }
}
