//! The prompts of this switch, got and converted before a call needs them: files of its own, audio from addresses,
//! texts that are spoken, tones.

mod cache;
mod fetch;
mod file;
mod memory;
mod speech;

pub use cache::Cache;
pub use file::is_there;

use crate::audio::decode::{DecodeError, decode};
use crate::audio::{Audio, tone};
use crate::config::TtsConfig;
use crate::http::Http;
use cache::{Entry, Hash};
use file::Stamp;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use iradialer_core::flow::{Sound as Wanted, Tone};
use memory::Memory;
use parking_lot::Mutex;
use speech::Speaker;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Files read and sounds converted at once: the calls that are up need the processors more.
const AT_ONCE: usize = 2;
/// Likewise, texts spoken.
const SPOKEN_AT_ONCE: usize = 2;
/// The most sounds that are being made ready at once.
const MOST_UNDER_WAY: usize = 10_000;
/// What could not be fetched or spoken is not tried again for so long, and said to be so at once.
const FAILED_FOR: Duration = Duration::from_secs(5);
/// The most of those that are remembered.
const MOST_FAILED: usize = 1_000;

/// What a call plays, each with its audio. Silence needs none.
pub type Sounds = HashMap<Wanted, Arc<Audio>>;

/// Speaks by an engine and a voice a text: samples at 8 kHz, or why there are none.
pub type Speak = Box<dyn Fn(&str, &str, &str) -> Result<Vec<i16>, String> + Send + Sync>;

/// What the prompts need of the switch.
pub struct Env {
    /// The wall clock, ms since the Unix epoch.
    pub now_ms: Box<dyn Fn() -> u64 + Send + Sync>,
    /// A text to samples at 8 kHz, by an engine and voice of the switch; it takes its time.
    pub speak: Speak,
    /// Takes a line for the operator.
    pub log: Box<dyn Fn(&str) + Send + Sync>,
}

/// Prompts that are ready to be played, the most recently used of them, up to a size, and those being made so.
pub struct Prompts {
    runtime: Handle,
    env: Env,
    http: Arc<Http>,
    tts: TtsConfig,
    memory: Mutex<Memory>,
    cache: Cache,
    under_way: Mutex<HashMap<Key, Work>>,
    failed: Mutex<HashMap<Key, (Instant, Arc<Why>)>>,
    converting: Arc<Semaphore>,
    speaking: Semaphore,
}

/// What a sound is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    File(PathBuf),
    Tone(Tone),
    /// An address or a text with its speaker, as the cache knows it.
    Source(String),
    /// What one of these gave.
    Content(Hash),
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

