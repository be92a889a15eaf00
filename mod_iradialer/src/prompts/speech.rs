//! Texts to audio, by a command or by the switch's own speech interface.

use super::Why;
use crate::audio::RATE;
use crate::config::{SpeechEngine, TtsConfig};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// The longest that a command may speak a text of up to 1,000 characters.
const LONGEST: Duration = Duration::from_secs(15);
/// The longest audio it may give, bytes.
const MOST_BYTES: u64 = 32 << 20;
/// How much of what it complains is told, characters.
const SHOWN: usize = 200;
/// What stands for the voice in a command's arguments.
const VOICE: &str = "{voice}";
/// Which voice an engine of the switch is asked for where nobody names one.
const OWN_VOICE: &str = "default";

/// Who speaks a text, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaker {
    /// A program and its arguments: text in, WAV out.
    Command(Vec<String>),
    /// An engine of the switch, and its voice.
    Switch {
        /// The engine.
        engine: String,
        /// The voice.
        voice: String,
    },
}

impl Speaker {
    /// Who speaks for an engine and a voice as a flow names them.
    pub fn of(config: &TtsConfig, engine: Option<&str>, voice: Option<&str>) -> Result<Self, Why> {
        let name = engine.unwrap_or(&config.engine);
        let known = config.engines.iter().find(|known| known.name == name);
        let own = |known: &SpeechEngine| known.voice.clone();
        let voice = voice.map(str::to_owned).or_else(|| known.and_then(own));
        match known.filter(|known| !known.command.is_empty()) {
            None => Ok(Speaker::Switch {
                engine: name.to_owned(),
                voice: voice.unwrap_or_else(|| OWN_VOICE.to_owned()),
            }),
            Some(known) => {
                let takes_one = known.command.iter().any(|part| part.contains(VOICE));
                match (takes_one, voice) {
                    (true, None) => Err(Why::Unspoken(format!(
                        "engine {name} has to be told a voice"
                    ))),
                    (_, voice) => {
                        let voice = voice.unwrap_or_default();
                        let parts = known.command.iter();
                        Ok(Speaker::Command(
                            parts.map(|part| part.replace(VOICE, &voice)).collect(),
                        ))
                    }
                }
            }
        }
    }

    /// What tells this speaker's audio of a text from any other's.
    pub fn key(&self, text: &str) -> String {
        let speaker = match self {
            Speaker::Command(parts) => parts.join("\0"),
            Speaker::Switch { engine, voice } => format!("\0{engine}\0{voice}"),
        };
        format!("tts:{speaker}\n{text}")
    }
}

/// The WAV file that a command makes of a text. It gets no shell and none of this process's environment, and it
/// ends with its time, or when nobody waits for it any more.
pub async fn run(command: &[String], text: &str) -> Result<Vec<u8>, Why> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Why::Unspoken("its engine has no command".to_owned()));
    };
    let failed = |what: String| Why::Unspoken(format!("{program}: {what}"));
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", path)
        .env("LANG", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let spoken = tokio::time::timeout(LONGEST, listen(&mut child, text)).await;
    match spoken {
        Ok(Ok(wav)) => Ok(wav),
        Ok(Err(what)) => Err(failed(what)),
        Err(_) => Err(failed(format!("no audio within {} s", LONGEST.as_secs()))),
    }
}

async fn listen(child: &mut Child, text: &str) -> Result<Vec<u8>, String> {
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err("its pipes are not there".to_owned());
    };
    let tell = async move {
        // One that does not read all of it may have a reason; its status says.
        let _ = stdin.write_all(text.as_bytes()).await;
    };
    let ((), wav, complaint) =
        tokio::join!(tell, all_of(stdout, MOST_BYTES), all_of(stderr, MOST_BYTES));
    let wav = wav?;
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if !status.success() {
        let complaint = complaint.unwrap_or_default();
        let complaint = String::from_utf8_lossy(&complaint);
        let shown: String = complaint.trim().chars().take(SHOWN).collect();
        return Err(format!("{status}: {shown:?}"));
    }
    Ok(with_true_length(wav))
}

async fn all_of(pipe: impl AsyncRead + Unpin, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = pipe.take(most + 1).read_to_end(&mut bytes).await;
    match read {
        Err(error) => Err(error.to_string()),
        Ok(_) if bytes.len() as u64 > most => Err(format!("expected at most {most} bytes of it")),
        Ok(_) => Ok(bytes),
    }
}

/// A WAV file that was written to a pipe says that it is of any length, as that was not known when its head
/// was written.
fn with_true_length(mut wav: Vec<u8>) -> Vec<u8> {
    if wav.len() < 12 || &wav[..4] != b"RIFF" || &wav[8..12] != b"WAVE" {
        return wav;
    }
    let all = wav.len();
    wav[4..8].copy_from_slice(&((all - 8) as u32).to_le_bytes());
    let mut at = 12;
    while at + 8 <= all {
        let length = [wav[at + 4], wav[at + 5], wav[at + 6], wav[at + 7]];
        let length = u32::from_le_bytes(length) as usize;
        if &wav[at..at + 4] == b"data" && length > all - at - 8 {
            let whole_samples = (all - at - 8) as u32 & !1;
            wav[at + 4..at + 8].copy_from_slice(&whole_samples.to_le_bytes());
        }
        at = at.saturating_add(8).saturating_add(length + length % 2);
    }
    wav
}

/// A WAV file of samples at 8 kHz.
pub fn wav(samples: &[i16]) -> Vec<u8> {
    let len = samples.len() as u32 * 2;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + len).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    // PCM, one channel.
    file.extend([1, 0, 1, 0]);
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * 2).to_le_bytes());
    // Bytes and bits of a sample.
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend(len.to_le_bytes());
    samples
        .iter()
        .for_each(|sample| file.extend(sample.to_le_bytes()));
    file
}

#[cfg(test)]
mod tests;
