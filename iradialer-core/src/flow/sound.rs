//! What a leg plays: prompts with everything filled in.

use super::document::{DEFAULT_LANGUAGE, Flow, Node, Prompt, SayWith, Step, Tone};
use super::facts::CallFacts;
use super::say;
use super::template::{Name, Template, Values};
use crate::value::PromptPath;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something a leg can play as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sound {
    /// A WAV file below the switch's prompt directory.
    File(PromptPath),
    /// Audio from an address.
    Url(String),
    /// A text, up to 1,000 characters.
    Tts {
        /// The text.
        text: String,
        /// The voice; the switch's own where there is none.
        voice: Option<String>,
        /// The engine; the switch's own where there is none.
        engine: Option<String>,
    },
    /// Silence, ms.
    Silence(u32),
    /// A tone.
    Tone(Tone),
}

impl Sound {
    /// A text that names neither voice nor engine, in the voice of a language: the switch's own speaks the
    /// language of flows that name none, and for another one it is asked for the voice of that name.
    pub(super) fn in_voice_of(self, language: &str) -> Self {
        match self {
            Sound::Tts {
                text,
                voice: None,
                engine: None,
            } if language != DEFAULT_LANGUAGE => Sound::Tts {
                text,
                voice: Some(language.to_owned()),
                engine: None,
            },
            sound => sound,
        }
    }
}

impl fmt::Display for Sound {
    /// The form reports have: `hello.wav`, `tts:Hello Ann.`, `silence:500ms`, `tone:440,480Hz:200ms`; an
    /// address as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sound::File(path) => write!(f, "{path}"),
            Sound::Url(url) => f.write_str(url),
            Sound::Tts { text, .. } => write!(f, "tts:{text}"),
            Sound::Silence(ms) => write!(f, "silence:{ms}ms"),
            Sound::Tone(tone) => {
                let hz: Vec<String> = tone.hz.iter().map(u32::to_string).collect();
                write!(f, "tone:{}Hz:{}ms", hz.join(","), tone.ms)
            }
        }
    }
}

impl Prompt {
    /// The prompt with everything filled in, or why it can't be played.
    pub fn sound(&self, values: &Values<'_>) -> Result<Sound, String> {
        match self {
            Prompt::File(name) => name.resolve(values).map(Sound::File),
            Prompt::Url(url) => url.resolve(values).map(Sound::Url),
            Prompt::Tts(tts) => {
                let text = tts.text.text(values);
                match text.trim().is_empty() {
                    true => Err("there is no text to be spoken".to_owned()),
                    false => Ok(Sound::Tts {
                        text,
                        voice: tts.voice.clone(),
                        engine: tts.engine.clone(),
                    }),
                }
            }
            Prompt::Silence(ms) => Ok(Sound::Silence(*ms)),
            Prompt::Tone(tone) => Ok(Sound::Tone(tone.clone())),
        }
    }

    /// What is to be filled in, where something may be.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Prompt::File(name) => Some(name.template()),
            Prompt::Url(url) => Some(url.template()),
            Prompt::Tts(tts) => Some(&tts.text),
            Prompt::Silence(_) | Prompt::Tone(_) => None,
        }
    }
}

impl Node {
    /// Each list of prompts of the node and its path from the node on, such as `menu.no_input`.
    pub fn prompts(&self) -> Vec<(&'static str, &[Prompt])> {
        let lists: Vec<(&'static str, &[Prompt])> = match &self.step {
            Step::Play(prompts) => vec![("play", prompts)],
            Step::Menu(menu) => vec![
                ("menu.prompt", &menu.prompt),
                ("menu.no_input", &menu.no_input),
                ("menu.invalid", &menu.invalid),
            ],
            Step::Collect(collect) => vec![
                ("collect.prompt", &collect.prompt),
                ("collect.no_input", &collect.no_input),
                ("collect.invalid", &collect.invalid),
            ],
            Step::Confirm(confirm) => vec![
                ("confirm.prompt", &confirm.prompt),
                ("confirm.no_input", &confirm.no_input),
                ("confirm.invalid", &confirm.invalid),
            ],
            Step::Record(record) => vec![("record.prompt", &record.prompt)],
            Step::Transfer(transfer) => vec![("transfer.whisper", &transfer.whisper)],
            _ => vec![],
        };
        lists
    }
}

