//! What was fetched and spoken, kept on the disk over restarts: contents by the SHA-256 of their bytes, and an
//! index that says which content an address or a text gave.
//!
//! Everything is written under another name and renamed, and a content is verified when it is read, so that
//! nothing half-written or damaged is ever played. The least recently used goes when there is no room.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// The most addresses and texts that are remembered.
const MOST_ENTRIES: usize = 50_000;
/// A file on its way to its name.
const UNFINISHED: &str = "new-";

/// The SHA-256 of a content's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash([u8; 32]);

impl Hash {
    /// That of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Hash(Sha256::digest(bytes).into())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Hash(bytes))
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hash.to_string()
    }
}

impl TryFrom<String> for Hash {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Hash::parse(&text).ok_or("expected a SHA-256 in hexadecimal")
    }
}

/// What an address or a text has given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The content.
    pub hash: Hash,
    /// When its server last said so, ms since the Unix epoch.
    pub checked_ms: u64,
    /// Until when nobody has to be asked, ms since the Unix epoch.
    pub fresh_until_ms: u64,
    /// What the server knows this content by.
    pub etag: Option<String>,
    /// Likewise.
    pub last_modified: Option<String>,
}

impl Entry {
    /// Whether nobody has to be asked. Where somebody has set the clock back, somebody has.
    pub fn is_fresh(&self, now_ms: u64) -> bool {
        (self.checked_ms..self.fresh_until_ms).contains(&now_ms)
    }
}

/// As an entry is written.
#[derive(Serialize, Deserialize)]
struct Written {
    key: String,
    entry: Entry,
}

/// The cache.
pub struct Cache {
    dir: Option<PathBuf>,
    most_bytes: u64,
    known: Mutex<Known>,
    written: AtomicU64,
}

#[derive(Default)]
struct Known {
    entries: HashMap<String, Used<Entry>>,
    contents: HashMap<Hash, Used<u64>>,
    bytes: u64,
    /// Counts the uses, to tell which is the oldest.
    uses: u64,
}

struct Used<T> {
    it: T,
    used: u64,
}

impl Cache {
    /// One that keeps up to `most_bytes` of contents in `dir`, which is made where there is none; with what
    /// an earlier life has left there. Without a folder it remembers only what is in memory.
    ///
    /// # Errors
    /// Where the folder can't be made or listed.
    pub fn open(dir: Option<&Path>, most_bytes: u64) -> io::Result<Self> {
        let cache = Cache {
            dir: dir.map(Path::to_owned),
            most_bytes,
            known: Mutex::default(),
            written: AtomicU64::new(0),
        };
        if let Some(dir) = dir {
            let mut known = cache.known.lock();
            known.take_up_contents(&made(dir, "audio")?)?;
            known.take_up_entries(&made(dir, "index")?)?;
            drop(known);
            cache.make_room();
        }
        Ok(cache)
    }

    /// What is known of `key`.
    pub fn find(&self, key: &str) -> Option<Entry> {
        let known = &mut *self.known.lock();
        known.uses += 1;
        let entry = known.entries.get_mut(key)?;
        entry.used = known.uses;
        if let Some(content) = known.contents.get_mut(&entry.it.hash) {
            content.used = known.uses;
        }
        Some(entry.it.clone())
    }

    /// The bytes of a content, where they are on the disk and are what they were. It reads: not for a
    /// thread that must not wait.
    pub fn read(&self, hash: Hash) -> Option<Vec<u8>> {
        let path = self.content_path(hash)?;
        let bytes = std::fs::read(&path).ok()?;
        if Hash::of(&bytes) != hash {
            let _ = std::fs::remove_file(path);
            self.known.lock().forget(hash);
            return None;
        }
        // So that the next life knows what is used.
        if let Ok(file) = File::options().append(true).open(path) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some(bytes)
    }

    /// Remembers what `key` has given, in memory alone.
    pub fn note(&self, key: &str, entry: Entry) {
        self.known.lock().insert(key, entry);
    }

