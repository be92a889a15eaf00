//! Prompts for the suite: tones of a known length, so that what a far end does falls where a scenario
//! wants it.

use crate::repository;
use anyhow::{Context, Result, bail};
use iradialer_core::flow::{self, CallFacts, Sound};
use std::collections::BTreeSet;
use std::f64::consts::TAU;
use std::path::Path;
use tempfile::TempDir;

/// Samples a second, the telephone network's.
const RATE: u32 = 8_000;

/// The prompts the suite's flows play: name, ms, and the notes in Hz that
/// follow each other.
const PROMPTS: [(&str, u32, &[f64]); 5] = [
    ("hello.wav", 1_200, &[523.0, 659.0, 784.0]),
    (
        "menu.wav",
        3_000,
        &[659.0, 587.0, 659.0, 587.0, 659.0, 587.0],
    ),
    ("code.wav", 2_000, &[440.0, 494.0, 440.0, 494.0]),
    ("sorry.wav", 600, &[392.0, 311.0]),
    ("bye.wav", 600, &[784.0, 523.0]),
];

/// Every prompt in a directory of its own, as 16-bit mono WAV at 8 kHz.
pub fn in_temp_dir() -> Result<TempDir> {
    let dir = tempfile::Builder::new().prefix("ira-prompts-").tempdir()?;
    all_in(dir.path())?;
    // One that nobody gets to hear.
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("out.wav"))?;
    Ok(dir)
}

fn all_in(dir: &Path) -> Result<()> {
    // Those of the examples, under what the suite has of its own.
    for shipped in std::fs::read_dir(repository::root()?.join("conf/prompts"))? {
        let shipped = shipped?;
        std::fs::copy(shipped.path(), dir.join(shipped.file_name()))?;
    }
    let write = |name: &str, ms, notes: &[f64]| {
        let path = dir.join(name);
        std::fs::write(&path, tones(ms, notes))
            .with_context(|| format!("writing {}", path.display()))
    };
    for (name, ms, notes) in PROMPTS {
        write(name, ms, notes)?;
    }
    std::fs::create_dir_all(dir.join("say/en"))?;
    pieces()?
        .iter()
        .try_for_each(|piece| write(piece, 300, &[330.0]))
}

/// Every file that English is said with.
fn pieces() -> Result<Vec<String>> {
    let flow = br#"{"version": 1, "name": "say", "start": "say", "nodes": {
        "say": {"say": {"kind": "digits", "value": "1"}, "next": "@hangup"}}}"#;
    let Ok((flow, _)) = flow::parse(flow) else {
        bail!("the flow that says something is not valid")
    };
    let sounds = flow.sounds_ahead(&CallFacts::default(), &BTreeSet::new());
    Ok(sounds.iter().map(Sound::to_string).collect())
}

/// The suite's prompts and those of the benchmarks: of one loudness each, so that a far end can tell from any
/// packet which it hears.
pub fn of_bench(dir: &Path) -> Result<()> {
    all_in(dir)?;
    for (name, level) in [("one.wav", 8_000), ("other.wav", 2_000)] {
        let samples = (0..RATE * 20).map(|n| if n % 2 == 0 { level } else { -level });
        let path = dir.join(name);
        std::fs::write(&path, wav_of(samples))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

pub(crate) fn tones(ms: u32, notes: &[f64]) -> Vec<u8> {
    let samples = RATE * ms / 1_000;
    let note_len = samples.div_ceil(notes.len() as u32);
    wav_of((0..samples).map(|n| {
        let hz = notes[(n / note_len) as usize];
        // Each note fades, so that the joins don't click.
        let fade = 1.0 - f64::from(n % note_len) / f64::from(note_len);
        ((TAU * hz * f64::from(n) / f64::from(RATE)).sin() * fade * 8_000.0) as i16
    }))
}

fn wav_of(samples: impl ExactSizeIterator<Item = i16>) -> Vec<u8> {
    let data_len = samples.len() as u32 * 2;
    let mut bytes = Vec::with_capacity(44 + data_len as usize);
    bytes.extend(b"RIFF");
    bytes.extend((36 + data_len).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    bytes.extend(1u16.to_le_bytes()); // PCM
    bytes.extend(1u16.to_le_bytes()); // mono
    bytes.extend(RATE.to_le_bytes());
    bytes.extend((RATE * 2).to_le_bytes());
    bytes.extend(2u16.to_le_bytes());
    bytes.extend(16u16.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(data_len.to_le_bytes());
    for sample in samples {
        bytes.extend(sample.to_le_bytes());
    }
    bytes
}
