//! What calls may do beyond being dialled.

use crate::flow::{Flow, Prompt, SayWith, Sound, Step};
use crate::live::{AudioType, CallRequest};
use crate::value::FieldError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something a licence allows by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Flows, and asking for digits.
    Ivr,
    /// Recordings.
    Recording,
    /// Speech engines.
    Tts,
    /// Connecting a call with another number, or with another call.
    Transfer,
    /// Calls that come in.
    Inbound,
    /// Telling a person from a machine.
    Cpa,
}

impl Feature {
    /// Every one.
    pub const ALL: [Feature; 6] = [
        Feature::Ivr,
        Feature::Recording,
        Feature::Tts,
        Feature::Transfer,
        Feature::Inbound,
        Feature::Cpa,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Feature::Ivr => "ivr",
            Feature::Recording => "recording",
            Feature::Tts => "tts",
            Feature::Transfer => "transfer",
            Feature::Inbound => "inbound",
            Feature::Cpa => "cpa",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Some of the features.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Feature>", into = "Vec<Feature>")]
pub struct Features(u8);

impl Features {
    /// None of them.
    pub const NONE: Features = Features(0);
    /// All of them.
    pub const ALL: Features = Features((1 << Feature::ALL.len()) - 1);

    /// Those of these names, each once.
    ///
    /// # Errors
    /// Names `field` where one is none or comes twice.
    pub fn parse<'t>(
        field: &str,
        names: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, FieldError> {
        let mut features = Features::NONE;
        for name in names {
            let known = Feature::ALL.into_iter().find(|each| each.as_str() == name);
            match known.filter(|feature| !features.has(*feature)) {
                Some(feature) => features = features.with(feature),
                None => {
                    let all = Feature::ALL.map(Feature::as_str).join(", ");
                    let expected = format!("some of {all}, each once");
                    return Err(FieldError::new(field, expected, name));
                }
            }
        }
        Ok(features)
    }

    /// What running this flow takes. Flows that it leads to are not looked at.
    pub fn of_flow(flow: &Flow) -> Self {
        let mut needs = Features::NONE.with(Feature::Ivr);
        if flow.record_call.is_some() {
            needs = needs.with(Feature::Recording);
        }
        for node in flow.nodes.values() {
            let own = match &node.step {
                Step::Record(_) => Some(Feature::Recording),
                Step::Transfer(_) => Some(Feature::Transfer),
                Step::Say(say) if say.with == SayWith::Tts => Some(Feature::Tts),
                _ => None,
            };
            needs = own.map_or(needs, |feature| needs.with(feature));
            let lists = node.prompts();
            let mut prompts = lists.iter().flat_map(|(_, prompts)| prompts.iter());
            if prompts.any(|prompt| matches!(prompt, Prompt::Tts(_))) {
                needs = needs.with(Feature::Tts);
            }
        }
        needs
    }

    /// What a live request takes.
    pub fn of_request(request: &CallRequest) -> Self {
        let spoken = |is_spoken| match is_spoken {
            true => Features::NONE.with(Feature::Tts),
            false => Features::NONE,
        };
        match request {
            CallRequest::Play(play) => spoken(matches!(play.sound, Sound::Tts { .. })),
            CallRequest::GetValidDtmf(ask) => {
                spoken(matches!(ask.audio_type, AudioType::Tts { .. })).with(Feature::Ivr)
            }
            CallRequest::GetSimpleDtmf(_) => Features::NONE.with(Feature::Ivr),
            CallRequest::StartRecord(_) => Features::NONE.with(Feature::Recording),
            CallRequest::Bridge(_)
            | CallRequest::BridgeCalls(_)
            | CallRequest::DirectBridge(_)
            | CallRequest::Transfer(_) => Features::NONE.with(Feature::Transfer),
            // It ends or steers what is there, or asks about it.
            CallRequest::StopPlay
            | CallRequest::SendDtmf(_)
            | CallRequest::Drop
            | CallRequest::Mute(_)
            | CallRequest::Deaf(_)
            | CallRequest::Earmuff(_)
            | CallRequest::Hold(_)
            | CallRequest::Park
            | CallRequest::StopRecord
            | CallRequest::Details => Features::NONE,
        }
    }

    /// These and that one.
    #[must_use]
    pub fn with(self, feature: Feature) -> Self {
        Features(self.0 | feature.bit())
    }

    /// All that is in either.
    #[must_use]
    pub fn and(self, others: Features) -> Self {
        Features(self.0 | others.0)
    }

    /// Whether it is one of them.
    pub fn has(self, feature: Feature) -> bool {
        self.0 & feature.bit() != 0
    }

    /// The first of `needed` that is none of these.
    pub fn lacks(self, needed: Features) -> Option<Feature> {
        needed.iter().find(|feature| !self.has(*feature))
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.into_iter().filter(move |each| self.has(*each))
    }
}

impl From<Vec<Feature>> for Features {
    fn from(list: Vec<Feature>) -> Self {
        list.into_iter().fold(Features::NONE, Features::with)
    }
}

impl From<Features> for Vec<Feature> {
    fn from(features: Features) -> Self {
        features.iter().collect()
    }
}

/// Separated by commas; `none` where there is none.
impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Feature::as_str).collect();
        match names.is_empty() {
            true => f.write_str("none"),
            false => f.write_str(&names.join(", ")),
        }
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}