impl Flow {
    /// The names of the variables that its nodes set.
    pub fn sets(&self) -> BTreeSet<&str> {
        let mut sets = BTreeSet::new();
        for (name, node) in &self.nodes {
            match &node.step {
                Step::Menu(menu) => drop(sets.insert(menu.var.as_deref().unwrap_or(name))),
                Step::Confirm(confirm) => drop(sets.insert(confirm.var.as_deref().unwrap_or(name))),
                Step::Collect(collect) => drop(sets.insert(&collect.var)),
                Step::Record(record) => drop(sets.insert(&record.var)),
                Step::Set(values) => sets.extend(values.keys().map(String::as_str)),
                Step::Request(request) => sets.extend(request.sets.iter().map(String::as_str)),
                _ => {}
            }
        }
        sets
    }

    /// The sounds that a call of these facts may need and that can be known before it is dialled, each once:
    /// all but those with a variable in them that a node sets, or that is among `set`: what the flows set that
    /// lead to this one. A prompt that can't be made out of its
    /// template is left out, as it will be when its turn comes.
    pub fn sounds_ahead(&self, facts: &CallFacts, set: &BTreeSet<&str>) -> BTreeSet<Sound> {
        let (sets, nothing_set) = (&self.sets() | set, BTreeMap::new());
        let values = Values {
            facts,
            defaults: self.vars.as_ref(),
            set: &nothing_set,
        };
        let settled = |template: &Template| {
            let changes = |name: &Name| name.variable().is_some_and(|name| sets.contains(name));
            !template.names().any(changes)
        };
        let mut sounds = BTreeSet::new();
        for node in self.nodes.values() {
            for (_, prompts) in node.prompts() {
                let known = prompts
                    .iter()
                    .filter(|prompt| prompt.template().is_none_or(settled));
                let known = known.filter_map(|prompt| prompt.sound(&values).ok());
                sounds.extend(known.map(|sound| sound.in_voice_of(&self.language)));
            }
            match &node.step {
                Step::Say(say) if say.with == SayWith::Files => {
                    let language = say.language.as_deref().unwrap_or(&self.language);
                    sounds.extend(say::files_of(language));
                }
                Step::Say(say) if settled(&say.value) => {
                    let spoken = say::sounds(say, &self.language, &say.value.text(&values));
                    sounds.extend(spoken.unwrap_or_default());
                }
                // What nobody knows yet is said from pieces.
                Step::Say(say) => {
                    let language = say.language.as_deref().unwrap_or(&self.language);
                    sounds.extend(say::spoken_pieces_of(language));
                }
                Step::Record(record) if record.beep => drop(sounds.insert(beep())),
                _ => {}
            }
        }
        sounds
    }

    /// The names of the flows that its `goto`s lead to, its own among them where one does.
    pub fn gotos(&self) -> BTreeSet<&str> {
        self.goto_nodes().map(|(_, to)| to).collect()
    }

    /// The first node whose `goto` leads to that flow.
    pub fn goto_node(&self, to: &str) -> Option<&str> {
        let mut nodes = self.goto_nodes();
        nodes.find(|(_, flow)| *flow == to).map(|(node, _)| node)
    }

    fn goto_nodes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.nodes
            .iter()
            .filter_map(|(name, node)| match &node.step {
                Step::Goto(goto) => Some((name.as_str(), goto.flow.as_str())),
                _ => None,
            })
    }

    /// What a switch must be able to do to run the flow that not every switch is set up for.
    pub fn needs(&self) -> BTreeSet<Need> {
        let mut steps = self.nodes.values().map(|node| &node.step);
        let records =
            self.record_call.is_some() || steps.any(|step| matches!(step, Step::Record(_)));
        BTreeSet::from_iter(records.then_some(Need::Record))
    }
}

/// Something a switch must be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Record.
    Record,
}

impl fmt::Display for Need {
    /// As in "this switch does not ... yet".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Need::Record => "record (step record, record_call)",
        })
    }
}

/// The tone that says when to speak.
pub(super) fn beep() -> Sound {
    Sound::Tone(Tone {
        hz: vec![1_000],
        ms: 300,
    })
}
