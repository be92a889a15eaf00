//! The benchmarks: our module beside FreeSWITCH's own `bgapi originate`, on the same switch, with the
//! same far end, in the same run, because only their ratio says anything on a shared machine. And what it
//! costs that no call is lost: accepts, the queue, the journal, the takeover of a killed router.

mod accepts;
mod admission;
mod cycles;
mod dispatch;
mod far_end;
mod flow_check;
mod footprint;
mod ivr;
mod latency;
mod many;
mod media;
mod module;
mod originate;
mod phones;
mod reads;
mod site;
mod speech;
mod table;
mod takeover;
mod tdb;
mod usage;
mod webhooks;

pub use accepts::accepts;
pub use admission::admission;
pub use cycles::{Held, load_and_unload};
pub use dispatch::dispatch;
pub use far_end::FarEnd;
pub use flow_check::flow_check;
pub use footprint::footprint;
pub use ivr::{ivr, memory};
pub use latency::{post_to_invite, quantile};
pub use many::five_thousand;
pub use media::{audio, keys};
pub use module::Module;
pub use originate::Originate;
pub use phones::{Delays, Heard, Phone, Phones, Script};
pub use reads::reads;
pub use site::{AT_ONCE, RING, RINGS_8_S, Site};
pub use speech::speech;
pub use table::Table;
pub use takeover::takeover;
pub use usage::Usage;
pub use webhooks::{ill_receivers, webhooks};

use std::collections::BTreeMap;
use std::time::Duration;

/// What callees type when they are asked for a code.
const TYPED: &str = "4321";

/// Calls offered at a steady rate.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// How many.
    pub calls: u32,
    /// How many a second.
    pub per_second: f64,
}

impl Offer {
    /// As many calls as fit in so long.
    pub fn lasting(per_second: f64, seconds: f64) -> Self {
        Offer {
            calls: (per_second * seconds).round() as u32,
            per_second,
        }
    }

    /// When each call is due, from the start.
    fn due(self, index: u32) -> Duration {
        Duration::from_secs_f64(f64::from(index) / self.per_second)
    }
}

/// What became of an offer.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Answered and ended in order.
    pub completed: u32,
    /// Refused at once, nothing dialled.
    pub refused: u32,
    /// Taken, and not completed.
    pub failed: u32,
    /// Never heard of again.
    pub lost: u32,
    /// Whose flow had collected [`TYPED`] in the end.
    pub typed: u32,
    /// From the first call offered to the last one's end.
    pub took: Duration,
    /// CPU time the switch used, user and system.
    pub cpu: Duration,
    /// The most threads the switch had.
    pub most_threads: u32,
    /// Why they were refused, and how many for each reason.
    pub refused_for: BTreeMap<String, u32>,
    /// How long the slowest refusal took.
    pub slowest_refusal: Duration,
    /// Whose last event tells of a fault.
    pub faulted: u32,
    /// How long each play of prompts took that no key ended, ms.
    pub played_ms: Vec<u64>,
}

impl Outcome {
    /// Adds what became of another offer.
    pub fn add(&mut self, other: &Outcome) {
        self.completed += other.completed;
        self.refused += other.refused;
        self.failed += other.failed;
        self.lost += other.lost;
        self.typed += other.typed;
        self.took += other.took;
        self.cpu += other.cpu;
        self.most_threads = self.most_threads.max(other.most_threads);
        for (reason, calls) in &other.refused_for {
            *self.refused_for.entry(reason.clone()).or_default() += calls;
        }
        self.slowest_refusal = self.slowest_refusal.max(other.slowest_refusal);
        self.faulted += other.faulted;
        self.played_ms.extend(&other.played_ms);
    }

    /// Completed calls a second.
    pub fn per_second(&self) -> f64 {
        f64::from(self.completed) / self.took.as_secs_f64()
    }

    /// Switch CPU for each completed call, ms.
    pub fn cpu_ms_per_call(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e3 / f64::from(self.completed.max(1))
    }
}
