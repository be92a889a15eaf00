//! What the licence allows calls to do, and the lease that says so.

use super::Engine;
use crate::admission::{Refusal, Standing};
use crate::call::Call;
use crate::config::Config;
use crate::host::Level;
use crate::lease::Lease;
use iradialer_core::license::{Feature, Features};
use iradialer_core::wire::{self, LeaseAsk, LeaseReply, RefusalReason};
use std::fs::OpenOptions;

/// Beside the journal, once a gateway has given this switch a lease: it is not evaluated by itself any more.
const LEASED: &str = "leased";

/// Whether an earlier life on the configuration's journal was given a lease.
pub(super) fn had_lease(config: &Config) -> bool {
    let dir = config.journal_dir.as_deref();
    dir.is_some_and(|dir| dir.join(LEASED).exists())
}

impl Engine {
    /// What is to be asked of IraPass now.
    pub fn lease_ask(&self, leaves: bool) -> LeaseAsk {
        let standing = self
            .admission
            .ask(self.host.steady_us(), self.host.clock_rate());
        let Standing {
            ask,
            channels,
            rate,
            left_ms,
        } = standing;
        LeaseAsk {
            v: wire::VERSION,
            node_id: self.identity.node_id.clone(),
            incarnation: self.identity.incarnation,
            journal_id: self.identity.journal_id,
            ask,
            channels,
            rate,
            left_ms,
            leaves,
        }
    }

    /// Takes the answer to a question that was asked at `asked_us`, if it is the last that was. Returns whether
    /// less may be used than before, which is to be confirmed.
    pub fn take_lease(&self, reply: LeaseReply, asked_us: u64) -> Option<bool> {
        let (ask, steady_us) = (reply.ask, self.host.steady_us());
        let before = self.admission.allowed(steady_us);
        let lease = Lease::given(reply, asked_us, self.host.clock_rate());
        let is_less = self.admission.take_lease(ask, lease, steady_us)?;
        self.note_leased();
        let now = self.admission.allowed(steady_us);
        if now.why_none != before.why_none || now.evaluation != before.evaluation {
            let (level, line) = match (&now.why_none, now.evaluation) {
                (Some(why), _) => (Level::Error, format!("{why}: no new call starts")),
                (None, true) => (
                    Level::Warning,
                    "the cluster has no licence: an evaluation of 10 calls at once, 5 a second, on 2 switches"
                        .to_owned(),
                ),
                (None, false) => (Level::Info, "the licence lets calls start".to_owned()),
            };
            self.host.log(level, &line);
        }
        Some(is_less)
    }

    /// Another life of this switch is not to evaluate itself.
    fn note_leased(&self) {
        let config = self.config.read();
        let Some(dir) = &config.journal_dir else {
            return;
        };
        let file = dir.join(LEASED);
        if file.exists() {
            return;
        }
        let made = OpenOptions::new().create(true).append(true).open(&file);
        if let Err(error) = made {
            let line = format!("{}: {error}", file.display());
            self.host.log(Level::Warning, &line);
        }
    }

    /// Refuses a call whose flow takes what the licence does not allow.
    pub(crate) fn check_features(&self, call: &Call) -> Result<(), Refusal> {
        let features = self.admission.allowed(self.host.steady_us()).features;
        if features == Features::ALL {
            return Ok(());
        }
        let others = call.other_flows().values().map(AsRef::as_ref);
        let flows = call.flow().into_iter().chain(others);
        let needed = flows.fold(Features::NONE, |all, flow| all.and(Features::of_flow(flow)));
        self.check_allowed(needed)
    }

    /// Refuses what the licence does not allow.
    pub(crate) fn check_allowed(&self, needed: Features) -> Result<(), Refusal> {
        let features = self.admission.allowed(self.host.steady_us()).features;
        match features.lacks(needed) {
            None => Ok(()),
            Some(feature) => Err(not_in_it(feature)),
        }
    }
}

fn not_in_it(feature: Feature) -> Refusal {
    let detail = format!("licence: it does not allow {feature}");
    Refusal::new(RefusalReason::License, detail)
}
