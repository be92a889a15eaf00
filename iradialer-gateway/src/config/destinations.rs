//! `[destinations]` and `[[tenants]]`: which numbers may be called.

use super::file;
use super::mistake::Mistakes;
use crate::destinations::{Destinations, Kind, Prefix, Rules, Verdict};
use iradialer_core::value::TenantId;
use std::collections::BTreeMap;

/// What a prefix is.
const PREFIX: &str = "'+' and up to 15 digits of an international number, or the digits of one that is dialled as it is";

pub(super) fn check(
    destinations: &file::Destinations,
    tenants: &[file::Tenant],
    mistakes: &mut Mistakes,
) -> Destinations {
    let mut of_tenants = BTreeMap::new();
    for (index, tenant) in tenants.iter().enumerate() {
        let key = format!("tenants[{index}]");
        let written = [&tenant.allow, &tenant.allow_any_kind, &tenant.deny];
        let rules = rules(&key, written, mistakes);
        let field = format!("{key}.tenant_id");
        let Some(tenant_id) = mistakes.take(TenantId::parse(&field, &tenant.tenant_id)) else {
            continue;
        };
        if of_tenants.insert(tenant_id, rules).is_some() {
            mistakes.refuse(&field, "a tenant once", &tenant.tenant_id);
        }
    }
    let common = [
        &destinations.allow,
        &destinations.allow_any_kind,
        &destinations.deny,
    ];
    let mut refused_kinds = Vec::new();
    for (index, name) in destinations.refused_kinds.iter().enumerate() {
        match Kind::parse(name) {
            Some(kind) => refused_kinds.push(kind),
            None => {
                let key = format!("destinations.refused_kinds[{index}]");
                let known = Kind::REFUSABLE.map(Kind::as_str).join(", ");
                mistakes.refuse(&key, &format!("one of {known}"), name);
            }
        }
    }
    Destinations {
        default_region: match destinations.default_region.as_str() {
            "" => None,
            name => {
                let region = name.parse().ok();
                if region.is_none() {
                    let expected = "a country of ISO 3166 such as \"FR\", or nothing";
                    mistakes.refuse("destinations.default_region", expected, name);
                }
                region
            }
        },
        refused_kinds: refused_kinds.into_iter().collect(),
        all: rules("destinations", common, mistakes),
        of_tenants,
    }
}

/// Of the lists `allow`, `allow_any_kind` and `deny`.
fn rules(key: &str, lists: [&Vec<String>; 3], mistakes: &mut Mistakes) -> Rules {
    let mut rules = Rules::default();
    let verdicts = [Verdict::Allow, Verdict::AllowAnyKind, Verdict::Deny];
    for (verdict, written) in verdicts.into_iter().zip(lists) {
        for (index, text) in written.iter().enumerate() {
            let key = format!("{key}.{}[{index}]", verdict.list());
            let Some(prefix) = Prefix::parse(text) else {
                mistakes.refuse(&key, PREFIX, text);
                continue;
            };
            if !rules.add(prefix, verdict) {
                mistakes.refuse(&key, "a prefix once, in one of the lists", text);
            }
        }
    }
    rules
}
