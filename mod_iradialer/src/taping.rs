//! What of a call is recorded: the call as a whole, which the host's tap brings, and what a step records itself.

use crate::audio::Law;
use crate::call::Call;
use crate::recordings::{Kept, Recording, Recordings, Shape, Side};
use iradialer_core::wire::{EventBody, RecordingEndedBy};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is recorded of one call.
#[derive(Default)]
pub struct Taping {
    tape: Mutex<Option<Tape>>,
    /// How many recordings it has begun, which their names are told apart by.
    begun: AtomicU32,
    /// How many have ended and are not on the disk yet.
    writing: Mutex<usize>,
    written: Condvar,
}

/// A recording of a whole call that grows.
struct Tape {
    id: u64,
    recording: Recording,
    name: String,
    shape: Shape,
    laws: Laws,
}

/// How each side of a call is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Laws {
    /// What comes from the person.
    pub person: Law,
    /// What goes there.
    pub switch: Law,
}

impl Call {
    /// A name for a recording that no other one has: of what, such as a node.
    pub fn recording_name(&self, of: &str) -> String {
        let count = self.taping.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let command = &self.command;
        format!("{}_{}_{of}_{count}", command.call_uuid, command.attempt)
    }

    /// Begins the recording of the whole call. Returns by which number [`Call::hear`] knows it, and the file's
    /// name to be.
    ///
    /// # Errors
    /// Where it is being recorded already, or can't be.
    pub fn begin_tape(
        &self,
        recordings: &Recordings,
        shape: Shape,
        laws: Laws,
        now_us: u64,
    ) -> Result<(u64, String), String> {
        let mut tape = self.taping.tape.lock();
        if tape.is_some() {
            return Err("the call is being recorded already".to_owned());
        }
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = self.recording_name("call");
        let recording = recordings.begin(name.clone(), shape, now_us)?;
        let name = name + ".wav";
        *tape = Some(Tape {
            id,
            recording,
            name: name.clone(),
            shape,
            laws,
        });
        Ok((id, name))
    }

    /// Adds a packet to the recording of the whole call. False when there is none of that number any more.
    pub fn hear(&self, id: u64, side: Side, packet: &[u8], now_us: u64) -> bool {
        let mut tape = self.taping.tape.lock();
        let Some(tape) = tape.as_mut().filter(|tape| tape.id == id) else {
            return false;
        };
        let law = match side {
            Side::Person => tape.laws.person,
            Side::Switch => tape.laws.switch,
        };
        tape.recording.add(side, law, packet, now_us);
        tape.recording.failed().is_none()
    }

    /// Ends the recording of the whole call. Returns the file's name, or `None` when there was none.
    pub fn end_tape(self: &Arc<Self>, ended_by: RecordingEndedBy) -> Option<String> {
        let tape = self.taping.tape.lock().take()?;
        self.keep(
            tape.recording,
            None,
            ended_by,
            tape.shape.channels(),
            &tape.name,
        );
        Some(tape.name)
    }

    /// Throws the recording of the whole call away: it could not be begun.
    pub fn drop_tape(&self) {
        *self.taping.tape.lock() = None;
    }

    /// Ends a recording: when it is on the disk the call reports it, or in its last event why there is none.
    pub fn keep(
        self: &Arc<Self>,
        recording: Recording,
        node: Option<String>,
        ended_by: RecordingEndedBy,
        channels: u16,
        name: &str,
    ) {
        *self.taping.writing.lock() += 1;
        let (call, name) = (Arc::clone(self), name.to_owned());
        recording.finish(Box::new(move |kept| {
            match kept {
                Ok(Kept {
                    name,
                    ms,
                    bytes,
                    sha256,
                }) => call.tell(EventBody::RecordingReady {
                    node,
                    name,
                    duration_ms: ms,
                    bytes,
                    sha256,
                    ended_by,
                    channels,
                }),
                Err(why) => call.fault(format!("recording {name}: {why}")),
            }
            *call.taping.writing.lock() -= 1;
            call.taping.written.notify_all();
        }));
    }

    /// At the end of the call: ends what is being recorded, and waits for the disk, so that the last event comes
    /// last. What takes the disk longer is named in it.
    pub fn end_recordings(self: &Arc<Self>, longest: Duration) {
        self.end_tape(RecordingEndedBy::Hangup);
        let until = Instant::now() + longest;
        let mut writing = self.taping.writing.lock();
        while *writing > 0 {
            if self
                .taping
                .written
                .wait_until(&mut writing, until)
                .timed_out()
            {
                let late = *writing;
                drop(writing);
                return self.fault(format!(
                    "{late} recordings are not on the disk after {longest:?}"
                ));
            }
        }
    }
}
