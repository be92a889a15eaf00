//! `webhook_secret` and `webhook_previous_secret` of `[[tenants]]`: what the webhooks of one tenant are signed with, so
//! that no other tenant can make them.

use super::mistake::Mistakes;
use super::secret::Secret;
use super::{file, webhook_secret};
use iradialer_core::value::TenantId;
use std::collections::BTreeMap;

/// The secrets of the tenants that have their own, the newest first.
pub type TenantSecrets = BTreeMap<TenantId, Vec<Secret>>;

pub(super) fn check(tenants: &[file::Tenant], mistakes: &mut Mistakes) -> TenantSecrets {
    let mut checked = TenantSecrets::new();
    for (index, tenant) in tenants.iter().enumerate() {
        let key = |name: &str| format!("tenants[{index}].{name}");
        let newest = secret(&key("webhook_secret"), &tenant.webhook_secret, mistakes);
        let name = key("webhook_previous_secret");
        let previous = secret(&name, &tenant.webhook_previous_secret, mistakes);
        if previous.is_some() && newest.is_none() {
            mistakes.note(format!("{name}: expected a webhook_secret beside it"));
        }
        // A tenant that is not one has been noted.
        if let (Some(newest), Ok(tenant_id)) =
            (newest, TenantId::parse("tenant_id", &tenant.tenant_id))
        {
            checked.insert(tenant_id, std::iter::once(newest).chain(previous).collect());
        }
    }
    checked
}

/// One that is written in the configuration; none where it is empty.
pub(super) fn secret(key: &str, text: &str, mistakes: &mut Mistakes) -> Option<Secret> {
    // Not shown: it may be a secret of another kind.
    if !text.is_empty() && !webhook_secret::is_valid(text) {
        mistakes.note(format!(
            "{key}: expected whsec_ and the Base64 of 24 to 64 bytes, got another text"
        ));
    }
    (!text.is_empty()).then(|| Secret::new(text.to_owned()))
}
