//! `DATA_DIR/ready.json`: tells whoever started the gateway where it is, once it takes requests.

use serde::Deserialize;
use serde_json::json;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "ready.json";

/// What the file says.
#[derive(Debug, Clone, Deserialize)]
pub struct Ready {
    /// The URL of its API.
    pub https: String,
    /// The certificate that the API shows, in PEM.
    pub cert: PathBuf,
    /// Its process.
    pub pid: u32,
}

/// The file, removed when this is dropped.
pub struct ReadyFile {
    path: PathBuf,
}

impl ReadyFile {
    /// Removes one that a gateway left that was killed: it would send people to the wrong port.
    pub fn forget(data_dir: &Path) {
        let _ = fs::remove_file(data_dir.join(NAME));
    }

    /// What the gateway that runs with `data_dir` has written.
    pub fn read(data_dir: &Path) -> Option<Ready> {
        let text = fs::read(data_dir.join(NAME)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes `{"https", "cert", "pid"}`, whole or not at all.
    pub fn write(data_dir: &Path, url: &str, cert: &Path) -> io::Result<Self> {
        let path = data_dir.join(NAME);
        let new = data_dir.join("ready.json.new");
        let what = json!({ "https": url, "cert": cert, "pid": std::process::id() });
        fs::write(&new, format!("{what}\n"))?;
        fs::rename(&new, &path)?;
        Ok(ReadyFile { path })
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_while_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let file =
            ReadyFile::write(dir.path(), "https://127.0.0.1:1", Path::new("/c.pem")).unwrap();
        let text = fs::read_to_string(dir.path().join("ready.json")).unwrap();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["https"], "https://127.0.0.1:1");
        assert_eq!(read["cert"], "/c.pem");
        drop(file);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
