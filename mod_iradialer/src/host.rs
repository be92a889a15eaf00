//! What the module needs of the switch it is loaded into. The one real implementation is in `fs/`;
//! logic above it is tested without a host.

use crate::call::Call;
use crate::taping::Laws;
use iradialer_core::value::CallUuid;
use std::sync::Arc;

/// The switch.
pub trait Host: Send + Sync {
    /// Makes the outgoing channel of `call`, with nothing sent yet.
    fn create_leg(&self, call: &Arc<Call>) -> Result<Box<dyn PreparedLeg>, CreateError>;

    /// Ends the leg of this attempt, if it still lives.
    fn hang_up(&self, attempt: CallUuid, cause: HangupCause);

    /// How an answered attempt's audio is coded.
    ///
    /// # Errors
    /// Where it has ended, or its codec is not of G.711.
    fn laws(&self, attempt: CallUuid) -> Result<Laws, String>;

    /// Has every packet of an attempt's audio come to [`Call::hear`], under this number, until it says no.
    ///
    /// # Errors
    /// Where it has ended, or the host does not.
    fn tap(&self, attempt: CallUuid, tape: u64) -> Result<(), String>;

    /// Has these keys sent to the far end: `0-9*#A-D`, and the pauses `w` and `W`; up to 64.
    ///
    /// # Errors
    /// Says why the host does not.
    fn send_keys(&self, attempt: CallUuid, keys: &str) -> Result<(), String>;

    /// Silences one way of the leg's audio, or lets it be heard again.
    ///
    /// # Errors
    /// Says why the host does not.
    fn silence(&self, attempt: CallUuid, way: Way, on: bool) -> Result<(), String>;

    /// Whether that leg has not been hung up yet, by anybody.
    fn is_up(&self, _attempt: CallUuid) -> bool {
        true
    }

    /// The host's wall clock, µs since the Unix epoch.
    fn now_us(&self) -> u64;

    /// Time since some moment in the host's seconds, µs, which goes on when somebody sets the clock.
    /// What lasts is measured with it.
    fn steady_us(&self) -> u64;

    /// How many host seconds pass in a real one: 1, but for a sandbox whose clock runs faster.
    fn clock_rate(&self) -> f64;

    /// The host's own version, for the heartbeat.
    fn version(&self) -> String;

    /// A text to samples at 8 kHz, by a speech engine of the host, such as `flite`, and a voice of it. It takes
    /// its time: not for a thread that must not wait.
    fn speak(&self, engine: &str, voice: &str, text: &str) -> Result<Vec<i16>, String>;

    /// Writes one line to the host's log.
    fn log(&self, level: Level, line: &str);
}

/// A way that audio goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// What the far end says.
    FromFarEnd,
    /// What the far end hears.
    ToFarEnd,
}

/// A channel that has been made and not begun. Dropped, it is destroyed and nothing was sent.
pub trait PreparedLeg: Send {
    /// Starts the session's thread, which sends the INVITE.
    fn launch(self: Box<Self>) -> Result<(), NotLaunched>;
}

/// A channel whose thread was not started by the one who made it.
pub struct NotLaunched {
    /// The channel. The host reports its end while it is dropped, or has done so.
    pub leg: Box<dyn PreparedLeg>,
    /// Why not.
    pub why: WhyNotLaunched,
}

/// Why a channel's thread was not started by the one who made it. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyNotLaunched {
    /// Somebody hung it up before: the host starts its thread then, which goes straight to the end. With the
    /// host's name of the cause.
    HungUp(String),
    /// There is no thread to be had.
    NoThread(String),
}

/// Why no channel could be made. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// There is no such trunk, or it is down.
    #[error("trunk: {0}")]
    Trunk(String),
    /// The host holds as many sessions as it may.
    #[error("session limit: {0}")]
    Limit(String),
}

/// Why the module hangs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangupCause {
    /// The flow is at its end, and says so.
    Flow(iradialer_core::flow::HangupCause),
    /// Nobody answered in time.
    NoAnswer,
    /// On request, before the answer: a CANCEL.
    Cancel,
    /// On request, after the answer.
    Request,
    /// The call lasted as long as it may.
    MaxDuration,
    /// The module is being unloaded.
    Unload,
    /// A fault in the flow or the module.
    Fault,
    /// Nobody has the number that was called.
    UnknownNumber,
    /// A call that came in can't be taken now.
    Congestion,
}

/// How grave a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What an operator wants to see.
    Info,
    /// Something to look at.
    Warning,
    /// Something that failed.
    Error,
}
