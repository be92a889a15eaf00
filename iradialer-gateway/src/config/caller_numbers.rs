//! `from_numbers` of `[[tenants]]`: the numbers that a tenant may call from, beside those of its campaigns.

use super::file;
use super::mistake::Mistakes;
use crate::catalogue::{CallerNumbers, digits};
use iradialer_core::value::{DialNumber, TenantId};

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
