//! `from_numbers` of `[[tenants]]`: the numbers that a tenant may call from, beside those of its campaigns.

use super::file;
use super::mistake::Mistakes;
use super::{Campaign, Config};
use iradialer_core::value::{CallerNumber, DialNumber, TenantId};
use std::collections::{BTreeMap, BTreeSet};

/// By tenant, the digits of each.
pub(super) type CallerNumbers = BTreeMap<TenantId, BTreeSet<String>>;

pub(super) fn check(tenants: &[file::Tenant], mistakes: &mut Mistakes) -> CallerNumbers {
    let mut checked = CallerNumbers::new();
    for (index, tenant) in tenants.iter().enumerate() {
        // A tenant that is not one has been noted.
        let Ok(tenant_id) = TenantId::parse("tenant_id", &tenant.tenant_id) else {
            continue;
        };
        let own = checked.entry(tenant_id).or_default();
        for (number, text) in tenant.from_numbers.iter().enumerate() {
            let key = format!("tenants[{index}].from_numbers[{number}]");
            if let Some(number) = mistakes.take(DialNumber::parse(&key, text)) {
                own.insert(digits(number.as_str()).to_owned());
            }
        }
    }
    checked
}

impl Config {
    /// Whether calls of the campaign may show that number as the caller's: the campaign's, one that its tenant
    /// has, or none.
    pub fn may_call_from(&self, campaign: &Campaign, number: &CallerNumber) -> bool {
        let number = digits(number.as_str());
        let of_tenant = self.caller_numbers.get(&campaign.tenant_id);
        number.is_empty()
            || number == digits(campaign.from_number.as_str())
            || of_tenant.is_some_and(|own| own.contains(number))
    }
}

/// A number is the same with and without its `+`.
fn digits(number: &str) -> &str {
    number.trim_start_matches('+')
}
