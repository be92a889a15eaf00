//! Names that end up in NATS subjects, file names and FreeSWITCH's configuration.

use super::{FieldError, checked_string};

/// Letters, digits, `_` and `-`: safe in a NATS subject, a path, a dial string and a label.
fn is_name(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $field:literal, $max:literal) => {
        checked_string!($(#[$doc])* $name, $field);

        impl $name {
            /// The longest one, in characters.
            pub const MAX_LEN: usize = $max;

            /// Checks `text`; `field` is the name a refusal speaks of.
            pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
                if is_name(text, $max) {
                    Ok($name(text.to_owned()))
                } else {
                    let expected = concat!("1 to ", $max, " letters, digits, '_' or '-'");
                    Err(FieldError::new(field, expected, text))
                }
            }
        }
    };
}

name_type!(
    /// A tenant: the customer a call belongs to.
    TenantId, "tenant_id", 20
);
name_type!(
    /// A campaign: calls that share trunks, limits, hours and a flow.
    CampaignName, "campaign_name", 60
);
name_type!(
    /// A flow.
    FlowName, "flow", 64
);
name_type!(
    /// A trunk: the name of a FreeSWITCH gateway.
    TrunkName, "trunk", 60
);
name_type!(
    /// A switch of the cluster.
    NodeId, "node_id", 60
);
name_type!(
    /// A region: switches, and the campaigns whose calls they get.
    RegionName, "region", 30
);
name_type!(
    /// The cluster: the first token of every NATS subject.
    ClusterName, "cluster", 30
);
