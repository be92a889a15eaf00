//! WAV files for tests.

/// Samples as they are.
pub const PCM: u16 = 1;
/// G.711.
pub const A_LAW: u16 = 6;
/// G.711.
pub const MU_LAW: u16 = 7;

/// A WAV file of so many bits a sample.
pub fn wav(format: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let frame = channels * bits / 8;
    let mut chunks = b"WAVEfmt ".to_vec();
    chunks.extend(18u32.to_le_bytes());
    for value in [format, channels] {
        chunks.extend(value.to_le_bytes());
    }
    chunks.extend(rate.to_le_bytes());
    chunks.extend((rate * u32::from(frame)).to_le_bytes());
    for value in [frame, bits, 0] {
        chunks.extend(value.to_le_bytes());
    }
    if format != PCM {
        chunks.extend(b"fact");
        chunks.extend(4u32.to_le_bytes());
        chunks.extend((data.len() as u32 / u32::from(frame)).to_le_bytes());
    }
    chunks.extend(b"data");
    chunks.extend((data.len() as u32).to_le_bytes());
    chunks.extend(data);
    let mut file = b"RIFF".to_vec();
    file.extend((chunks.len() as u32).to_le_bytes());
    file.extend(chunks);
    file
}
