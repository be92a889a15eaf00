//! The switches of the cluster, and those of the router's region among them, as their heartbeats show them.

mod listed;
mod switch;

use crate::catalogue::Catalogue;
use crate::clock::Moment;
use crate::config::Node;
use crate::tdb::{HeardNode, Pin};
use iradialer_core::value::{CallUuid, NodeId, RegionName, TrunkName};
use iradialer_core::wire::{Heartbeat, SwitchState};
use listed::Listed;
use std::collections::BTreeMap;
use std::time::Duration;
use switch::Switch;

/// How many dial commands may be unanswered on one switch: one that hangs holds up this many calls.
pub const MAX_UNANSWERED: u32 = 64;
/// How long a switch is left alone after it refused a call as busy: about as long as it takes to set
/// one up. More would leave a switch idle that is at its best when it is almost full.
const BUSY_PAUSE: Duration = Duration::from_millis(50);
/// How long it is left alone after it did not answer.
const UNANSWERED_PAUSE: Duration = Duration::from_secs(1);
/// How long a trunk of a switch is left alone after the switch said it is down.
const TRUNK_PAUSE: Duration = Duration::from_secs(5);
/// Nobody has looked at the table for so long: this process stood still, and may have missed heartbeats.
const STOOD_STILL_MS: u64 = 3_000;

/// One life of one switch, as a dial command must name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The switch.
    pub node: NodeId,
    /// The life of its module.
    pub incarnation: CallUuid,
    /// The journal it has in that life.
    pub journal_id: CallUuid,
}

/// How the life of a switch that holds an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was heard lately: it can be asked.
    Here,
    /// It has been silent for that many ms.
    Silent {
        /// Since the last heartbeat, or since we listen.
        for_ms: u64,
    },
    /// The module was loaded again, that many ms ago: this life is over.
    Replaced {
        /// Since the first heartbeat of the new life.
        since_ms: u64,
        /// The new life, where it has the journal of the old one and so can answer for it.
        by: Option<CallUuid>,
    },
}

/// Why no switch can take a call now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSwitch {
    /// One can at this time, ms by the steady clock.
    Until(u64),
    /// None before something changes: a heartbeat, the end of a call.
    Wait,
}

/// What was thought of a switch when a call was given out.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Considered {
    /// The switch.
    pub node: NodeId,
    /// `room`, or why it can take no call now.
    pub verdict: &'static str,
    /// Calls that it holds or was sent.
    pub calls: u32,
    /// The most it holds.
    pub max_calls: u32,
}

/// What a heartbeat shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Only that the switch lives.
    Nothing,
    /// That it can hold more calls than before: by its settings, or its lease of the licence.
    Room,
    /// More than that: it is new, was loaded again, was silent, or changed its state.
    Change,
    /// A life that another had replaced, and that is not over: two modules run under one name. Told when
    /// it begins.
    TwoOfOneName,
}

/// The table of switches. Times are ms by the steady clock.
#[derive(Debug)]
pub struct Switches {
    lost_after_ms: u64,
    listening_since_ms: u64,
    looked_ms: u64,
    listed: Listed,
    by_node: BTreeMap<NodeId, Switch>,
}

impl Switches {
    /// An empty table. A switch silent for longer than `lost_after` gets no calls.
    pub fn new(lost_after: Duration, now_ms: u64) -> Switches {
        Switches {
            lost_after_ms: ms(lost_after),
            listening_since_ms: now_ms,
            looked_ms: now_ms,
            listed: Listed::nothing(),
            by_node: BTreeMap::new(),
        }
    }

    /// The same, where calls are given to the switches of `region` only, with the weights of `nodes`. The
    /// others are heard as well: a call may be open on one that is not listed any more.
    pub fn of(mut self, region: &RegionName, nodes: &[Node]) -> Switches {
        self.listed = Listed::of(region, nodes);
        self
    }

    /// Goes by what the catalogue says from now on.
    pub fn list(&mut self, catalogue: &Catalogue) {
        self.listed = Listed::in_catalogue(catalogue);
    }

    /// We may have missed heartbeats until now, because we were disconnected or stood still: no
    /// silence before this moment counts.
    pub fn deaf_until(&mut self, now_ms: u64) {
        self.listening_since_ms = now_ms;
    }

