//! What is wrong with prompts.

use super::notes::Notes;
use crate::flow::document::{Prompt, Tone, Tts, Url};
use crate::flow::template::is_name;
use crate::strict_json::shown;
use std::ops::RangeInclusive;

pub(in crate::flow) const PROMPT_MS: RangeInclusive<u32> = 1..=60_000;
pub(in crate::flow) const TONE_HZ: RangeInclusive<u32> = 50..=3_400;
/// The most prompts of a list.
pub(in crate::flow) const MAX_PROMPTS: usize = 32;

impl Notes<'_> {
    /// Prompts of which there must be some: someone who hears nothing hangs up.
    pub(super) fn prompts_to_hear(&mut self, path: &str, prompts: &[Prompt]) {
        if prompts.is_empty() {
            self.error(path, "expected at least one prompt");
        }
        self.prompts(path, prompts);
    }

    pub(super) fn prompts(&mut self, path: &str, prompts: &[Prompt]) {
        if prompts.len() > MAX_PROMPTS {
            self.error(
                path,
                format!(
                    "expected at most {MAX_PROMPTS} prompts, got {}",
                    prompts.len()
                ),
            );
        }
        for (place, prompt) in prompts.iter().enumerate() {
            match prompt {
                // Its path was checked when it was made.
                Prompt::File(_) => {}
                Prompt::Url(url) => self.url(&format!("{path}[{place}].url"), url),
                Prompt::Tts(tts) => self.tts(&format!("{path}[{place}].tts"), tts),
                Prompt::Silence(ms) => {
                    self.in_range(format!("{path}[{place}].silence"), *ms, PROMPT_MS, "ms");
                }
                Prompt::Tone(tone) => self.tone(&format!("{path}[{place}].tone"), tone),
            }
        }
    }

    /// Its form was checked when it was made.
    pub(super) fn url(&mut self, path: &str, url: &Url) {
        if url.is_plain() {
            self.warning(
                path,
                "'http://' is for development: nothing keeps others from reading it",
            );
        }
    }

    fn tts(&mut self, path: &str, tts: &Tts) {
        if tts.text.as_str().trim().is_empty() {
            self.error(path, "expected a text of 1 to 1000 characters");
        }
        if let Some(voice) = tts.voice.as_deref().filter(|voice| !is_voice(voice)) {
            let expected = "expected a voice of 1 to 64 letters, digits, '_', '-', '.' or '+'";
            self.error(
                format!("{path}.voice"),
                format!("{expected}, got \"{}\"", shown(voice)),
            );
        }
        if let Some(engine) = tts.engine.as_deref().filter(|engine| !is_name(engine)) {
            let expected = "expected an engine's name of 1 to 64 letters, digits, '_' or '-'";
            self.error(
                format!("{path}.engine"),
                format!("{expected}, got \"{}\"", shown(engine)),
            );
        }
    }

    fn tone(&mut self, path: &str, tone: &Tone) {
        if !(1..=2).contains(&tone.hz.len()) {
            let message = format!("expected 1 or 2 frequencies, got {}", tone.hz.len());
            self.error(format!("{path}.hz"), message);
        }
        for (place, hz) in tone.hz.iter().enumerate() {
            self.in_range(format!("{path}.hz[{place}]"), *hz, TONE_HZ, "Hz");
        }
        self.in_range(format!("{path}.ms"), tone.ms, PROMPT_MS, "ms");
    }
}

/// Whether it is the name of a voice: 1 to 64 letters, digits, `_`, `-`, `.` or `+`, the first neither `-`
/// nor `.`.
pub fn is_voice(voice: &str) -> bool {
    (1..=64).contains(&voice.len())
        && !voice.starts_with(['-', '.'])
        && voice
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.+".contains(&b))
}
