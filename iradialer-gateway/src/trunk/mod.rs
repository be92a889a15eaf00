//! Trunks: what a carrier's answer to an attempt says of the call, the number and the trunk.

mod evidence;
mod outcome;
mod state;

pub use evidence::{Evidence, evidence};
pub use outcome::{Outcome, outcome};
pub use state::{Breaker, FIRST_OPEN_MS, Gate, Learned, Observed, Shut, TrunkState};
