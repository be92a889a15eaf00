//! How many streams there may be: each holds a connection, and looks for new events four times a second.

use iradialer_core::value::TenantId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The most streams of one token.
const MAX_OF_TOKEN: u32 = 8;
/// The most of one tenant, whatever tokens it has.
const MAX_OF_TENANT: u32 = 64;
/// The most of all of them, in one process.
const MAX: u32 = 128;

/// The streams that there are, by token.
#[derive(Default)]
pub(in crate::web) struct Places {
    taken: Mutex<HashMap<String, Taken>>,
}

struct Taken {
    tenant: TenantId,
    streams: u32,
}

/// The place of a stream, free again when it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    token_id: String,
}

impl Places {
    /// A place for a stream of that token, if there is one for the tenant that it acts for.
    pub(super) fn take(self: &Arc<Self>, token_id: &str, tenant: &TenantId) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: u32 = taken.values().map(|taken| taken.streams).sum();
        let tenants = taken.values().filter(|taken| taken.tenant == *tenant);
        let of_tenant: u32 = tenants.map(|taken| taken.streams).sum();
        let own = taken.get(token_id).map_or(0, |taken| taken.streams);
        if all >= MAX || of_tenant >= MAX_OF_TENANT || own >= MAX_OF_TOKEN {
            return None;
        }
        let own = taken.entry(token_id.to_owned()).or_insert(Taken {
            tenant: tenant.clone(),
            streams: 0,
        });
        own.streams += 1;
        Some(Place {
            places: Arc::clone(self),
            token_id: token_id.to_owned(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &self.places.taken;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.token_id) {
            Some(own) if own.streams > 1 => own.streams -= 1,
            _ => drop(taken.remove(&self.token_id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let places = Arc::new(Places::default());
        let [acme, other, third] =
            ["acme", "other", "third"].map(|name| TenantId::parse("tenant_id", name).unwrap());
        let mut held: Vec<Place> = (0..MAX_OF_TOKEN)
            .map(|_| places.take("a", &acme).unwrap())
            .collect();
        assert!(places.take("a", &acme).is_none());
        for (tenant, tokens) in [(&acme, 1..8), (&other, 8..16)] {
            for token in tokens {
                for _ in 0..MAX_OF_TOKEN {
                    held.push(places.take(&token.to_string(), tenant).unwrap());
                }
            }
            assert!(places.take("another", tenant).is_none(), "of the tenant");
        }
        assert!(places.take("b", &third).is_none(), "of all");
        held.clear();
        assert!(places.taken.lock().unwrap().is_empty());
        assert!(places.take("a", &acme).is_some());
    }
}
