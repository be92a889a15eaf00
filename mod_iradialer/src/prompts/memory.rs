//! What is in memory: the most recently used, up to a size.

use super::{Key, file::Stamp};
use crate::audio::Audio;
use std::collections::HashMap;
use std::sync::Arc;

/// Audio by what it is of.
pub struct Memory {
    most_bytes: usize,
    sounds: HashMap<Key, Sound>,
    bytes: usize,
    /// Counts the uses, to tell which is the oldest.
    uses: u64,
}

struct Sound {
    audio: Arc<Audio>,
    stamp: Option<Stamp>,
    used: u64,
}

impl Memory {
    /// Holds up to so many bytes of audio.
    pub fn new(most_bytes: usize) -> Self {
        Memory {
            most_bytes,
            sounds: HashMap::new(),
            bytes: 0,
            uses: 0,
        }
    }

    /// What is held of `key`, if it was made of the same.
    pub fn find(&mut self, key: &Key, stamp: Option<Stamp>) -> Option<Arc<Audio>> {
        self.uses += 1;
        let sound = self
            .sounds
            .get_mut(key)
            .filter(|sound| sound.stamp == stamp)?;
        sound.used = self.uses;
        Some(Arc::clone(&sound.audio))
    }

    /// Holds it in the place of what there was before, and lets go of the oldest where there is no room.
    pub fn insert(&mut self, key: Key, stamp: Option<Stamp>, audio: Arc<Audio>) {
        self.bytes += audio.size();
        self.uses += 1;
        let used = self.uses;
        let before = self.sounds.insert(key, Sound { audio, stamp, used });
        self.bytes -= before.map_or(0, |sound| sound.audio.size());
        while self.bytes > self.most_bytes && self.drop_oldest() {}
    }

    /// How many sounds there are, and their bytes.
    pub fn held(&self) -> (usize, usize) {
        (self.sounds.len(), self.bytes)
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