    /// Remembers what `key` has given, over restarts; with `bytes`, its content too. It writes: not for a
    /// thread that must not wait.
    ///
    /// # Errors
    /// Where it can't be written. It is remembered in memory then.
    pub fn put(&self, key: &str, entry: Entry, bytes: Option<&[u8]>) -> io::Result<()> {
        self.note(key, entry.clone());
        let Some(dir) = &self.dir else { return Ok(()) };
        let hash = entry.hash;
        if let (Some(bytes), Some(path)) = (bytes, self.content_path(hash))
            && bytes.len() as u64 <= self.most_bytes
            && !self.known.lock().contents.contains_key(&hash)
        {
            self.write(&path, bytes)?;
            self.known.lock().add(hash, bytes.len() as u64);
            self.make_room();
        }
        let written = Written {
            key: key.to_owned(),
            entry,
        };
        self.write(&index_path(dir, key), &serde_json::to_vec(&written)?)
    }

    /// How many contents there are on the disk, and their bytes.
    pub fn held(&self) -> (usize, u64) {
        let known = self.known.lock();
        (known.contents.len(), known.bytes)
    }

    fn content_path(&self, hash: Hash) -> Option<PathBuf> {
        Some(self.dir.as_ref()?.join("audio").join(hash.to_string()))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let unfinished = format!("{UNFINISHED}{}-{number}", std::process::id());
        let unfinished = path.with_file_name(unfinished);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options
            .open(&unfinished)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| std::fs::rename(&unfinished, path));
        if written.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
        written
    }

    fn make_room(&self) {
        let gone = self.known.lock().drop_oldest(self.most_bytes);
        let Some(dir) = &self.dir else { return };
        for hash in gone.contents {
            let _ = std::fs::remove_file(dir.join("audio").join(hash.to_string()));
        }
        for key in gone.keys {
            let _ = std::fs::remove_file(index_path(dir, &key));
        }
    }
}

/// What there was no room for.
#[derive(Default)]
struct Gone {
    contents: Vec<Hash>,
    keys: Vec<String>,
}

impl Known {
    fn take_up_contents(&mut self, dir: &Path) -> io::Result<()> {
        let mut found = Vec::new();
        for file in std::fs::read_dir(dir)? {
            let (file, metadata) = (file?.path(), std::fs::Metadata::len);
            let hash = file
                .file_name()
                .and_then(|name| Hash::parse(name.to_str()?));
            match (hash, file.symlink_metadata()) {
                (Some(hash), Ok(of)) if of.is_file() => {
                    let modified = of.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    found.push((modified, hash, metadata(&of)));
                }
                // What was being written when its module died.
                _ => drop(std::fs::remove_file(file)),
            }
        }
        found.sort_unstable_by_key(|(modified, ..)| *modified);
        found
            .into_iter()
            .for_each(|(_, hash, len)| self.add(hash, len));
        Ok(())
    }

    fn take_up_entries(&mut self, dir: &Path) -> io::Result<()> {
        for file in std::fs::read_dir(dir)? {
            let file = file?.path();
            let written = std::fs::read(&file).ok();
            let written = written.and_then(|text| serde_json::from_slice::<Written>(&text).ok());
            match written {
                Some(Written { key, entry }) if self.contents.contains_key(&entry.hash) => {
                    self.insert(&key, entry);
                }
                _ => drop(std::fs::remove_file(file)),
            }
        }
        Ok(())
    }

    fn insert(&mut self, key: &str, entry: Entry) {
        self.uses += 1;
        let used = self.uses;
        self.entries
            .insert(key.to_owned(), Used { it: entry, used });
        if self.entries.len() > MOST_ENTRIES {
            let mut uses: Vec<u64> = self.entries.values().map(|entry| entry.used).collect();
            let (_, middle, _) = uses.select_nth_unstable(MOST_ENTRIES / 2);
            let middle = *middle;
            self.entries.retain(|_, entry| entry.used >= middle);
        }
    }

    fn add(&mut self, hash: Hash, len: u64) {
        self.uses += 1;
        let used = self.uses;
        let before = self.contents.insert(hash, Used { it: len, used });
        self.bytes += len - before.map_or(0, |content| content.it);
    }

    fn forget(&mut self, hash: Hash) {
        let content = self.contents.remove(&hash);
        self.bytes -= content.map_or(0, |content| content.it);
    }

