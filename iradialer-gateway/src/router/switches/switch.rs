//! One switch, as its heartbeats show it and what became of what it was sent.

use super::{Chosen, Heard, MAX_UNANSWERED};
use crate::clock::Moment;
use crate::router::pace::Pace;
use crate::tdb::HeardNode;
use iradialer_core::value::{CallUuid, TrunkName};
use iradialer_core::wire::{Heartbeat, SwitchState};
use std::collections::HashMap;

#[derive(Debug)]
pub(super) struct Switch {
    pub(super) heartbeat: Heartbeat,
    pub(super) seen_ms: u64,
    pub(super) incarnation_since_ms: u64,
    /// When this life was first heard, by its own clock.
    pub(super) first_beat_ms: u64,
    /// The life before this one.
    pub(super) former: Option<CallUuid>,
    /// An earlier life that is not over, and when it was last heard.
    pub(super) twin: Option<(CallUuid, u64)>,
    /// Cleared by the next heartbeat.
    pub(super) shunned: bool,
    pub(super) paused_until_ms: u64,
    pub(super) trunks_paused_until_ms: HashMap<TrunkName, u64>,
    pub(super) unanswered: u32,
    /// Calls it has accepted since its last heartbeat, which therefore does not count them.
    pub(super) accepted_since: u32,
    pub(super) pace: Pace,
}

impl Switch {
    pub(super) fn new(heartbeat: Heartbeat, now_ms: u64) -> Switch {
        let first_beat_ms = heartbeat.at_ms;
        Switch {
            pace: Pace::new(heartbeat.max_cps, now_ms),
            heartbeat,
            seen_ms: now_ms,
            incarnation_since_ms: now_ms,
            first_beat_ms,
            former: None,
            twin: None,
            shunned: false,
            paused_until_ms: 0,
            trunks_paused_until_ms: HashMap::new(),
            unanswered: 0,
            accepted_since: 0,
        }
    }

    pub(super) fn has_room(&self, now_ms: u64, lost_after_ms: u64) -> bool {
        self.heartbeat.state == SwitchState::Active && self.can_be_asked(now_ms, lost_after_ms)
    }

    pub(super) fn can_be_asked(&self, now_ms: u64, lost_after_ms: u64) -> bool {
        !self.shunned
            && !self.is_contested(now_ms, lost_after_ms)
            && now_ms.saturating_sub(self.seen_ms) <= lost_after_ms
            && self.unanswered < MAX_UNANSWERED
            && self.expected_calls() < self.heartbeat.max_calls
    }

    pub(super) fn verdict(
        &mut self,
        trunk: Option<&TrunkName>,
        now_ms: u64,
        lost_after_ms: u64,
    ) -> &'static str {
        if now_ms.saturating_sub(self.seen_ms) > lost_after_ms {
            return "silent";
        }
        match self.heartbeat.state {
            SwitchState::Active => {}
            SwitchState::Draining => return "draining",
            SwitchState::Leaving => return "leaving",
            SwitchState::Faulty => return "faulty",
        }
        if self.is_contested(now_ms, lost_after_ms) {
            return "two_of_one_name";
        }
        if self.shunned {
            return "refused_lately";
        }
        if self.unanswered >= MAX_UNANSWERED {
            return "does_not_answer";
        }
        if self.heartbeat.license.is_some() {
            return "license";
        }
        if self.expected_calls() >= self.heartbeat.max_calls {
            return "full";
        }
        let trunk_ms = trunk.and_then(|trunk| self.trunks_paused_until_ms.get(trunk));
        if trunk_ms.is_some_and(|until_ms| *until_ms > now_ms) {
            return "trunk_unavailable";
        }
        if self.paused_until_ms > now_ms {
            return "busy";
        }
        match self.pace.ready_ms(now_ms) > now_ms {
            true => "at_its_rate",
            false => "room",
        }
    }

    pub(super) fn noted(&self, now: Moment, lost_after_ms: u64) -> HeardNode {
        let (beat, silent_ms) = (&self.heartbeat, now.steady_ms.saturating_sub(self.seen_ms));
        HeardNode {
            node_id: beat.node_id.clone(),
            incarnation: beat.incarnation,
            state: beat.state,
            silent: silent_ms > lost_after_ms,
            heard_ms: now.wall_ms.saturating_sub(silent_ms),
            calls: beat.calls,
            setups: beat.setups,
            max_calls: beat.max_calls,
            max_cps: beat.max_cps,
            version: beat.version.clone(),
            host: beat.host.clone(),
            uptime_s: beat.uptime_s,
        }
    }

    pub(super) fn life(&self) -> Chosen {
        Chosen {
            node: self.heartbeat.node_id.clone(),
            incarnation: self.heartbeat.incarnation,
            journal_id: self.heartbeat.journal_id,
        }
    }

    /// A heartbeat of a life before this one, which is late, or of a second switch of this name. A late
    /// one was sent before this life began, and none is held up for long.
    pub(super) fn hear_earlier(
        &mut self,
        heartbeat: &Heartbeat,
        now_ms: u64,
        lost_after_ms: u64,
    ) -> Heard {
        let came_after_ms = now_ms.saturating_sub(self.incarnation_since_ms);
        if heartbeat.at_ms < self.first_beat_ms && came_after_ms <= lost_after_ms {
            return Heard::Nothing;
        }
        let known = self.is_contested(now_ms, lost_after_ms);
        self.twin = Some((heartbeat.incarnation, now_ms));
        match known {
            true => Heard::Nothing,
            false => Heard::TwoOfOneName,
        }
    }

    /// Whether two modules run under this name: neither gets a call until one has been gone for as long
    /// as makes a switch lost.
    pub(super) fn is_contested(&self, now_ms: u64, lost_after_ms: u64) -> bool {
        let heard_ms = self.twin.map(|(_, heard_ms)| heard_ms);
        heard_ms.is_some_and(|heard_ms| now_ms.saturating_sub(heard_ms) <= lost_after_ms)
    }

    pub(super) fn ready_ms(&mut self, trunk: &TrunkName, now_ms: u64) -> u64 {
        let trunk_ms = self.trunks_paused_until_ms.get(trunk).copied();
        self.pace
            .ready_ms(now_ms)
            .max(self.paused_until_ms)
            .max(trunk_ms.unwrap_or(0))
    }

    /// What its next heartbeat will say at the most.
    pub(super) fn expected_calls(&self) -> u32 {
        self.heartbeat
            .calls
            .saturating_add(self.accepted_since)
            .saturating_add(self.unanswered)
    }

    /// Its share of what it can hold that it would hold with one call more: an empty switch of greater
    /// weight comes before an empty one of less.
    pub(super) fn load(&self) -> f64 {
        f64::from(self.expected_calls() + 1) / f64::from(self.heartbeat.max_calls.max(1))
    }
}
