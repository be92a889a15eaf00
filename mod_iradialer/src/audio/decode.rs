//! Audio files to audio that can be sent.

use super::{Audio, RATE};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};
use std::io::Cursor;
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

/// The longest file, bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// The longest prompt, s.
pub const MAX_SECONDS: usize = 900;
/// The rates that are converted, Hz.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// Why a file can't be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is too long to be read.
    #[error("expected at most {MAX_BYTES} bytes, got {0}")]
    TooBig(usize),
    /// It is nothing that is known here.
    #[error("expected a WAV (PCM, A-law, µ-law) or MP3 file: {0}")]
    Unknown(String),
    /// It begins as one and goes on as none.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// There is nothing in it.
    #[error("there is no audio in it")]
    Empty,
    /// It lasts too long.
    #[error("expected at most {MAX_SECONDS} s of audio")]
    TooLong,
    /// Its rate is of no use for speech.
    #[error("expected a sample rate of 4000 to 192000 Hz, got {0}")]
    Rate(u32),
}

/// Samples of one channel.
struct Mono {
    rate: u32,
    samples: Vec<f32>,
}

/// The audio of a file; several channels are mixed into one.
pub fn decode(file: Vec<u8>) -> Result<Audio, DecodeError> {
    if file.len() > MAX_BYTES {
        return Err(DecodeError::TooBig(file.len()));
    }
    // The library panics on some headers that no encoder writes.
    let mono = std::panic::catch_unwind(|| read(file))
        .unwrap_or_else(|_| Err(DecodeError::Damaged("its header makes no sense".to_owned())))?;
    if mono.samples.is_empty() {
        return Err(DecodeError::Empty);
    }
    let samples = resampled(mono)?;
    // Resampling may overshoot.
    let to_i16 = |sample: &f32| (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16;
    Ok(Audio::of_samples(
        &samples.iter().map(to_i16).collect::<Vec<_>>(),
    ))
}

fn read(file: Vec<u8>) -> Result<Mono, DecodeError> {
    let unknown = |error: Error| DecodeError::Unknown(error.to_string());
    let stream = MediaSourceStream::new(Box::new(Cursor::new(file)), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(
            &Hint::new(),
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(unknown)?;
    let nothing = || DecodeError::Unknown("there is no audio track".to_owned());
    let track = format.default_track(TrackType::Audio).ok_or_else(nothing)?;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio());
    let parameters = parameters.ok_or_else(nothing)?;
    let rate = parameters.sample_rate.ok_or_else(nothing)?;
    if !RATES.contains(&rate) {
        return Err(DecodeError::Rate(rate));
    }
    let id = track.id;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(unknown)?;
    let (mut samples, mut packet_samples) = (Vec::new(), Vec::<f32>::new());
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(error) => return Err(DecodeError::Damaged(error.to_string())),
        };
        if packet.track_id != id {
            continue;
        }
        let decoded = decoder.decode(&packet);
        let decoded = decoded.map_err(|error| DecodeError::Damaged(error.to_string()))?;
        let channels = decoded.spec().channels().count().max(1);
        decoded.copy_to_vec_interleaved(&mut packet_samples);
        let mixed = packet_samples.chunks_exact(channels);
        samples.extend(mixed.map(|frame| heard(frame.iter().sum::<f32>() / channels as f32)));
        if samples.len() > MAX_SECONDS * rate as usize {
            return Err(DecodeError::TooLong);
        }
    }
    Ok(Mono { rate, samples })
}

/// A sample that a loudspeaker could follow. In a file of floating-point samples anything may stand, and the
/// resampler does not bear what is no number.
fn heard(sample: f32) -> f32 {
    match sample.is_nan() {
        true => 0.0,
        false => sample.clamp(-1.0, 1.0),
    }
}

/// The samples at [`RATE`].
fn resampled(mono: Mono) -> Result<Vec<f32>, DecodeError> {
    if mono.rate == RATE {
        return Ok(mono.samples);
    }
    let broken = |error: String| DecodeError::Damaged(format!("it can't be resampled: {error}"));
    let (from, to) = (mono.rate as usize, RATE as usize);
    let mut resampler = Fft::<f32>::new(from, to, 1_024, 1, FixedSync::Input)
        .map_err(|error| broken(error.to_string()))?;
    let len = mono.samples.len();
    let input = InterleavedSlice::new(&mono.samples, 1, len);
    let input = input.map_err(|error| broken(error.to_string()))?;
    let output = resampler.process_all(&input, len, None);
    Ok(output
        .map_err(|error| broken(error.to_string()))?
        .take_data())
}

#[cfg(test)]
mod tests;
