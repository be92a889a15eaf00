//! How long a prompt lasts: WAV files and the host's streams. No sample is ever decoded.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

/// The duration of what `name` plays, `None` inside for a stream without an end. `Err` when
/// the host could not open it: no such file, no WAV, no such stream.
pub fn duration(name: &str) -> io::Result<Option<Duration>> {
    let name = without_parameters(name);
    match name.split_once("://") {
        Some(("silence_stream", length)) => silence(length).ok_or_else(|| unknown(name)),
        Some(("tone_stream", tones)) => tone(tones).ok_or_else(|| unknown(name)),
        Some(_) => Err(unknown(name)),
        None => wav(Path::new(name)).map(Some),
    }
}

/// `{name=value,…}` before the name sets parameters of the file handle.
fn without_parameters(name: &str) -> &str {
    match name.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some((_, name)) => without_parameters(name.trim_start()),
        None => name,
    }
}

fn unknown(name: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{name:?} is no stream of this host"),
    )
}

/// `MS` or `MS,LEVEL`; -1 never ends.
fn silence(length: &str) -> Option<Option<Duration>> {
    let length = length.split(',').next()?.trim();
    if length == "-1" {
        return Some(None);
    }
    length
        .parse()
        .ok()
        .map(|ms| Some(Duration::from_millis(ms)))
}

/// `%(on,off,hz[,hz…])` and `loops=N`, separated by `;`; loops of -1 never end. Volume and
/// level settings change no duration.
fn tone(tones: &str) -> Option<Option<Duration>> {
    let mut once_ms = 0.0;
    let mut loops: i64 = 1;
    for part in tones
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        if let Some(inside) = part
            .strip_prefix("%(")
            .and_then(|part| part.strip_suffix(')'))
        {
            let numbers: Result<Vec<f64>, _> = inside
                .split(',')
                .map(|number| number.trim().parse())
                .collect();
            match numbers.ok()?.as_slice() {
                [on, off, _hz, ..] if *on >= 0.0 && *off >= 0.0 => once_ms += on + off,
                _ => return None,
            }
        } else if let Some(count) = part.strip_prefix("loops=") {
            loops = count.parse().ok()?;
        } else if !part.contains('=') {
            return None;
        }
    }
    match loops {
        -1 => Some(None),
        count => {
            let ms = once_ms * u32::try_from(count.max(1)).ok()? as f64;
            Some(Some(Duration::from_secs_f64(ms / 1000.0)))
        }
    }
}

/// The duration that a RIFF/WAVE file's header declares, cut to the bytes that are there.
fn wav(path: &Path) -> io::Result<Duration> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut riff = [0; 12];
    file.read_exact(&mut riff)?;
    if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
        return Err(malformed("no RIFF/WAVE header"));
    }
    let mut bytes_per_second = None;
    loop {
        let mut head = [0; 8];
        file.read_exact(&mut head)
            .map_err(|_| malformed("no data chunk"))?;
        let size = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        match &head[..4] {
            b"fmt " => {
                let mut format = [0; 16];
                file.read_exact(&mut format)?;
                let rate = u32::from_le_bytes([format[8], format[9], format[10], format[11]]);
                bytes_per_second = Some(rate).filter(|rate| *rate > 0);
                skip(&mut file, size.saturating_sub(16) + size % 2)?;
            }
            b"data" => {
                let rate =
                    bytes_per_second.ok_or_else(|| malformed("no format before the data"))?;
                let there = length.saturating_sub(file.stream_position()?);
                let seconds = size.min(there) as f64 / f64::from(rate);
                return Ok(Duration::from_secs_f64(seconds));
            }
            _ => skip(&mut file, size + size % 2)?,
        }
    }
}

fn skip(file: &mut File, bytes: u64) -> io::Result<()> {
    let bytes = i64::try_from(bytes).map_err(|_| malformed("a chunk too long"))?;
    file.seek(SeekFrom::Current(bytes)).map(|_| ())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not a WAV file: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(name: &str) -> Option<u128> {
        duration(name).unwrap().map(|duration| duration.as_millis())
    }

    fn wav_file(chunks: &[(&[u8; 4], &[u8])]) -> tempfile::NamedTempFile {
        let mut bytes = b"RIFF\0\0\0\0WAVE".to_vec();
        for (name, content) in chunks {
            bytes.extend_from_slice(*name);
            bytes.extend_from_slice(&u32::try_from(content.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(content);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    /// 8 kHz, 16 bits, mono.
    const FORMAT: [u8; 16] = [1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x80, 0x3e, 0, 0, 2, 0, 16, 0];

    #[test]
    fn streams_last_as_they_say() {
        assert_eq!(ms("silence_stream://1500"), Some(1500));
        assert_eq!(ms("silence_stream://200,1400"), Some(200));
        assert_eq!(ms("silence_stream://-1"), None);
        assert_eq!(ms("tone_stream://%(250,0,440)"), Some(250));
        assert_eq!(ms("tone_stream://%(1000,500,350,440);loops=2"), Some(3000));
        assert_eq!(
            ms("tone_stream://v=-13;%(100,0,440);%(100,100,880)"),
            Some(300)
        );
        assert_eq!(ms("tone_stream://%(100,0,440);loops=-1"), None);
        assert_eq!(ms("{timeout=3}silence_stream://10"), Some(10));
    }

    #[test]
    fn files_last_as_their_header_says() {
        let file = wav_file(&[(b"fmt ", &FORMAT), (b"LIST", b"odd"), (b"data", &[0; 8000])]);
        // An odd chunk is padded to an even length.
        let mut bytes = std::fs::read(file.path()).unwrap();
        let odd_end = bytes
            .windows(3)
            .position(|window| window == b"odd")
            .unwrap()
            + 3;
        bytes.insert(odd_end, 0);
        std::fs::write(file.path(), bytes).unwrap();
        assert_eq!(ms(file.path().to_str().unwrap()), Some(500));
    }

    #[test]
    fn a_header_that_promises_too_much_is_cut() {
        let file = wav_file(&[(b"fmt ", &FORMAT), (b"data", &[0; 8000])]);
        let bytes = std::fs::read(file.path()).unwrap();
        std::fs::write(file.path(), &bytes[..bytes.len() - 4000]).unwrap();
        assert_eq!(ms(file.path().to_str().unwrap()), Some(250));
    }

    #[test]
    fn what_cannot_be_opened_is_an_error() {
        let text = wav_file(&[]);
        let no_format = wav_file(&[(b"data", &[0; 10])]);
        for name in [
            "/no/such/file.wav",
            text.path().to_str().unwrap(),
            no_format.path().to_str().unwrap(),
            "http://example.com/a.wav",
            "silence_stream://soon",
            "tone_stream://%(1,2)",
            "tone_stream://beep",
            "",
        ] {
            assert!(duration(name).is_err(), "{name:?}");
        }
    }
}