impl PromptError {
    /// Whether it is nothing that is wrong with the prompt.
    pub fn is_for_now(&self) -> bool {
        matches!(*self.why, Why::TooMuch)
    }
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
    #[error("it can't be fetched: {0}")]
    Unfetched(String),
    #[error("it can't be spoken: {0}")]
    Unspoken(String),
    #[error("{MOST_UNDER_WAY} others are being made ready")]
    TooMuch,
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

fn url_key(url: &str) -> String {
    format!("url:{url}")
}

impl Prompts {
    /// Keeps up to so many bytes of audio; what calls that are up are playing stays beyond that until they
    /// have ended. What is slow is done on `runtime`.
    pub fn new(
        most_bytes: usize,
        cache: Cache,
        tts: TtsConfig,
        http: Arc<Http>,
        env: Env,
        runtime: Handle,
    ) -> Arc<Self> {
        Arc::new(Prompts {
            runtime,
            env,
            http,
            tts,
            memory: Mutex::new(Memory::new(most_bytes)),
            cache,
            under_way: Mutex::default(),
            failed: Mutex::default(),
            converting: Arc::new(Semaphore::new(AT_ONCE)),
            speaking: Semaphore::new(SPOKEN_AT_ONCE),
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
            let audio = self.one_at_hand(dir, &sound)?;
            sounds.insert(sound, audio);
        }
        Some(sounds)
    }

    fn one_at_hand(&self, dir: &Path, sound: &Wanted) -> Option<Arc<Audio>> {
        let (key, stamp) = match sound {
            Wanted::Silence(_) => return None,
            Wanted::File(path) => {
                let path = dir.join(path.as_str());
                let stamp = Stamp::of(&path).ok()?;
                (Key::File(path), Some(stamp))
            }
            Wanted::Tone(tone) => (Key::Tone(tone.clone()), None),
            Wanted::Url(url) => {
                let entry = self.cache.find(&url_key(url))?;
                let is_fresh = entry.is_fresh((self.env.now_ms)());
                is_fresh.then_some((Key::Content(entry.hash), None))?
            }
            Wanted::Tts {
                text,
                voice,
                engine,
            } => {
                let speaker = Speaker::of(&self.tts, engine.as_deref(), voice.as_deref()).ok()?;
                let entry = self.cache.find(&speaker.key(text))?;
                (Key::Content(entry.hash), None)
            }
        };
        self.memory.lock().find(&key, stamp)
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

    /// How many sounds are in memory, and their bytes.
    pub fn held(&self) -> (usize, usize) {
        self.memory.lock().held()
    }

    /// How many fetched and spoken ones are on the disk, and their bytes.
    pub fn on_disk(&self) -> (usize, u64) {
        self.cache.held()
    }

    fn one(self: &Arc<Self>, dir: &Path, sound: &Wanted) -> Work {
        let this = self.clone();
        match sound {
            Wanted::File(path) => {
                let (dir, path) = (dir.to_owned(), dir.join(path.as_str()));
                let key = Key::File(path.clone());
                let file = move |this: &Prompts| this.file(&dir, &path);
                self.work(key, async move { this.slow(file).await })
            }
            Wanted::Tone(of) => {
                let (key, of) = (Key::Tone(of.clone()), of.clone());
                let tone = move |this: &Prompts| Ok(this.tone(of));
                self.work(key, async move { this.slow(tone).await })
            }
            Wanted::Url(url) => self.work(Key::Source(url_key(url)), this.fetched(url.clone())),
            Wanted::Tts {
                text,
                voice,
                engine,
            } => match Speaker::of(&self.tts, engine.as_deref(), voice.as_deref()) {
                Ok(speaker) => {
                    let key = Key::Source(speaker.key(text));
                    self.work(key, this.spoken(speaker, text.clone()))
                }
                Err(why) => failed(why),
            },
            Wanted::Silence(_) => failed(Why::Broken("silence is not made of audio".to_owned())),
        }
    }

    /// Has a sound made, or joins those who wait for it.
    fn work(
        self: &Arc<Self>,
        key: Key,
        make: impl Future<Output = Result<Arc<Audio>, Why>> + Send + 'static,
    ) -> Work {
        let mut under_way = self.under_way.lock();
        if let Some(work) = under_way.get(&key) {
            return work.clone();
        }
        if let Some(why) = self.has_failed(&key) {
            return futures::future::ready(Err(why)).boxed().shared();
        }
        if under_way.len() >= MOST_UNDER_WAY {
            return failed(Why::TooMuch);
        }
        let (this, of) = (self.clone(), key.clone());
        let task = self.runtime.spawn(async move {
            let made = std::panic::AssertUnwindSafe(make).catch_unwind().await;
            let made = made.unwrap_or_else(|_| Err(Why::Broken("a fault in the module".into())));
            let made = made.map_err(Arc::new);
            if let (Key::Source(_), Err(why)) = (&of, &made) {
                this.note_failure(of.clone(), why.clone());
            }
            this.under_way.lock().remove(&of);
            made
        });
        let work = async {
            let made = task.await;
            made.unwrap_or_else(|error| Err(Arc::new(Why::Broken(error.to_string()))))
        };
        let work = work.boxed().shared();
        under_way.insert(key, work.clone());
        work
    }

    fn has_failed(&self, key: &Key) -> Option<Arc<Why>> {
        let failed = self.failed.lock();
        let (at, why) = failed.get(key)?;
        (at.elapsed() < FAILED_FOR).then(|| why.clone())
    }

    fn note_failure(&self, key: Key, why: Arc<Why>) {
        let mut failed = self.failed.lock();
        failed.retain(|_, (at, _)| at.elapsed() < FAILED_FOR);
        if failed.len() < MOST_FAILED {
            failed.insert(key, (Instant::now(), why));
        }
    }

    /// Does what reads, writes or converts, on a thread for that.
    async fn slow<T: Send + 'static>(
        self: &Arc<Self>,
        what: impl FnOnce(&Prompts) -> Result<T, Why> + Send + 'static,
    ) -> Result<T, Why> {
        let _place = self.converting.acquire().await;
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || what(&this)).await;
        done.unwrap_or_else(|error| Err(Why::Broken(error.to_string())))
    }

