use super::*;
use crate::audio::Law;
use crate::audio::test_support::{A_LAW, MU_LAW, PCM, wav};
use proptest::prelude::*;
use std::time::Duration;

/// A second of a sine of half the full height, on each channel.
fn sine(rate: u32, channels: u16, hz: f64) -> Vec<u8> {
    let sample = |at: u32| {
        let angle = std::f64::consts::TAU * hz * f64::from(at) / f64::from(rate);
        ((angle.sin() * 16_384.0) as i16).to_le_bytes()
    };
    let frames = (0..rate).flat_map(|at| (0..channels).flat_map(move |_| sample(at)));
    frames.collect()
}

/// How often the signal changes its sign.
fn turns(audio: &Audio) -> usize {
    let bytes = audio.bytes(Law::Mu);
    let changed = |two: &&[u8]| (two[0] ^ two[1]) & 0x80 != 0;
    bytes.windows(2).filter(changed).count()
}

#[test]
fn pcm_of_every_common_rate_keeps_its_length_and_pitch() {
    for (rate, channels) in [
        (8_000, 1),
        (16_000, 1),
        (22_050, 1),
        (44_100, 2),
        (48_000, 2),
    ] {
        let file = wav(PCM, channels, rate, 16, &sine(rate, channels, 400.0));
        let audio = decode(file).unwrap();
        let off = audio.duration().abs_diff(Duration::from_secs(1));
        assert!(
            off < Duration::from_millis(2),
            "{rate} Hz: {:?}",
            audio.duration()
        );
        assert!(
            (790..=810).contains(&turns(&audio)),
            "{rate} Hz: {}",
            turns(&audio)
        );
    }
}

/// What a trunk could carry already reaches it as it is.
#[test]
fn g711_is_not_changed() {
    let bytes: Vec<u8> = (0..=255).filter(|byte| *byte != 0x7F).collect();
    let of_mu = decode(wav(MU_LAW, 1, 8_000, 8, &bytes)).unwrap();
    assert_eq!(of_mu.bytes(Law::Mu), bytes);
    let of_a = decode(wav(A_LAW, 1, 8_000, 8, &bytes)).unwrap();
    assert_eq!(of_a.bytes(Law::A), bytes);
}

#[test]
fn what_is_no_prompt_says_why() {
    let said = |file: Vec<u8>| decode(file).unwrap_err();
    assert!(matches!(
        said(b"a letter to a friend".to_vec()),
        DecodeError::Unknown(_)
    ));
    assert!(matches!(said(Vec::new()), DecodeError::Unknown(_)));
    assert_eq!(said(wav(PCM, 1, 8_000, 16, &[])), DecodeError::Empty);
    assert_eq!(
        said(wav(PCM, 1, 1_000, 16, &[0; 64])),
        DecodeError::Rate(1_000)
    );
    assert_eq!(
        said(vec![0; MAX_BYTES + 1]),
        DecodeError::TooBig(MAX_BYTES + 1)
    );
    let long = vec![0; (MAX_SECONDS + 1) * 8_000];
    assert_eq!(said(wav(MU_LAW, 1, 8_000, 8, &long)), DecodeError::TooLong);
}

#[test]
fn audio_as_a_file_is_the_same_audio() {
    for len in [799, 800] {
        let audio = decode(wav(MU_LAW, 1, 8_000, 8, &vec![0x2A; len])).unwrap();
        assert_eq!(decode(audio.wav()), Ok(audio));
    }
}

#[test]
fn a_header_that_the_library_falls_over_is_damage() {
    let mut file = wav(PCM, 1, 8_000, 16, &[0; 320]);
    // As many channels as there can be.
    file[22..24].fill(0xFF);
    assert!(decode(file).is_err());
}

proptest! {
    #[test]
    fn no_file_makes_it_fall_over(
        start in prop::sample::select(vec![Vec::new(), wav(PCM, 2, 8_000, 16, &[7; 400]),
            wav(MU_LAW, 1, 8_000, 8, &[9; 300]), b"ID3\x03\0\0".to_vec(), vec![0xFF, 0xFB, 0x90, 0x64]]),
        cut in 0usize..500,
        changes in prop::collection::vec((0usize..500, any::<u8>()), 0..12),
        rest in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut file = start;
        file.truncate(cut);
        file.extend(rest);
        for (at, byte) in changes {
            if let Some(place) = file.get_mut(at) {
                *place = byte;
            }
        }
        let _ = decode(file);
    }
}

/// WAV's format of 32-bit floating-point samples.
const FLOAT: u16 = 3;

#[test]
fn samples_that_are_no_numbers_are_silence() {
    let samples = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 0.5];
    let bytes: Vec<u8> = (0..8_000)
        .flat_map(|n| samples[n % samples.len()].to_le_bytes())
        .collect();
    for rate in [8_000, 8_101, 44_100] {
        let audio = decode(wav(FLOAT, 1, rate, 32, &bytes)).unwrap();
        assert!(audio.size() > 0, "{rate}");
    }
}
