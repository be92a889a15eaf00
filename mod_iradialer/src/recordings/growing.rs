//! A file that grows.

use super::disk::{self, sha256};
use super::{Fate, Kept, PART, Side, WAV};
use crate::audio::RATE;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a WAV file's head.
pub const HEAD: u64 = 44;
/// The most silence of one side that is held in memory while the other one lags, samples: a minute.
const MOST_AHEAD: usize = 60 * RATE as usize;

/// What is in a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The person alone.
    Person,
    /// Both sides in one channel.
    Mixed,
    /// The person in the left channel, what the person hears in the right one.
    Stereo,
}

impl Shape {
    /// Channels of the file.
    pub fn channels(self) -> u16 {
        match self {
            Shape::Person | Shape::Mixed => 1,
            Shape::Stereo => 2,
        }
    }
}

/// A file that grows, and what waits for its other side.
pub struct Growing {
    name: String,
    shape: Shape,
    part: PathBuf,
    file: BufWriter<File>,
    sides: [VecDeque<i16>; 2],
    /// Samples of each channel in the file.
    written: u64,
    pub fate: Arc<Fate>,
}

impl Growing {
    /// Begins `NAME.part` in `dir`.
    pub fn begin(dir: &Path, name: String, shape: Shape, fate: Arc<Fate>) -> io::Result<Self> {
        let whole = dir.join(format!("{name}.{WAV}"));
        if whole.try_exists()? {
            return Err(io::Error::other(format!("{name}.{WAV} exists")));
        }
        let part = dir.join(format!("{name}.{PART}"));
        let file = File::create_new(&part)
            .map_err(|error| io::Error::other(format!("{name}.{PART}: {error}")))?;
        let mut file = BufWriter::new(file);
        file.write_all(&head(shape.channels(), 0))?;
        Ok(Growing {
            name,
            shape,
            part,
            file,
            sides: Default::default(),
            written: 0,
            fate,
        })
    }

    /// Adds to a side and returns how many bytes the file has grown by.
    pub fn add(
        &mut self,
        side: Side,
        silence: u64,
        samples: impl Iterator<Item = i16>,
    ) -> io::Result<u64> {
        if self.shape == Shape::Person {
            if side == Side::Switch {
                return Ok(0);
            }
            return self.write(std::iter::repeat_n(0, silence as usize).chain(samples));
        }
        let [person, switch] = &mut self.sides;
        let (own, other) = match side {
            Side::Person => (person, switch),
            Side::Switch => (switch, person),
        };
        own.extend(std::iter::repeat_n(0, silence as usize).chain(samples));
        // The other side says nothing at all, which nobody tells of but the clock.
        if own.len() > other.len() + MOST_AHEAD {
            let lacking = own.len() - other.len() - MOST_AHEAD / 2;
            other.extend(std::iter::repeat_n(0, lacking));
        }
        self.write_both()
    }

    /// Writes as far as both sides are known.
    fn write_both(&mut self) -> io::Result<u64> {
        let [person, switch] = &mut self.sides;
        let both = person.len().min(switch.len());
        let pairs: Vec<(i16, i16)> = person.drain(..both).zip(switch.drain(..both)).collect();
        match self.shape {
            Shape::Stereo => self.write(pairs.into_iter().flat_map(|(left, right)| [left, right])),
            _ => self.write(pairs.into_iter().map(|(a, b)| a.saturating_add(b))),
        }
    }

    fn write(&mut self, samples: impl Iterator<Item = i16>) -> io::Result<u64> {
        let mut count = 0;
        for sample in samples {
            self.file.write_all(&sample.to_le_bytes())?;
            count += 1;
        }
        self.written += count / u64::from(self.shape.channels());
        Ok(count * 2)
    }

    /// Ends it: what is there is on the disk under its own name.
    pub fn finish(mut self, dir: &Path) -> Result<Kept, String> {
        self.try_finish(dir).map_err(|error| {
            self.is_broken();
            error.to_string()
        })
    }

    fn try_finish(&mut self, dir: &Path) -> io::Result<Kept> {
        let [person, switch] = &mut self.sides;
        let longest = person.len().max(switch.len());
        person.resize(longest, 0);
        switch.resize(longest, 0);
        if longest > 0 {
            self.write_both()?;
        }
        self.file.seek(SeekFrom::Start(0)).and_then(|_| {
            self.file
                .write_all(&head(self.shape.channels(), self.written))
        })?;
        self.file.flush()?;
        let file = self.file.get_ref();
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        let sha256 = sha256(&self.part)?;
        let name = format!("{}.{WAV}", self.name);
        std::fs::rename(&self.part, dir.join(&name))?;
        File::open(dir)?.sync_all()?;
        Ok(Kept {
            name,
            ms: self.written * 1_000 / u64::from(RATE),
            bytes,
            sha256,
        })
    }

    /// Marks it as one that never came to its end; returns its name then, if there was something in it.
    pub fn is_broken(&mut self) -> Option<String> {
        // What can't be written any more is not in it.
        let _ = self.file.flush();
        disk::mark(&self.part).ok().flatten()
    }
}

/// The head of a WAV file of 16-bit samples, so many in each channel.
fn head(channels: u16, samples: u64) -> Vec<u8> {
    let align = channels * 2;
    let len = u32::try_from(samples * u64::from(align)).unwrap_or(u32::MAX - HEAD as u32);
    let mut head = b"RIFF".to_vec();
    head.extend((len + HEAD as u32 - 8).to_le_bytes());
    head.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    head.extend(channels.to_le_bytes());
    head.extend(RATE.to_le_bytes());
    head.extend((RATE * u32::from(align)).to_le_bytes());
    head.extend(align.to_le_bytes());
    head.extend(b"\x10\0data");
    head.extend(len.to_le_bytes());
    head
}