    fn file(&self, dir: &Path, path: &Path) -> Result<Arc<Audio>, Why> {
        let key = Key::File(path.to_owned());
        let stamp = Stamp::of(path)?;
        if let Some(audio) = self.memory.lock().find(&key, Some(stamp)) {
            return Ok(audio);
        }
        let (file, stamp) = file::read(dir, path)?;
        Ok(self.keep(key, Some(stamp), decode(file)?))
    }

    fn tone(&self, of: Tone) -> Arc<Audio> {
        let key = Key::Tone(of.clone());
        let known = self.memory.lock().find(&key, None);
        known.unwrap_or_else(|| self.keep(key, None, tone(&of.hz, of.ms)))
    }

    /// The audio of a text.
    async fn spoken(self: Arc<Self>, speaker: Speaker, text: String) -> Result<Arc<Audio>, Why> {
        let key = speaker.key(&text);
        if let Some(entry) = self.cache.find(&key)
            && let Some(audio) = self.content(entry.hash).await
        {
            return Ok(audio);
        }
        let _place = self.speaking.acquire().await;
        let wav = match speaker {
            Speaker::Command(command) => speech::run(&command, &text).await?,
            Speaker::Switch { engine, voice } => {
                let speak = move |this: &Prompts| {
                    let samples = (this.env.speak)(&engine, &voice, &text);
                    Ok(speech::wav(&samples.map_err(Why::Unspoken)?))
                };
                self.slow(speak).await?
            }
        };
        self.slow(move |this| {
            let entry = Entry {
                hash: Hash::of(&wav),
                checked_ms: 0,
                fresh_until_ms: u64::MAX,
                etag: None,
                last_modified: None,
            };
            this.take_in(&key, entry, wav, true)
        })
        .await
    }

    /// The audio of a content that is in memory or on the disk.
    async fn content(self: &Arc<Self>, hash: Hash) -> Option<Arc<Audio>> {
        let key = Key::Content(hash);
        if let Some(audio) = self.memory.lock().find(&key, None) {
            return Some(audio);
        }
        let read = move |this: &Prompts| {
            let bytes = this.cache.read(hash).ok_or(Why::Missing)?;
            Ok(this.keep(key, None, decode(bytes)?))
        };
        self.slow(read).await.ok()
    }

    /// Keeps what an address or a text has given, once it is known to be audio; with `store`, on the disk too.
    fn take_in(
        &self,
        key: &str,
        entry: Entry,
        bytes: Vec<u8>,
        store: bool,
    ) -> Result<Arc<Audio>, Why> {
        let content = Key::Content(entry.hash);
        let known = self.memory.lock().find(&content, None);
        let audio = match known {
            Some(audio) => audio,
            None => self.keep(content, None, decode(bytes.clone())?),
        };
        match store {
            true => self.store(key, entry, Some(&bytes)),
            false => self.cache.note(key, entry),
        }
        Ok(audio)
    }

    /// Remembers what an address or a text has given. A disk that takes nothing costs a fetch after the next
    /// load, and no call.
    fn store(&self, key: &str, entry: Entry, bytes: Option<&[u8]>) {
        if let Err(error) = self.cache.put(key, entry, bytes) {
            (self.env.log)(&format!("prompts-cache-dir: {error}"));
        }
    }

    fn keep(&self, key: Key, stamp: Option<Stamp>, audio: Audio) -> Arc<Audio> {
        let audio = Arc::new(audio);
        self.memory.lock().insert(key, stamp, audio.clone());
        audio
    }
}

fn failed(why: Why) -> Work {
    let failed = futures::future::ready(Err(Arc::new(why)));
    failed.boxed().shared()
}

#[cfg(test)]
mod tests;
