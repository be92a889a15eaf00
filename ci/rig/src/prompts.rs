//! Prompts for the suite: tones of a known length, so that what a far end does falls where a scenario
//! wants it.

use anyhow::{Context, Result};
use std::f64::consts::TAU;
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
    for (name, ms, notes) in PROMPTS {
        let path = dir.path().join(name);
        std::fs::write(&path, wav(ms, notes))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(dir)
}

fn wav(ms: u32, notes: &[f64]) -> Vec<u8> {
    let samples = RATE * ms / 1_000;
    let note_len = samples.div_ceil(notes.len() as u32);
    let data_len = samples * 2;
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
    for n in 0..samples {
        let hz = notes[(n / note_len) as usize];
        // Each note fades, so that the joins don't click.
        let fade = 1.0 - f64::from(n % note_len) / f64::from(note_len);
        let level = (TAU * hz * f64::from(n) / f64::from(RATE)).sin() * fade * 8_000.0;
        bytes.extend((level as i16).to_le_bytes());
    }
    bytes
}