    /// Notices that this process stood still, or that the clock was set back: whoever looks first after
    /// that must not take our silence for a switch's.
    fn mind_the_time(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.looked_ms) > STOOD_STILL_MS {
            self.deaf_until(now_ms);
        }
        if now_ms < self.looked_ms {
            self.listening_since_ms = self.listening_since_ms.min(now_ms);
            for switch in self.by_node.values_mut() {
                switch.seen_ms = switch.seen_ms.min(now_ms);
                switch.incarnation_since_ms = switch.incarnation_since_ms.min(now_ms);
                if let Some((_, heard_ms)) = &mut switch.twin {
                    *heard_ms = (*heard_ms).min(now_ms);
                }
            }
        }
        self.looked_ms = now_ms;
    }

    /// Takes in a heartbeat.
    pub fn hear(&mut self, heartbeat: Heartbeat, now_ms: u64) -> Heard {
        self.mind_the_time(now_ms);
        let lost_after_ms = self.lost_after_ms;
        let Some(known) = self.by_node.get_mut(&heartbeat.node_id) else {
            self.by_node
                .insert(heartbeat.node_id.clone(), Switch::new(heartbeat, now_ms));
            return Heard::Change;
        };
        let silent_ms = now_ms.saturating_sub(known.seen_ms);
        if known.heartbeat.incarnation != heartbeat.incarnation {
            // The last heartbeat of the old life may come after the first of the new one.
            if heartbeat.state == SwitchState::Leaving {
                return Heard::Nothing;
            }
            // Lives are ordered by their UUIDs. Where the later one is silent, a clock was set back
            // between the two.
            let is_earlier = heartbeat.incarnation < known.heartbeat.incarnation;
            if is_earlier && silent_ms <= lost_after_ms {
                return known.hear_earlier(&heartbeat, now_ms, lost_after_ms);
            }
            *known = Switch {
                unanswered: known.unanswered,
                former: Some(known.heartbeat.incarnation),
                ..Switch::new(heartbeat, now_ms)
            };
            return Heard::Change;
        }
        let changed = known.heartbeat.state != heartbeat.state;
        let has_room = heartbeat.max_calls > known.heartbeat.max_calls;
        known.pace.set_rate(heartbeat.max_cps, now_ms);
        known.heartbeat = heartbeat;
        known.seen_ms = now_ms;
        let was_shunned = std::mem::take(&mut known.shunned);
        known.accepted_since = 0;
        match silent_ms > lost_after_ms || was_shunned || changed {
            true => Heard::Change,
            false if has_room => Heard::Room,
            false => Heard::Nothing,
        }
    }

    /// The switch that can take a call on `trunk` now and is loaded least for its weight.
    pub fn choose(&mut self, trunk: &TrunkName, now_ms: u64) -> Result<Chosen, NoSwitch> {
        self.mind_the_time(now_ms);
        let lost_after_ms = self.lost_after_ms;
        let mut soonest = None;
        let mut best: Option<(f64, &Switch)> = None;
        for switch in self.by_node.values_mut() {
            let weight = self.listed.weight(&switch.heartbeat.node_id);
            let weight = weight.unwrap_or(0);
            let (node, life) = (&switch.heartbeat.node_id, &switch.heartbeat.incarnation);
            let is_held = self.listed.held(node, life).is_some() || !self.listed.has(node, trunk);
            if weight == 0 || is_held || !switch.has_room(now_ms, lost_after_ms) {
                continue;
            }
            let ready_ms = switch.ready_ms(trunk, now_ms);
            if ready_ms > now_ms {
                soonest = Some(soonest.map_or(ready_ms, |soonest: u64| soonest.min(ready_ms)));
                continue;
            }
            let load = switch.load() / f64::from(weight);
            if best.is_none_or(|(least, _)| load < least) {
                best = Some((load, switch));
            }
        }
        match best {
            Some((_, switch)) => Ok(switch.life()),
            None => Err(soonest.map_or(NoSwitch::Wait, NoSwitch::Until)),
        }
    }

    /// The one life of the one switch that a call may be given to, where it can take one on `trunk` now. Its
    /// weight does not matter: it has the call that waits. While it drains it lets in what is waited for.
    pub fn choose_pinned(
        &mut self,
        pin: &Pin,
        trunk: &TrunkName,
        now_ms: u64,
    ) -> Result<Chosen, NoSwitch> {
        self.mind_the_time(now_ms);
        let lost_after_ms = self.lost_after_ms;
        let has_trunk = self.listed.has(&pin.node_id, trunk);
        let switch = self.by_node.get_mut(&pin.node_id);
        let switch = switch.filter(|_| has_trunk);
        let switch = switch.filter(|switch| {
            let drains = switch.heartbeat.state == SwitchState::Draining
                && switch.can_be_asked(now_ms, lost_after_ms);
            switch.heartbeat.incarnation == pin.incarnation
                && (drains || switch.has_room(now_ms, lost_after_ms))
        });
        let Some(switch) = switch else {
            return Err(NoSwitch::Wait);
        };
        match switch.ready_ms(trunk, now_ms) {
            ready_ms if ready_ms > now_ms => Err(NoSwitch::Until(ready_ms)),
            _ => Ok(switch.life()),
        }
    }

    /// What is thought of each switch of the region for a call, on `trunk` where one is given; at most `limit` of them.
    pub fn considered(
        &mut self,
        trunk: Option<&TrunkName>,
        limit: usize,
        now_ms: u64,
    ) -> Vec<Considered> {
        self.mind_the_time(now_ms);
        let lost_after_ms = self.lost_after_ms;
        let switches = self.by_node.values_mut().filter_map(|switch| {
            let weight = self.listed.weight(&switch.heartbeat.node_id)?;
            Some((weight, switch))
        });
        switches
            .take(limit)
            .map(|(weight, switch)| Considered {
                verdict: verdict_of(&self.listed, switch, weight, trunk, now_ms, lost_after_ms),
                node: switch.heartbeat.node_id.clone(),
                calls: switch.expected_calls(),
                max_calls: switch.heartbeat.max_calls,
            })
            .collect()
    }

    /// What each switch of the region has said last; at most `limit` of them.
    pub fn heard(&mut self, limit: usize, now: Moment) -> Vec<HeardNode> {
        self.mind_the_time(now.steady_ms);
        let own = |switch: &&Switch| self.listed.weight(&switch.heartbeat.node_id).is_some();
        let switches = self.by_node.values().filter(own).take(limit);
        let lost_after_ms = self.lost_after_ms;
        switches
            .map(|switch| switch.noted(now, lost_after_ms))
            .collect()
    }

    /// What the switch said of itself last.
    pub fn state_of(&self, node: &NodeId) -> Option<SwitchState> {
        let switch = self.by_node.get(node)?;
        Some(switch.heartbeat.state)
    }

    /// A dial command is about to be sent to the switch.
    pub fn sent(&mut self, node: &NodeId, now_ms: u64) {
        self.with(node, |switch| {
            switch.unanswered += 1;
            switch.pace.take(now_ms);
        });
    }

    /// It was answered, or is no longer waited for.
    pub fn settled(&mut self, node: &NodeId) {
        self.with(node, |switch| {
            switch.unanswered = switch.unanswered.saturating_sub(1);
        });
    }

    /// The switch accepted a call.
    pub fn accepted(&mut self, chosen: &Chosen) {
        self.with_life(chosen, |switch| switch.accepted_since += 1);
    }

    /// The switch refused as busy.
    pub fn busy(&mut self, chosen: &Chosen, now_ms: u64) {
        self.with_life(chosen, |switch| {
            switch.paused_until_ms = switch.paused_until_ms.max(now_ms + ms(BUSY_PAUSE));
        });
    }

    /// The switch did not answer.
    pub fn unanswered(&mut self, chosen: &Chosen, now_ms: u64) {
        self.with_life(chosen, |switch| {
            switch.paused_until_ms = switch.paused_until_ms.max(now_ms + ms(UNANSWERED_PAUSE));
        });
    }

    /// The switch is not as its heartbeat said (it drains, is gone, has another journal): it gets
    /// nothing before the next one.
    pub fn shun(&mut self, chosen: &Chosen) {
        self.with_life(chosen, |switch| switch.shunned = true);
    }

    /// The switch says that it has no such trunk, or that it is down.
    pub fn trunk_down(&mut self, chosen: &Chosen, trunk: &TrunkName, now_ms: u64) {
        self.with_life(chosen, |switch| {
            let until_ms = now_ms + ms(TRUNK_PAUSE);
            switch
                .trunks_paused_until_ms
                .insert(trunk.clone(), until_ms);
        });
    }

    /// The current lives of the region's switches that can be asked.
    pub fn here(&mut self, now_ms: u64) -> Vec<Chosen> {
        self.mind_the_time(now_ms);
        let heard = |switch: &&Switch| now_ms.saturating_sub(switch.seen_ms) <= self.lost_after_ms;
        let own = |switch: &&Switch| self.listed.weight(&switch.heartbeat.node_id).is_some();
        let switches = self.by_node.values().filter(heard).filter(own);
        switches.map(Switch::life).collect()
    }

    /// Whether the switch says that events of its calls still wait to be published.
    pub fn has_more_to_tell(&self, node: &NodeId) -> bool {
        let switch = self.by_node.get(node);
        switch.is_some_and(|switch| switch.heartbeat.events_waiting > 0)
    }

    /// How that life of that switch stands, which had the journal `journal_id`.
    pub fn standing(
        &mut self,
        node: &NodeId,
        incarnation: &CallUuid,
        journal_id: Option<&CallUuid>,
        now_ms: u64,
    ) -> Standing {
        self.mind_the_time(now_ms);
        let listening_ms = now_ms.saturating_sub(self.listening_since_ms);
        let Some(switch) = self.by_node.get(node) else {
            return Standing::Silent {
                for_ms: listening_ms,
            };
        };
        let current = &switch.heartbeat;
        let silence = |since_ms: u64| match now_ms.saturating_sub(since_ms) {
            silent_ms if silent_ms <= self.lost_after_ms => Standing::Here,
            silent_ms => Standing::Silent {
                for_ms: silent_ms.min(listening_ms),
            },
        };
        if current.incarnation == *incarnation {
            return silence(switch.seen_ms);
        }
        if let Some((twin, heard_ms)) = switch.twin
            && twin == *incarnation
            && silence(heard_ms) == Standing::Here
        {
            return Standing::Here;
        }
        let since_ms = now_ms.saturating_sub(switch.incarnation_since_ms);
        // A journal has one module at a time: the one that has it now knows what those before it had,
        // whichever of them began first.
        let by = (journal_id == Some(&current.journal_id)).then_some(current.incarnation);
        let is_over = *incarnation < current.incarnation || switch.former == Some(*incarnation);
        match by.is_some() || is_over {
            true => Standing::Replaced { since_ms, by },
            // To hear an earlier life says nothing of a later one, to which another router has given it.
            false => Standing::Silent {
                for_ms: since_ms.min(listening_ms),
            },
        }
    }

    fn with(&mut self, node: &NodeId, change: impl FnOnce(&mut Switch)) {
        if let Some(switch) = self.by_node.get_mut(node) {
            change(switch);
        }
    }

    fn with_life(&mut self, chosen: &Chosen, change: impl FnOnce(&mut Switch)) {
        self.with(&chosen.node, |switch| {
            if switch.heartbeat.incarnation == chosen.incarnation {
                change(switch);
            }
        });
    }
}

/// What a person wants goes before what the switch says, but for its silence.
fn verdict_of(
    listed: &Listed,
    switch: &mut Switch,
    weight: u16,
    trunk: Option<&TrunkName>,
    now_ms: u64,
    lost_after_ms: u64,
) -> &'static str {
    let (node, life) = (&switch.heartbeat.node_id, &switch.heartbeat.incarnation);
    if weight == 0 {
        return "weight_0";
    }
    if let Some(held) = listed.held(node, life) {
        return held;
    }
    if trunk.is_some_and(|trunk| !listed.has(node, trunk)) {
        return "not_its_trunk";
    }
    switch.verdict(trunk, now_ms, lost_after_ms)
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
