//! Whose call is next: priority first, then tenants take turns, then a tenant's campaigns, then the
//! older call. A long backlog, or many campaigns, buys nobody more turns than the others have.

use iradialer_core::value::{CampaignName, TenantId};
use std::cmp::Reverse;
use std::collections::HashMap;

/// The first call of a campaign's queue, as far as it decides whose turn it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'q> {
    pub(super) tenant: &'q TenantId,
    pub(super) campaign: &'q CampaignName,
    pub(super) priority: u8,
    pub(super) created_ms: u64,
}

/// Who had a turn when. It outlives one look at the queue: where a look places one call only, the turns
/// go on with the next.
#[derive(Debug, Default)]
pub(super) struct Turns {
    count: u64,
    of_tenant: HashMap<TenantId, u64>,
    of_campaign: HashMap<(TenantId, CampaignName), u64>,
}

impl Turns {
    /// The place among `heads` of the one whose turn it is.
    pub(super) fn next<'q>(&self, heads: impl Iterator<Item = Head<'q>>) -> Option<usize> {
        let (place, _) = heads.enumerate().min_by_key(|(_, head)| self.turn(head))?;
        Some(place)
    }

    /// That campaign had its turn.
    pub(super) fn took(&mut self, tenant: &TenantId, campaign: &CampaignName) {
        self.count += 1;
        self.of_tenant.insert(tenant.clone(), self.count);
        let key = (tenant.clone(), campaign.clone());
        self.of_campaign.insert(key, self.count);
    }

    fn turn(&self, head: &Head<'_>) -> (Reverse<u8>, u64, u64, u64) {
        let tenant = self.of_tenant.get(head.tenant).copied().unwrap_or(0);
        let key = (head.tenant.clone(), head.campaign.clone());
        let campaign = self.of_campaign.get(&key).copied().unwrap_or(0);
        (Reverse(head.priority), tenant, campaign, head.created_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A queue that never gets empty.
    struct Queue {
        tenant: TenantId,
        campaign: CampaignName,
        created_ms: u64,
    }

    fn queue(tenant: usize, campaign: usize, created_ms: u64) -> Queue {
        let name = format!("c{campaign}");
        Queue {
            tenant: TenantId::parse("tenant_id", &format!("t{tenant}")).unwrap(),
            campaign: CampaignName::parse("campaign_name", &name).unwrap(),
            created_ms,
        }
    }

    fn head(queue: &Queue, priority: u8) -> Head<'_> {
        Head {
            tenant: &queue.tenant,
            campaign: &queue.campaign,
            priority,
            created_ms: queue.created_ms,
        }
    }

    proptest! {
        #[test]
        fn tenants_have_alike_turns_and_so_have_their_campaigns(
            ages in proptest::collection::vec(proptest::collection::vec(0u64..1_000, 1..5), 1..5),
            rounds in 1usize..30,
        ) {
            let queues: Vec<Queue> = ages
                .iter()
                .enumerate()
                .flat_map(|(t, ages)| ages.iter().enumerate().map(move |(c, ms)| queue(t, c, *ms)))
                .collect();
            let mut turns = Turns::default();
            let mut had = vec![0usize; queues.len()];
            for _ in 0..rounds {
                let next = turns.next(queues.iter().map(|queue| head(queue, 5))).unwrap();
                turns.took(&queues[next].tenant, &queues[next].campaign);
                had[next] += 1;
            }
            let mut of_tenants = Vec::new();
            let mut from = 0;
            for campaigns in &ages {
                let of_tenant = &had[from..from + campaigns.len()];
                let (least, most) = (of_tenant.iter().min().unwrap(), of_tenant.iter().max().unwrap());
                prop_assert!(most - least <= 1, "campaigns: {had:?}");
                of_tenants.push(of_tenant.iter().sum::<usize>());
                from += campaigns.len();
            }
            let (least, most) = (of_tenants.iter().min().unwrap(), of_tenants.iter().max().unwrap());
            prop_assert!(most - least <= 1, "tenants: {of_tenants:?}");
        }

        #[test]
        fn a_higher_priority_is_always_first(priorities in proptest::collection::vec(0u8..10, 1..8)) {
            let queues: Vec<Queue> = (0..priorities.len()).map(|n| queue(n, 0, 0)).collect();
            let mut turns = Turns::default();
            for _ in 0..10 {
                let heads = queues.iter().zip(&priorities).map(|(queue, p)| head(queue, *p));
                let next = turns.next(heads).unwrap();
                prop_assert_eq!(priorities[next], *priorities.iter().max().unwrap());
                turns.took(&queues[next].tenant, &queues[next].campaign);
            }
        }
    }
}
