//! The switches of the cluster as their heartbeats show them.

use super::pace::Pace;
use iradialer_core::value::{CallUuid, NodeId, TrunkName};
use iradialer_core::wire::{Heartbeat, SwitchState};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// How many dial commands may be unanswered on one switch: one that hangs holds up this many calls.
pub const MAX_UNANSWERED: u32 = 64;
/// How long a switch is left alone after it refused a call as busy: about as long as it takes to set
/// one up. More would leave a switch idle that is at its best when it is almost full.
const BUSY_PAUSE: Duration = Duration::from_millis(50);
/// How long it is left alone after it did not answer.
const UNANSWERED_PAUSE: Duration = Duration::from_secs(1);
/// How long a trunk of a switch is left alone after the switch said it is down.
const TRUNK_PAUSE: Duration = Duration::from_secs(5);

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
    },
}

/// Why no switch can take a call now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSwitch {
    /// One can at this time, ms since the Unix epoch.
    Until(u64),
    /// None before something changes: a heartbeat, the end of a call.
    Wait,
}

/// What a heartbeat shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Only that the switch lives.
    Nothing,
    /// More than that: it is new, was loaded again, was silent, or changed its state.
    Change,
    /// A life that another had replaced: two modules run under one name. Told once for each pair.
    TwoOfOneName,
}

/// The table of switches.
#[derive(Debug)]
pub struct Switches {
    lost_after_ms: u64,
    listening_since_ms: u64,
    by_node: BTreeMap<NodeId, Switch>,
}

#[derive(Debug)]
struct Switch {
    heartbeat: Heartbeat,
    seen_ms: u64,
    incarnation_since_ms: u64,
    /// The life before this one.
    former: Option<CallUuid>,
    told_of_two: bool,
    /// Cleared by the next heartbeat.
    shunned: bool,
    paused_until_ms: u64,
    trunks_paused_until_ms: HashMap<TrunkName, u64>,
    unanswered: u32,
    /// Calls it has accepted since its last heartbeat, which therefore does not count them.
    accepted_since: u32,
    pace: Pace,
}

impl Switches {
    /// An empty table. A switch silent for longer than `lost_after` gets no calls.
    pub fn new(lost_after: Duration, now_ms: u64) -> Switches {
        Switches {
            lost_after_ms: ms(lost_after),
            listening_since_ms: now_ms,
            by_node: BTreeMap::new(),
        }
    }

    /// We may have missed heartbeats until now, because we were disconnected or stood still: no
    /// silence before this moment counts.
    pub fn deaf_until(&mut self, now_ms: u64) {
        self.listening_since_ms = now_ms;
    }

    /// Takes in a heartbeat.
    pub fn hear(&mut self, heartbeat: Heartbeat, now_ms: u64) -> Heard {
        let Some(known) = self.by_node.get_mut(&heartbeat.node_id) else {
            self.by_node
                .insert(heartbeat.node_id.clone(), Switch::new(heartbeat, now_ms));
            return Heard::Change;
        };
        let reborn = known.heartbeat.incarnation != heartbeat.incarnation;
        // The last heartbeat of the old life may come after the first of the new one.
        if reborn && heartbeat.state == SwitchState::Leaving {
            return Heard::Nothing;
        }
        let was_silent = now_ms.saturating_sub(known.seen_ms) > self.lost_after_ms;
        let changed = known.heartbeat.state != heartbeat.state
            || known.heartbeat.max_calls != heartbeat.max_calls;
        if reborn {
            let is_back = known.former == Some(heartbeat.incarnation);
            let tell = is_back && !known.told_of_two;
            *known = Switch {
                unanswered: known.unanswered,
                former: Some(known.heartbeat.incarnation),
                told_of_two: is_back,
                ..Switch::new(heartbeat, now_ms)
            };
            return match (tell, is_back) {
                (true, _) => Heard::TwoOfOneName,
                // The two take turns every second, which is not worth a line each time.
                (false, true) => Heard::Nothing,
                (false, false) => Heard::Change,
            };
        }
        known.pace.set_rate(heartbeat.max_cps, now_ms);
        known.heartbeat = heartbeat;
        known.seen_ms = now_ms;
        let was_shunned = std::mem::take(&mut known.shunned);
        known.accepted_since = 0;
        match was_silent || was_shunned || changed {
            true => Heard::Change,
            false => Heard::Nothing,
        }
    }

