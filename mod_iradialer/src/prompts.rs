//! The prompts of this switch, got and converted before a call needs them.

mod file;
mod memory;

pub use file::is_there;

use crate::audio::decode::{DecodeError, decode};
use crate::audio::{Audio, tone};
use file::Stamp;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use iradialer_core::flow::{Sound as Wanted, Tone};
use memory::Memory;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Files read and sounds converted at once: the calls that are up need the processors more.
const AT_ONCE: usize = 2;

/// What a call plays, each with its audio. Silence needs none.
pub type Sounds = HashMap<Wanted, Arc<Audio>>;

/// Prompts that are ready to be played, the most recently used of them, up to a size, and those being made so.
pub struct Prompts {
    runtime: Handle,
    memory: Mutex<Memory>,
    under_way: Mutex<HashMap<Key, Work>>,
    converting: Arc<Semaphore>,
}

/// What a sound is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    File(PathBuf),
    Tone(Tone),
}

/// A sound on its way, which all who want it wait for.
type Work = Shared<BoxFuture<'static, Result<Arc<Audio>, Arc<Why>>>>;

/// Why a prompt can't be had.
#[derive(Debug, thiserror::Error)]
#[error("prompt {prompt}: {why}")]
pub struct PromptError {
    prompt: String,
    why: Arc<Why>,
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
    #[error("it could not be converted: {0}")]
    Broken(String),
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
    /// have ended. What is slow is done on `runtime`.
    pub fn new(most_bytes: usize, runtime: Handle) -> Arc<Self> {
        Arc::new(Prompts {
            runtime,
            memory: Mutex::new(Memory::new(most_bytes)),
            under_way: Mutex::default(),
            converting: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// The audio of what is `wanted`, files from below `dir`, where all of it is in memory; `None` where
    /// something has to be got, or was changed. Nothing is read: of a file only its stamp is looked at.
    pub fn at_hand(&self, dir: &Path, wanted: impl IntoIterator<Item = Wanted>) -> Option<Sounds> {
        let mut sounds = Sounds::new();
        for sound in wanted {
            if let Wanted::Silence(_) = sound {
                continue;
            }
            let (key, stamp) = match &sound {
                Wanted::File(path) => {
                    let path = dir.join(path.as_str());
                    let stamp = Stamp::of(&path).ok()?;
                    (Key::File(path), Some(stamp))
                }
                Wanted::Tone(tone) => (Key::Tone(tone.clone()), None),
                _ => return None,
            };
            let audio = self.memory.lock().find(&key, stamp)?;
            sounds.insert(sound, audio);
        }
        Some(sounds)
    }

    /// The audio of what is `wanted`, files from below `dir`; what is not in memory, or was changed, is got and
    /// converted, all of it at once. That goes on when nobody waits for it any more.
    ///
    /// # Errors
    /// For the first that can't be had.
    pub async fn get(
        self: &Arc<Self>,
        dir: &Path,
        wanted: impl IntoIterator<Item = Wanted>,
    ) -> Result<Sounds, PromptError> {
        let wanted = wanted
            .into_iter()
            .filter(|sound| !matches!(sound, Wanted::Silence(_)));
        let each = wanted.map(|sound| {
            let work = self.one(dir, &sound);
            async move {
                match work.await {
                    Ok(audio) => Ok((sound, audio)),
                    Err(why) => Err(PromptError {
                        prompt: sound.to_string(),
                        why,
                    }),
                }
            }
        });
        let sounds = futures::future::try_join_all(each).await?;
        Ok(sounds.into_iter().collect())
    }

    /// Converts nothing as long as what this gives is kept.
    #[cfg(test)]
    pub fn paused(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = self.converting.clone().acquire_many_owned(AT_ONCE as u32);
        all.now_or_never()
            .expect("nothing is converted")
            .expect("it is open")
    }

    /// How many sounds it has, and their bytes.
    pub fn held(&self) -> (usize, usize) {
        self.memory.lock().held()
    }

    fn one(self: &Arc<Self>, dir: &Path, sound: &Wanted) -> Work {
        let this = self.clone();
        match sound {
            Wanted::File(path) => {
                let (dir, path) = (dir.to_owned(), dir.join(path.as_str()));
                let key = Key::File(path.clone());
                self.work(key.clone(), move || this.file(&dir, &path, key))
            }
            Wanted::Tone(of) => {
                let (key, of) = (Key::Tone(of.clone()), of.clone());
                self.work(key.clone(), move || {
                    let known = this.memory.lock().find(&key, None);
                    Ok(known.unwrap_or_else(|| this.keep(key, None, tone(&of.hz, of.ms))))
                })
            }
            Wanted::Silence(_) | Wanted::Url(_) | Wanted::Tts { .. } => {
                futures::future::ready(Err(Arc::new(Why::NotYet)))
                    .boxed()
                    .shared()
            }
        }
    }

    /// Has a sound made on a thread for what is slow, or joins those who wait for it.
    fn work(
        self: &Arc<Self>,
        key: Key,
        make: impl FnOnce() -> Result<Arc<Audio>, Why> + Send + 'static,
    ) -> Work {
        let mut under_way = self.under_way.lock();
        if let Some(work) = under_way.get(&key) {
            return work.clone();
        }
        let (this, of) = (self.clone(), key.clone());
        let task = self.runtime.spawn(async move {
            let _place = this.converting.acquire().await;
            let made = tokio::task::spawn_blocking(make).await;
            this.under_way.lock().remove(&of);
            made.unwrap_or_else(|error| Err(Why::Broken(error.to_string())))
        });
        let work = async {
            let made = task.await;
            made.unwrap_or_else(|error| Err(Why::Broken(error.to_string())))
                .map_err(Arc::new)
        };
        let work = work.boxed().shared();
        under_way.insert(key, work.clone());
        work
    }

    fn file(&self, dir: &Path, path: &Path, key: Key) -> Result<Arc<Audio>, Why> {
        let stamp = Stamp::of(path)?;
        if let Some(audio) = self.memory.lock().find(&key, Some(stamp)) {
            return Ok(audio);
        }
        let (file, stamp) = file::read(dir, path)?;
        Ok(self.keep(key, Some(stamp), decode(file)?))
    }

    fn keep(&self, key: Key, stamp: Option<Stamp>, audio: Audio) -> Arc<Audio> {
        let audio = Arc::new(audio);
        self.memory.lock().insert(key, stamp, audio.clone());
        audio
    }
}

#[cfg(test)]
mod tests;
