//! Prompts to play: short chords and beeps, made where they are needed.

use anyhow::{Context, Result};
use std::f64::consts::TAU;
use std::path::Path;

/// Samples a second, the telephone network's.
const RATE: u32 = 8_000;

/// The prompts the suite's and the demonstration's flows play: name, ms, and the notes in Hz that
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

/// Writes every prompt to `dir` as 16-bit mono WAV at 8 kHz.
pub fn write_all(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    for (name, ms, notes) in PROMPTS {
        let path = dir.join(name);
        std::fs::write(&path, wav(ms, notes))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
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
