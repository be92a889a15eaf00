//! The prompts of this switch, read and converted before a call needs them.

use crate::audio::decode::{DecodeError, MAX_BYTES, decode};
use crate::audio::{Audio, tone};
use iradialer_core::flow::{Sound as Wanted, Tone};
use iradialer_core::value::PromptPath;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a call plays, each with its audio. Silence needs none.
pub type Sounds = HashMap<Wanted, Arc<Audio>>;

/// Prompts that have been read, the most recently used of them, up to a size.
pub struct Prompts {
    most_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    sounds: HashMap<Key, Sound>,
    bytes: usize,
    /// Counts the uses, to tell which is the oldest.
    uses: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    File(PathBuf),
    Tone(Tone),
}

struct Sound {
    audio: Arc<Audio>,
    stamp: Option<Stamp>,
    used: u64,
}

/// What changes of a file when somebody writes another one in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    changed: (i64, i64),
}

/// Why a prompt can't be had.
#[derive(Debug, thiserror::Error)]
#[error("prompt {prompt}: {why}")]
pub struct PromptError {
    prompt: String,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("it is not on this switch")]
    Missing,
    #[error("it leads out of the prompts' folder")]
    Outside,
    #[error("it is not a file")]
    NotAFile,
    #[error("it can't be read: {0}")]
    Unreadable(io::Error),
    #[error("this switch does not play it yet")]
    NotYet,
    #[error(transparent)]
    Undecodable(#[from] DecodeError),
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Why::Missing,
            _ => Why::Unreadable(error),
        }
    }
}

impl Prompts {
    /// Keeps up to so many bytes of audio; what calls that are up are playing stays beyond that until they
    /// have ended.
    pub fn new(most_bytes: usize) -> Self {
        Prompts {
            most_bytes,
            kept: Mutex::default(),
        }
    }

    /// The audio of what is `wanted`, files from below `dir`. It reads and converts what it does not have, or
    /// what was changed: not for a session's thread.
    ///
    /// # Errors
    /// For the first that can't be had.
    pub fn warm(
        &self,
        dir: &Path,
        wanted: impl IntoIterator<Item = Wanted>,
    ) -> Result<Sounds, PromptError> {
        let mut sounds = Sounds::new();
        for sound in wanted {
            if sounds.contains_key(&sound) {
                continue;
            }
            let refused = |why| PromptError {
                prompt: sound.to_string(),
                why,
            };
            let audio = match &sound {
                Wanted::File(path) => self.file(dir, path).map_err(refused)?,
                Wanted::Tone(tone) => self.tone(tone),
                Wanted::Silence(_) => continue,
                Wanted::Url(_) | Wanted::Tts { .. } => return Err(refused(Why::NotYet)),
            };
            sounds.insert(sound, audio);
        }
        Ok(sounds)
    }

    /// How many sounds it has, and their bytes.
    pub fn held(&self) -> (usize, usize) {
        let kept = self.kept.lock();
        (kept.sounds.len(), kept.bytes)
    }

    fn file(&self, dir: &Path, prompt: &PromptPath) -> Result<Arc<Audio>, Why> {
        let path = dir.join(prompt.as_str());
        let stamp = Stamp::of(&path)?;
        let key = Key::File(path);
        if let Some(audio) = self.kept.lock().find(&key, Some(stamp)) {
            return Ok(audio);
        }
        let Key::File(path) = &key else {
            unreachable!("it was made just now")
        };
        let (file, stamp) = read(dir, path)?;
        let audio = Arc::new(decode(file)?);
        self.keep(key, Some(stamp), &audio);
        Ok(audio)
    }

    fn tone(&self, of: &Tone) -> Arc<Audio> {
        let key = Key::Tone(of.clone());
        if let Some(audio) = self.kept.lock().find(&key, None) {
            return audio;
        }
        let audio = Arc::new(tone(&of.hz, of.ms));
        self.keep(key, None, &audio);
        audio
    }

    fn keep(&self, key: Key, stamp: Option<Stamp>, audio: &Arc<Audio>) {
        let mut kept = self.kept.lock();
        kept.insert(key, stamp, Arc::clone(audio));
        while kept.bytes > self.most_bytes && kept.drop_oldest() {}
    }
}

impl Kept {
    fn find(&mut self, key: &Key, stamp: Option<Stamp>) -> Option<Arc<Audio>> {
        self.uses += 1;
        let sound = self
            .sounds
            .get_mut(key)
            .filter(|sound| sound.stamp == stamp)?;
        sound.used = self.uses;
        Some(Arc::clone(&sound.audio))
    }

    fn insert(&mut self, key: Key, stamp: Option<Stamp>, audio: Arc<Audio>) {
        self.bytes += audio.size();
        let used = self.uses;
        let before = self.sounds.insert(key, Sound { audio, stamp, used });
        self.bytes -= before.map_or(0, |sound| sound.audio.size());
    }

    /// False: there is none.
    fn drop_oldest(&mut self) -> bool {
        let oldest = self.sounds.iter().min_by_key(|(_, sound)| sound.used);
        let oldest = oldest.map(|(key, _)| key.clone());
        let dropped = oldest.and_then(|key| self.sounds.remove(&key));
        self.bytes -= dropped.as_ref().map_or(0, |sound| sound.audio.size());
        dropped.is_some()
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
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
fn read(dir: &Path, path: &Path) -> Result<(Vec<u8>, Stamp), Why> {
    let file = File::open(within(dir, path)?)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Why::NotAFile);
    }
    let mut bytes = Vec::new();
    // One more than is allowed, which is then refused by its size.
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes, Stamp::of_metadata(&metadata)))
}

#[cfg(test)]
mod tests;
