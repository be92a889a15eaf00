//! Playing and hearing, and what lies between the two.

use super::{Report, Run};
use crate::flow::document::{Prompt, Say, SayWith};
use crate::flow::leg::{Heard, LegEnd, Listen};
use crate::flow::say;
use crate::flow::sound::Sound;
use crate::flow::template::cut;

/// How long to wait for a key that is known to be in the leg's buffer, ms: one audio frame.
const TAKE_MS: u32 = 20;

/// A `collect` that has all its digits ends without waiting for the terminator, but people who were
/// asked to "press hash" press it all the same. Were it left in the buffer it would cut the next prompt
/// short, so for a moment it still belongs to the input before.
pub(super) struct LateTerminator<'f> {
    pub keys: &'f str,
    pub ms_left: u64,
    /// Whether something was played since that no key cuts short: one that came meanwhile is still there.
    pub kept: bool,
}

impl<'f> Run<'f, '_> {
    /// The sounds of the prompts that can be played, and whether those are all. What can't be is told of.
    pub(super) fn sounds(&mut self, prompts: &'f [Prompt]) -> (Vec<Sound>, bool) {
        let mut sounds = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            let sound = prompt.sound(&self.values());
            let sound = sound.map(|sound| sound.in_voice_of(&self.flow.language));
            let is_known_before = prompt
                .template()
                .is_none_or(|template| template.is_literal());
            match sound {
                Ok(sound) if is_known_before || self.leg.has(&sound) => sounds.push(sound),
                Ok(sound) => self.failed(format!("prompt {sound} is not there")),
                Err(why) => self.failed(format!("prompt: {why}")),
            }
        }
        let all = sounds.len() == prompts.len();
        (sounds, all)
    }

    /// What a `say` node is heard to say. A text that was not known before the call is said piece by piece.
    pub(super) fn said(&self, say: &'f Say, value: &str) -> Result<Vec<Sound>, String> {
        let sounds = say::sounds(say, &self.flow.language, value)?;
        let is_ready = say.with == SayWith::Files
            || say.value.is_literal()
            || sounds.iter().all(|sound| self.leg.has(sound));
        if is_ready {
            return Ok(sounds);
        }
        let pieces = say::sounds_of_pieces(say, &self.flow.language, value)?;
        match pieces.iter().find(|piece| !self.leg.has(piece)) {
            None => Ok(pieces),
            Some(lacking) => Err(format!("{lacking} is not there")),
        }
    }

    pub(super) fn play_prompts(
        &mut self,
        prompts: &'f [Prompt],
        barge_in: bool,
    ) -> Result<(), LegEnd> {
        let (sounds, _) = self.sounds(prompts);
        self.play(&sounds, barge_in)
    }

    pub(super) fn play(&mut self, sounds: &[Sound], barge_in: bool) -> Result<(), LegEnd> {
        if sounds.is_empty() {
            return Ok(());
        }
        let mut played = self.leg.play(sounds, barge_in)?;
        if let Some(late) = self.late.take() {
            let ms_left = late.ms_left.checked_sub(played.ms);
            match (played.interrupted_by, ms_left) {
                _ if !barge_in => self.late = Some(LateTerminator { kept: true, ..late }),
                (Some(key), Some(_)) if late.keys.contains(key) => {
                    self.leg.listen(Listen {
                        timeout_ms: TAKE_MS,
                    })?;
                    let again = self.leg.play(sounds, true)?;
                    played.ms += again.ms;
                    played.interrupted_by = again.interrupted_by;
                }
                (None, Some(ms_left)) => self.late = Some(LateTerminator { ms_left, ..late }),
                _ => {}
            }
        }
        self.reporter.report(Report::PlayDone {
            node: self.node.to_owned(),
            prompt: describe(sounds),
            played_ms: played.ms,
            interrupted_by: played.interrupted_by,
        });
        Ok(())
    }

    pub(super) fn hear(&mut self, timeout_ms: u32) -> Result<Option<char>, LegEnd> {
        // From here on a key answers the question that was just asked.
        let late = self.late.take().filter(|late| late.kept);
        match (self.listen(timeout_ms)?, late) {
            (Heard::Key(key), Some(late)) if late.keys.contains(key) => {
                match self.listen(timeout_ms)? {
                    Heard::Key(key) => Ok(Some(key)),
                    Heard::Nothing => Ok(None),
                }
            }
            (Heard::Key(key), _) => Ok(Some(key)),
            (Heard::Nothing, _) => Ok(None),
        }
    }
}

/// A sound as [`Report::PlayDone`] has it, cut after 1,000 characters.
pub fn shown(sound: &Sound) -> String {
    cut(sound.to_string())
}

/// The sounds as [`Report::PlayDone`] has them.
fn describe(sounds: &[Sound]) -> String {
    let parts: Vec<String> = sounds.iter().map(Sound::to_string).collect();
    cut(parts.join("+"))
}
