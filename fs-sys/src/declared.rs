//! The subset of `switch.h` that the module uses, declared by hand.

mod application;
mod constants;
mod functions;
mod types;

pub use application::*;
pub use constants::*;
pub use functions::*;
pub use types::*;
