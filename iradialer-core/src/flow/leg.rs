//! The call leg a flow is played on.

use super::document::Prompt;

/// One side of a call, driven from its own thread. Every method returns when it is done or when the
/// leg has ended, and none waits on anything but the leg.
pub trait Leg {
    /// Plays `prompts` in order. With `barge_in`, the first key ends it; the key stays in the
    /// leg's buffer for the next [`Leg::listen`]. Keys pressed before, and not yet taken, count.
    fn play(&mut self, prompts: &[Prompt], barge_in: bool) -> Result<Played, LegEnd>;

    /// Waits for the next key, at most so long. A key that was pressed before and not taken comes at once.
    fn listen(&mut self, wait: Listen) -> Result<Heard, LegEnd>;
}

/// What became of a [`Leg::play`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// How long it was heard, ms.
    pub ms: u64,
    /// The key that cut it short.
    pub interrupted_by: Option<char>,
}

/// How long to wait for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Ms from now; 0 takes only a key that is already there.
    pub timeout_ms: u32,
}

/// What came of waiting for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A key, one of `0-9*#A-D`.
    Key(char),
    /// None in the time.
    Nothing,
}

/// Why a leg can't go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LegEnd {
    /// It was hung up, by either side.
    #[error("the call ended")]
    HungUp,
    /// It can't do what was asked, as the sentence says; the call should be ended.
    #[error("{0}")]
    Fault(String),
}