    fn drop_oldest(&mut self, most_bytes: u64) -> Gone {
        let mut gone = Gone::default();
        if self.bytes <= most_bytes {
            return gone;
        }
        let mut oldest: Vec<_> = self
            .contents
            .iter()
            .map(|(hash, of)| (of.used, *hash))
            .collect();
        oldest.sort_unstable_by_key(|(used, _)| *used);
        for (_, hash) in oldest {
            // Somewhat more than must be, so that it is not done again for the next one.
            if self.bytes <= most_bytes - most_bytes / 10 {
                break;
            }
            self.forget(hash);
            gone.contents.push(hash);
        }
        self.entries.retain(|key, entry| {
            let stays = !gone.contents.contains(&entry.it.hash);
            if !stays {
                gone.keys.push(key.clone());
            }
            stays
        });
        gone
    }
}

fn made(dir: &Path, name: &str) -> io::Result<PathBuf> {
    let path = dir.join(name);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&path)?;
    Ok(path)
}

fn index_path(dir: &Path, key: &str) -> PathBuf {
    dir.join("index")
        .join(format!("{}.json", Hash::of(key.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn entry(bytes: &[u8]) -> Entry {
        Entry {
            hash: Hash::of(bytes),
            checked_ms: 1_000,
            fresh_until_ms: 2_000,
            etag: Some("\"1\"".into()),
            last_modified: None,
        }
    }

    fn put(cache: &Cache, key: &str, bytes: &[u8]) {
        cache.put(key, entry(bytes), Some(bytes)).unwrap();
    }

    #[test]
    fn what_was_kept_is_there_in_the_next_life() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache");
        let cache = Cache::open(Some(&path), 1_000).unwrap();
        put(&cache, "a", b"one");
        put(&cache, "b", b"one");
        put(&cache, "c", b"three");
        assert_eq!(cache.held(), (2, 8));
        for (name, mode) in [("audio", 0o700), ("index", 0o700)] {
            let folder = path.join(name);
            assert_eq!(
                folder.metadata().unwrap().permissions().mode() & 0o777,
                mode
            );
            for file in std::fs::read_dir(folder).unwrap() {
                let metadata = file.unwrap().metadata().unwrap();
                assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
            }
        }
        drop(cache);
        std::fs::write(path.join("audio/new-1-1"), "half").unwrap();
        std::fs::write(path.join("index/garbage.json"), "{").unwrap();
        let cache = Cache::open(Some(&path), 1_000).unwrap();
        assert_eq!(cache.held(), (2, 8));
        assert_eq!(cache.find("b"), Some(entry(b"one")));
        assert_eq!(
            cache.read(Hash::of(b"three")).as_deref(),
            Some(&b"three"[..])
        );
        assert!(!path.join("audio/new-1-1").exists() && !path.join("index/garbage.json").exists());
    }

    #[test]
    fn what_was_damaged_is_not_given_out() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path()), 1_000).unwrap();
        put(&cache, "a", b"one");
        let file = dir.path().join("audio").join(Hash::of(b"one").to_string());
        std::fs::write(&file, "two").unwrap();
        assert_eq!(cache.read(Hash::of(b"one")), None);
        assert!(!file.exists());
        // And it can be had again.
        put(&cache, "a", b"one");
        assert!(cache.read(Hash::of(b"one")).is_some());
    }

    #[test]
    fn the_least_recently_used_goes() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path()), 25).unwrap();
        put(&cache, "a", &[b'a'; 10]);
        put(&cache, "b", &[b'b'; 10]);
        assert!(cache.find("a").is_some());
        put(&cache, "c", &[b'c'; 10]);
        assert_eq!(cache.held(), (2, 20));
        assert!(cache.find("a").is_some() && cache.find("c").is_some());
        assert_eq!(cache.find("b"), None);
        assert_eq!(
            std::fs::read_dir(dir.path().join("index")).unwrap().count(),
            2
        );
        // One that is larger than all the room is remembered in memory alone.
        put(&cache, "d", &[b'd'; 30]);
        assert!(cache.find("d").is_some());
        assert_eq!(cache.held(), (2, 20));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_fresh_for_ever() {
        let entry = entry(b"");
        let fresh = [999, 1_000, 1_999, 2_000].map(|now_ms| entry.is_fresh(now_ms));
        assert_eq!(fresh, [false, true, true, false]);
    }
}
