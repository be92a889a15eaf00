//! Trunks: what a carrier's answer to an attempt says of the call, the number and the trunk.

mod outcome;

pub use outcome::{Outcome, outcome};
