//! What a call's recordings must be: as its events say, as the files are, and with as much of a voice.

use crate::webhook::Delivery;
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Bytes of a WAV file's head.
const HEAD: usize = 44;
/// Samples of 20 ms.
const PACKET: usize = 160;
/// What is louder, in the mean of 20 ms, is a voice.
const LOUD: i64 = 256;

/// One recording that must come of a call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The node it is of; none for the whole call.
    pub node: Option<String>,
    /// What ended it.
    pub ended_by: String,
    /// Its channels.
    pub channels: usize,
    /// The least and the most it lasts, ms.
    pub ms: [u64; 2],
    /// For each channel the least and the most of it in which somebody is heard, ms.
    pub voice_ms: Vec<[u64; 2]>,
}

/// What is not as expected, a line each.
pub fn faults(expected: &[Recording], events: &[Delivery], dir: &Path) -> Result<Vec<String>> {
    let ready: Vec<&Delivery> = events
        .iter()
        .filter(|event| event.name == "recording_ready")
        .collect();
    let mut faults = Vec::new();
    if ready.len() != expected.len() {
        faults.push(format!(
            "  recordings: expected {}, got {}",
            expected.len(),
            ready.len()
        ));
    }
    for (expected, event) in expected.iter().zip(ready) {
        faults.extend(expected.faults(&event.data, dir)?);
    }
    Ok(faults)
}

impl Recording {
    fn faults(&self, data: &Value, dir: &Path) -> Result<Vec<String>> {
        let name = data["name"].as_str().context("a recording has a name")?;
        let file = std::fs::read(dir.join(name))
            .with_context(|| format!("recording {name} in {}", dir.display()))?;
        let mut faults = Vec::new();
        let mut same = |what: &str, expected: Value, got: &Value| {
            if expected != *got {
                faults.push(format!("  {name} {what}: expected {expected}, got {got}"));
            }
        };
        let hash = Sha256::digest(&file);
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        same("sha256", json!(hash), &data["sha256"]);
        same("bytes", json!(file.len()), &data["bytes"]);
        same("node", json!(self.node), &data["node"]);
        same("ended_by", json!(self.ended_by), &data["ended_by"]);
        same("channels", json!(self.channels), &data["channels"]);
        let samples: Vec<i64> = file[HEAD.min(file.len())..]
            .chunks_exact(2)
            .map(|pair| i64::from(i16::from_le_bytes([pair[0], pair[1]])))
            .collect();
        let ms = (samples.len() / self.channels / 8) as u64;
        same("duration_ms", json!(ms), &data["duration_ms"]);
        let mut within = |what: String, [low, high]: [u64; 2], got: u64| {
            if !(low..=high).contains(&got) {
                faults.push(format!(
                    "  {name} {what}: expected {low} to {high} ms, got {got}"
                ));
            }
        };
        within("duration".to_owned(), self.ms, ms);
        for (channel, expected) in self.voice_ms.iter().enumerate() {
            let own = samples.iter().skip(channel).step_by(self.channels);
            let own: Vec<i64> = own.copied().collect();
            let loud = own.chunks(PACKET).filter(|packet| is_loud(packet)).count();
            within(
                format!("voice in channel {channel}"),
                *expected,
                loud as u64 * 20,
            );
        }
        Ok(faults)
    }
}

fn is_loud(packet: &[i64]) -> bool {
    let sum: i64 = packet.iter().map(|sample| sample.abs()).sum();
    sum > LOUD * packet.len() as i64
}
