//! What fits now: trunk by trunk, campaign by campaign, switch by switch.

use super::shared::Hand;
use super::switches::{Chosen, NoSwitch, Switches};
use super::trunk_pace::TrunkPaces;
use crate::catalogue::{Campaign, Catalogue};
use crate::clock::Moment;
use crate::tdb::{LiveCounts, Pin, QueuedCall};
use crate::trunk::{Gate, TrunkState};
use iradialer_core::value::{CallUuid, TrunkName};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// The answer to a search for a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sought<T> {
    /// This.
    Found(T),
    /// Nothing now; look again at this time, ms by the steady clock.
    NotBefore(u64),
    /// Nothing before something changes: a call ends, a switch reports.
    Nothing,
}

impl<T> Sought<T> {
    /// The better of two: something rather than nothing, sooner rather than later.
    fn or(self, other: Sought<T>) -> Sought<T> {
        match (self, other) {
            (found @ Sought::Found(_), _) | (_, found @ Sought::Found(_)) => found,
            (Sought::NotBefore(a), Sought::NotBefore(b)) => Sought::NotBefore(a.min(b)),
            (Sought::NotBefore(at), Sought::Nothing) | (Sought::Nothing, Sought::NotBefore(at)) => {
                Sought::NotBefore(at)
            }
            (Sought::Nothing, Sought::Nothing) => Sought::Nothing,
        }
    }
}

/// How many trunks and switches an explanation names at the most.
const CONSIDERED: usize = 16;

/// Where a call is to be dialled, and why there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub(super) trunk: TrunkName,
    pub(super) switch: Chosen,
    /// Whether the trunk's breaker lets through this call alone.
    pub(super) probe: bool,
    /// What was considered: a JSON object.
    pub(super) why: Value,
}

/// What one look at the queue works with.
pub(super) struct Look<'l> {
    pub(super) paces: &'l mut TrunkPaces,
    pub(super) switches: &'l mut Switches,
    /// As of now.
    pub(super) at: Moment,
}

/// How many more calls trunks and campaigns may have, as of one look at the TDB.
pub(super) struct Room<'c> {
    catalogue: &'c Catalogue,
    /// How long a dial command is good for, ms.
    not_after_ms: u64,
    live: LiveCounts,
    states: HashMap<TrunkName, TrunkState>,
}

/// A trunk that has room: the switch for it.
struct Fits {
    switch: Chosen,
    probe: bool,
}

/// A trunk that has none: when it may, and why.
struct Full {
    until: Sought<()>,
    reason: &'static str,
}