    /// The least loaded switch that can take a call on `trunk` now.
    pub fn choose(&mut self, trunk: &TrunkName, now_ms: u64) -> Result<Chosen, NoSwitch> {
        let lost_after_ms = self.lost_after_ms;
        let mut soonest = None;
        let mut best: Option<(f64, &Switch)> = None;
        for switch in self.by_node.values_mut() {
            if !switch.has_room(now_ms, lost_after_ms) {
                continue;
            }
            let ready_ms = switch.ready_ms(trunk, now_ms);
            if ready_ms > now_ms {
                soonest = Some(soonest.map_or(ready_ms, |soonest: u64| soonest.min(ready_ms)));
                continue;
            }
            let load = switch.load();
            if best.is_none_or(|(least, _)| load < least) {
                best = Some((load, switch));
            }
        }
        match best {
            Some((_, switch)) => Ok(Chosen {
                node: switch.heartbeat.node_id.clone(),
                incarnation: switch.heartbeat.incarnation,
                journal_id: switch.heartbeat.journal_id,
            }),
            None => Err(soonest.map_or(NoSwitch::Wait, NoSwitch::Until)),
        }
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

    /// How that life of that switch stands.
    pub fn standing(&self, node: &NodeId, incarnation: &CallUuid, now_ms: u64) -> Standing {
        let Some(switch) = self.by_node.get(node) else {
            let for_ms = now_ms.saturating_sub(self.listening_since_ms);
            return Standing::Silent { for_ms };
        };
        if switch.heartbeat.incarnation != *incarnation {
            let since_ms = now_ms.saturating_sub(switch.incarnation_since_ms);
            return Standing::Replaced { since_ms };
        }
        let silent_ms = now_ms.saturating_sub(switch.seen_ms);
        if silent_ms <= self.lost_after_ms {
            return Standing::Here;
        }
        let listening_ms = now_ms.saturating_sub(self.listening_since_ms);
        Standing::Silent {
            for_ms: silent_ms.min(listening_ms),
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

impl Switch {
    fn new(heartbeat: Heartbeat, now_ms: u64) -> Switch {
        Switch {
            pace: Pace::new(heartbeat.max_cps, now_ms),
            heartbeat,
            seen_ms: now_ms,
            incarnation_since_ms: now_ms,
            former: None,
            told_of_two: false,
            shunned: false,
            paused_until_ms: 0,
            trunks_paused_until_ms: HashMap::new(),
            unanswered: 0,
            accepted_since: 0,
        }
    }

    fn has_room(&self, now_ms: u64, lost_after_ms: u64) -> bool {
        self.heartbeat.state == SwitchState::Active
            && !self.shunned
            && !self.is_contested(now_ms, lost_after_ms)
            && now_ms.saturating_sub(self.seen_ms) <= lost_after_ms
            && self.unanswered < MAX_UNANSWERED
            && self.expected_calls() < self.heartbeat.max_calls
    }

    /// Whether two modules take turns under this name: neither gets a call until one has been gone for
    /// as long as makes a switch lost.
    fn is_contested(&self, now_ms: u64, lost_after_ms: u64) -> bool {
        self.told_of_two && now_ms.saturating_sub(self.incarnation_since_ms) <= lost_after_ms
    }

    fn ready_ms(&mut self, trunk: &TrunkName, now_ms: u64) -> u64 {
        let trunk_ms = self.trunks_paused_until_ms.get(trunk).copied();
        self.pace
            .ready_ms(now_ms)
            .max(self.paused_until_ms)
            .max(trunk_ms.unwrap_or(0))
    }

    /// What its next heartbeat will say at the most.
    fn expected_calls(&self) -> u32 {
        self.heartbeat
            .calls
            .saturating_add(self.accepted_since)
            .saturating_add(self.unanswered)
    }

    fn load(&self) -> f64 {
        f64::from(self.expected_calls()) / f64::from(self.heartbeat.max_calls.max(1))
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
