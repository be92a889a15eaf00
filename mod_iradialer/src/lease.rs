//! What this switch may use of the cluster's licence: the lease that IraPass has given it, and how long that holds.

use iradialer_core::license::{EVALUATION, Features};
use iradialer_core::wire::LeaseReply;

/// What the switch may use.
#[derive(Debug, Clone)]
pub enum Lease {
    /// No gateway has ever given it one: it is evaluated by itself.
    Never,
    /// An earlier life had one, and this one has none yet.
    Awaited,
    /// It was given one.
    Given(Given),
}

/// A lease.
#[derive(Debug, Clone)]
pub struct Given {
    reply: LeaseReply,
    /// Until when it holds, µs by the host's steady clock.
    until_us: u64,
}

/// What may be used now.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowed {
    /// Calls at once.
    pub channels: u32,
    /// Calls begun a second.
    pub cps: f64,
    /// What calls may do.
    pub features: Features,
    /// Whether that is so because there is no licence.
    pub evaluation: bool,
    /// Why no new call may be begun, where that is so.
    pub why_none: Option<String>,
}

impl Lease {
    /// At the load. `had`: whether an earlier life on the same journal was given one.
    pub fn at_load(had: bool) -> Self {
        match had {
            true => Lease::Awaited,
            false => Lease::Never,
        }
    }

    /// One that was given, for a question that was asked at `asked_us`; the clock shows `rate` seconds in a real one.
    pub fn given(reply: LeaseReply, asked_us: u64, rate: f64) -> Self {
        let good_for_us = reply.good_for_ms as f64 * 1_000.0 * rate;
        Lease::Given(Given {
            until_us: asked_us.saturating_add(good_for_us as u64),
            reply,
        })
    }

    /// What may be used at that time. The lease of a gateway that is away holds to its end.
    pub fn allowed(&self, steady_us: u64) -> Allowed {
        let none = |features, why: String| Allowed {
            channels: 0,
            cps: 0.0,
            features,
            evaluation: false,
            why_none: Some(why),
        };
        match self {
            Lease::Never => Allowed {
                channels: EVALUATION.max_channels,
                cps: EVALUATION.max_cps,
                features: EVALUATION.features,
                evaluation: true,
                why_none: None,
            },
            Lease::Awaited => none(
                Features::ALL,
                "licence: no gateway has given this switch a lease since the module was loaded"
                    .into(),
            ),
            Lease::Given(given) if steady_us >= given.until_us => {
                let ago_s = (steady_us - given.until_us) / 1_000_000;
                let why = format!(
                    "licence: the lease ran out {ago_s} s ago, and no gateway gives another"
                );
                none(given.reply.features, why)
            }
            Lease::Given(given) => Allowed {
                channels: given.reply.channels,
                cps: f64::from(given.reply.rate) / 1_000.0,
                features: given.reply.features,
                evaluation: given.reply.evaluation,
                why_none: given.reply.why_none.clone(),
            },
        }
    }

    /// How long it still holds, ms in real time.
    pub fn left_ms(&self, steady_us: u64, rate: f64) -> u64 {
        match self {
            Lease::Given(given) => {
                let left_us = given.until_us.saturating_sub(steady_us);
                (left_us as f64 / rate / 1_000.0) as u64
            }
            Lease::Never | Lease::Awaited => 0,
        }
    }

    /// What it holds of channels and rate, as IraPass counts it.
    pub fn holds(&self, steady_us: u64) -> (u32, u32) {
        match self {
            Lease::Given(given) if steady_us < given.until_us => {
                (given.reply.channels, given.reply.rate)
            }
            _ => (0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(channels: u32) -> LeaseReply {
        serde_json::from_value(serde_json::json!({
            "v": 1, "ask": 1, "channels": channels, "rate": 2_500, "features": ["ivr"],
            "good_for_ms": 60_000, "evaluation": false,
        }))
        .unwrap()
    }

    #[test]
    fn one_that_was_given_holds_to_its_end_and_no_longer() {
        let lease = Lease::given(reply(7), 1_000_000, 1.0);
        let allowed = lease.allowed(60_999_999);
        assert_eq!((allowed.channels, allowed.cps), (7, 2.5));
        assert_eq!(lease.holds(60_999_999), (7, 2_500));
        assert_eq!(lease.left_ms(31_000_000, 1.0), 30_000);
        let over = lease.allowed(64_000_000);
        assert_eq!((over.channels, over.cps), (0, 0.0));
        let why = over.why_none.unwrap();
        assert!(why.contains("ran out 3 s ago"), "{why}");
        assert_eq!(
            (lease.holds(64_000_000), lease.left_ms(64_000_000, 1.0)),
            ((0, 0), 0)
        );
    }

    #[test]
    fn it_holds_in_real_time_where_the_clock_runs_faster() {
        let lease = Lease::given(reply(7), 0, 10.0);
        assert_eq!(lease.allowed(599_000_000).channels, 7);
        assert_eq!(lease.allowed(600_000_000).channels, 0);
        assert_eq!(lease.left_ms(300_000_000, 10.0), 30_000);
    }

    #[test]
    fn without_one_a_switch_is_evaluated_and_after_one_it_waits() {
        let never = Lease::at_load(false).allowed(5);
        assert_eq!(
            (never.channels, never.cps, never.evaluation),
            (10, 5.0, true)
        );
        let awaited = Lease::at_load(true).allowed(5);
        assert_eq!(awaited.channels, 0);
        assert!(
            awaited
                .why_none
                .unwrap()
                .contains("since the module was loaded")
        );
    }
}
