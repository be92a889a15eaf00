//! Chaos: the whole system as real processes, a steady load of calls, and faults from a seed. At the end
//! the TDB, the webhooks and the far ends' own count of INVITEs are held against each other.
//!
//! - [`plan`]: the faults of a seed; the same seed gives the same plan.
//! - [`world`]: the processes, each of which can be killed, stopped, cut off and started again.
//! - [`target`], [`node`], [`life`], [`disk`], [`proxy`], [`frames`], [`postgres`], [`wire`]: what the
//!   world is made of.
//! - [`load`]: clients that ask for calls and repeat a request until it is answered.
//! - [`chronicle`]: what was done to whom and when, for the checks and for a report.
//! - [`facts`]: what the TDB, the far ends and the webhooks say afterwards.
//! - [`check`]: what must be true of it, as a table.
//! - [`tally`]: how often each kind of fault struck, and each failpoint, as a table.

pub mod check;
pub mod chronicle;
pub mod disk;
pub mod facts;
pub mod frames;
pub mod life;
pub mod load;
pub mod node;
pub mod plan;
pub mod postgres;
pub mod proxy;
mod run;
mod strike;
pub mod tally;
pub mod target;
pub mod wire;
pub mod world;

pub use run::{Options, Outcome, run};