impl<'c> Room<'c> {
    /// The room that `live` calls and those in hand that are not yet among them leave on trunks that have
    /// shown `states` of themselves.
    pub(super) fn new(
        catalogue: &'c Catalogue,
        not_after: Duration,
        mut live: LiveCounts,
        mut states: HashMap<TrunkName, TrunkState>,
        in_hand: &HashMap<CallUuid, Hand>,
        now_ms: u64,
    ) -> Room<'c> {
        for hand in in_hand.values().filter(|hand| !hand.assigned) {
            *live.by_trunk.entry(hand.trunk.clone()).or_default() += 1;
            *live.by_campaign.entry(hand.campaign.clone()).or_default() += 1;
            if let (true, Some(state)) = (hand.probe, states.get_mut(&hand.trunk)) {
                *state = state.probing(now_ms);
            }
        }
        Room {
            catalogue,
            not_after_ms: not_after.as_millis() as u64,
            live,
            states,
        }
    }

    /// Whether the campaign has a place for a call, so that its queue is worth reading.
    pub(super) fn for_campaign(&self, campaign: &Campaign, look: &mut Look<'_>) -> Sought<()> {
        match self.place(campaign, None, &[], look) {
            Sought::Found(_) => Sought::Found(()),
            Sought::NotBefore(at_ms) => Sought::NotBefore(at_ms),
            Sought::Nothing => Sought::Nothing,
        }
    }

    /// A trunk and a switch for one call of the campaign that the trunks `refused` could not place,
    /// counted against every limit.
    pub(super) fn take(
        &mut self,
        campaign: &Campaign,
        call: &QueuedCall,
        refused: &[TrunkName],
        look: &mut Look<'_>,
    ) -> Sought<Place> {
        let (trunk, fits, considered) = match self.place(campaign, Some(call), refused, look) {
            Sought::Found(found) => found,
            Sought::NotBefore(at_ms) => return Sought::NotBefore(at_ms),
            Sought::Nothing => return Sought::Nothing,
        };
        let why = self.why(&trunk, &fits, considered, call, look);
        *self.live.by_trunk.entry(trunk.clone()).or_default() += 1;
        let key = (campaign.tenant_id.clone(), campaign.name.clone());
        *self.live.by_campaign.entry(key).or_default() += 1;
        let not_after_ms = look.at.steady_ms + self.not_after_ms;
        if let Some(pace) = look.paces.of(&trunk) {
            let of = (call.call_uuid, call.attempt);
            pace.take(of, not_after_ms, look.at.steady_ms);
        }
        if let (true, Some(state)) = (fits.probe, self.states.get_mut(&trunk)) {
            *state = state.probing(look.at.wall_ms);
        }
        look.switches.sent(&fits.switch.node, look.at.steady_ms);
        Sought::Found(Place {
            trunk,
            switch: fits.switch,
            probe: fits.probe,
            why,
        })
    }

    /// The first of the campaign's trunks that has room, with the switch for it, and what was thought of
    /// each on the way. Those that could not place the call are passed over.
    fn place(
        &self,
        campaign: &Campaign,
        call: Option<&QueuedCall>,
        refused: &[TrunkName],
        look: &mut Look<'_>,
    ) -> Sought<(TrunkName, Fits, Vec<Value>)> {
        let pin = call.and_then(|call| Some(&call.waited_for.as_ref()?.1));
        let only = call.and_then(|call| call.request.trunk.as_ref());
        if self.left_of(campaign) == 0 {
            return Sought::Nothing;
        }
        let mut best = Sought::Nothing;
        let mut considered = Vec::new();
        for name in &campaign.trunks {
            let mut note = |verdict: &str, reason: Option<&str>| {
                if considered.len() < CONSIDERED {
                    considered.push(json!({"name": name, "verdict": verdict, "reason": reason}));
                }
            };
            if refused.contains(name) {
                note("passed_over", Some("refused_this_call"));
                continue;
            }
            if only.is_some_and(|only| only != name) {
                note("passed_over", Some("not_asked_for"));
                continue;
            }
            match self.on_trunk(name, pin, look) {
                Ok(fits) => {
                    note("chosen", None);
                    return Sought::Found((name.clone(), fits, considered));
                }
                Err(full) => {
                    note("passed_over", Some(full.reason));
                    best = best.or(full.until);
                }
            }
        }
        match best {
            Sought::NotBefore(at_ms) => Sought::NotBefore(at_ms),
            Sought::Found(()) | Sought::Nothing => Sought::Nothing,
        }
    }

    fn on_trunk(
        &self,
        name: &TrunkName,
        pin: Option<&Pin>,
        look: &mut Look<'_>,
    ) -> Result<Fits, Full> {
        let (wall_ms, now_ms) = (look.at.wall_ms, look.at.steady_ms);
        let wait = |reason| Full {
            until: Sought::Nothing,
            reason,
        };
        let until = |at_ms, reason| Full {
            until: Sought::NotBefore(at_ms),
            reason,
        };
        let (Some(trunk), Some(pace)) = (self.catalogue.trunks.get(name), look.paces.of(name))
        else {
            return Err(wait("not_configured"));
        };
        if !trunk.enabled {
            return Err(wait("disabled"));
        }
        let gate = self.states.get(name).map(|state| state.gate(wall_ms));
        if let Some(Gate::Shut(at_ms, shut)) = gate {
            return Err(until(look.at.steady_at(at_ms), shut.as_str()));
        }
        if self.live.by_trunk.get(name).copied().unwrap_or(0) >= trunk.max_calls {
            return Err(wait("full"));
        }
        let ready_ms = pace.ready_ms(now_ms);
        if ready_ms > now_ms {
            return Err(until(ready_ms, "at_its_rate"));
        }
        let chosen = match pin {
            Some(pin) => look.switches.choose_pinned(pin, name, now_ms),
            None => look.switches.choose(name, now_ms),
        };
        match chosen {
            Ok(switch) => Ok(Fits {
                switch,
                probe: gate == Some(Gate::Probe),
            }),
            Err(NoSwitch::Until(at_ms)) => Err(until(at_ms, "no_switch")),
            Err(NoSwitch::Wait) => Err(wait("no_switch")),
        }
    }

    fn why(
        &self,
        trunk: &TrunkName,
        fits: &Fits,
        considered: Vec<Value>,
        call: &QueuedCall,
        look: &mut Look<'_>,
    ) -> Value {
        let now_ms = look.at.wall_ms;
        let max_cps = self
            .catalogue
            .trunks
            .get(trunk)
            .map_or(0.0, |of| of.max_cps);
        let state = self.states.get(trunk);
        json!({
            "region": self.catalogue.region,
            "trunks": considered,
            "trunk": {
                "max_cps": max_cps,
                "cps": state.map_or(max_cps, |state| rounded(state.rate(max_cps, now_ms))),
                "live_calls": self.live.by_trunk.get(trunk).copied().unwrap_or(0),
                "breaker": state.map_or("closed", |state| state.breaker.as_str()),
                "probe": fits.probe,
            },
            "switch": {
                "node": fits.switch.node,
                "considered": look.switches.considered(Some(trunk), CONSIDERED, look.at.steady_ms),
            },
            "queue": {
                "priority": call.priority,
                "waited_ms": now_ms.saturating_sub(call.created_ms),
            },
        })
    }

    fn left_of(&self, campaign: &Campaign) -> u32 {
        let key = (campaign.tenant_id.clone(), campaign.name.clone());
        let live = self.live.by_campaign.get(&key).copied().unwrap_or(0);
        campaign.max_calls.saturating_sub(live)
    }
}

/// A rate as a person reads it.
fn rounded(cps: f64) -> f64 {
    (cps * 1_000.0).round() / 1_000.0
}
