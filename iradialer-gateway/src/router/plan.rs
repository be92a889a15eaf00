//! What fits now: trunk by trunk, campaign by campaign, switch by switch.

use super::pace::Pace;
use super::shared::Hand;
use super::switches::{Chosen, NoSwitch, Switches};
use crate::config::{Campaign, Config};
use crate::tdb::LiveCounts;
use iradialer_core::value::{CallUuid, TrunkName};
use std::collections::HashMap;

/// The answer to a search for a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sought<T> {
    /// This.
    Found(T),
    /// Nothing now; look again at this time, ms since the Unix epoch.
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

/// How many more calls trunks and campaigns may have, as of one look at the TDB.
pub(super) struct Room<'c> {
    config: &'c Config,
    live: LiveCounts,
}

impl<'c> Room<'c> {
    /// The room that `live` calls and those in hand that are not yet among them leave.
    pub(super) fn new(
        config: &'c Config,
        mut live: LiveCounts,
        in_hand: &HashMap<CallUuid, Hand>,
    ) -> Room<'c> {
        for hand in in_hand.values().filter(|hand| !hand.assigned) {
            *live.by_trunk.entry(hand.trunk.clone()).or_default() += 1;
            *live.by_campaign.entry(hand.campaign.clone()).or_default() += 1;
        }
        Room { config, live }
    }

    /// Whether the campaign has a place for a call, so that its queue is worth reading.
    pub(super) fn for_campaign(
        &self,
        campaign: &Campaign,
        paces: &mut HashMap<TrunkName, Pace>,
        switches: &mut Switches,
        now_ms: u64,
    ) -> Sought<()> {
        match self.place(campaign, &[], paces, switches, now_ms) {
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
        refused: &[TrunkName],
        paces: &mut HashMap<TrunkName, Pace>,
        switches: &mut Switches,
        now_ms: u64,
    ) -> Sought<(TrunkName, Chosen)> {
        let found = self.place(campaign, refused, paces, switches, now_ms);
        if let Sought::Found((trunk, chosen)) = &found {
            *self.live.by_trunk.entry(trunk.clone()).or_default() += 1;
            let key = (campaign.tenant_id.clone(), campaign.name.clone());
            *self.live.by_campaign.entry(key).or_default() += 1;
            if let Some(pace) = paces.get_mut(trunk) {
                pace.take(now_ms);
            }
            switches.sent(&chosen.node, now_ms);
        }
        found
    }

    /// The first of the campaign's trunks that has room, with the switch for it. Those that could not
    /// place the call are passed over, unless they are all there is: the campaign had others when the
    /// call was queued again, and it must not wait for ever.
    fn place(
        &self,
        campaign: &Campaign,
        refused: &[TrunkName],
        paces: &mut HashMap<TrunkName, Pace>,
        switches: &mut Switches,
        now_ms: u64,
    ) -> Sought<(TrunkName, Chosen)> {
        if self.left_of(campaign) == 0 {
            return Sought::Nothing;
        }
        let mut best = Sought::Nothing;
        let others = campaign.trunks.iter().any(|name| !refused.contains(name));
        let fit = |name: &&TrunkName| !others || !refused.contains(name);
        for name in campaign.trunks.iter().filter(fit) {
            best = best.or(self.on_trunk(name, paces, switches, now_ms));
            if matches!(best, Sought::Found(_)) {
                break;
            }
        }
        best
    }

    fn on_trunk(
        &self,
        name: &TrunkName,
        paces: &mut HashMap<TrunkName, Pace>,
        switches: &mut Switches,
        now_ms: u64,
    ) -> Sought<(TrunkName, Chosen)> {
        let (Some(trunk), Some(pace)) = (self.config.trunks.get(name), paces.get_mut(name)) else {
            return Sought::Nothing;
        };
        if self.live.by_trunk.get(name).copied().unwrap_or(0) >= trunk.max_calls {
            return Sought::Nothing;
        }
        let ready_ms = pace.ready_ms(now_ms);
        if ready_ms > now_ms {
            return Sought::NotBefore(ready_ms);
        }
        match switches.choose(name, now_ms) {
            Ok(chosen) => Sought::Found((name.clone(), chosen)),
            Err(NoSwitch::Until(at_ms)) => Sought::NotBefore(at_ms),
            Err(NoSwitch::Wait) => Sought::Nothing,
        }
    }

    fn left_of(&self, campaign: &Campaign) -> u32 {
        let key = (campaign.tenant_id.clone(), campaign.name.clone());
        let live = self.live.by_campaign.get(&key).copied().unwrap_or(0);
        campaign.max_calls.saturating_sub(live)
    }
}
