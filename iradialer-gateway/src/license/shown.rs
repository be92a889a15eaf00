//! A licence as it is shown: by the API, in JSON on the command line, in the audit log.

use super::{Standing, State};
use crate::tdb::HeldLease;
use crate::web::show_time;
use iradialer_core::license::{Features, Refusal, Signed};
use serde::Serialize;
use utoipa::ToSchema;

/// When the operator is warned: so many days before the end, and then at the end.
pub(super) const WARN_DAYS: [u32; 4] = [30, 7, 1, 0];
const DAY_MS: u64 = 86_400_000;

/// What a licence says.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ShownLicense {
    /// The only cluster it is for; null: any.
    pub cluster: Option<String>,
    /// To whom it was given.
    pub customer: String,
    /// Until when it holds.
    pub expires_at: String,
    /// When it was given out.
    pub issued_at: String,
    /// The key it is signed with.
    pub key_id: String,
    /// Its id.
    pub license_id: String,
    /// What it allows.
    pub limits: ShownLimits,
    /// From when on it holds.
    pub not_before: String,
    /// Rises with each licence that the customer is given.
    pub serial: u64,
}

/// What may be used at once in the whole cluster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct ShownLimits {
    /// What calls may do: ivr, recording, tts, transfer, inbound, cpa.
    #[schema(value_type = Vec<String>)]
    pub features: Features,
    /// How long a switch goes on when the gateway is away, s.
    pub grace_s: u32,
    /// Calls at once.
    pub max_channels: u32,
    /// Calls begun a second.
    pub max_cps: f64,
    /// Switches that take calls.
    pub max_switches: u32,
}

/// What a switch holds of the licence.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ShownLease {
    /// Calls at once that it may have, and that it counts as having until it says that it has less.
    pub channels: u32,
    /// Calls that it may begin a second.
    pub cps: f64,
    /// The switch.
    pub node_id: String,
    /// Calls that it has, as it last said.
    pub using: u32,
}

/// Something an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Warning {
    /// Of one that expires soon: 30, 7 or 1, the days that are left at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32)]
    pub days_left: Option<u32>,
    /// For a person.
    pub message: String,
    /// Which: expires_soon, expired, not_yet_valid, not_counted, clock_set_back or file_refused.
    pub name: &'static str,
}

/// How the licence stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(examples(json!(ShownStanding::example())))]
pub struct ShownStanding {
    /// How far the clock of this machine is behind `judged_at`, where it was set back, s; 0 otherwise.
    pub clock_set_back_s: u64,
    /// When the licence was installed.
    pub installed_at: Option<String>,
    /// The time it is judged by: the highest that was seen.
    pub judged_at: String,
    /// Which switch holds what of it.
    pub leases: Vec<ShownLease>,
    /// The licence in force.
    pub license: Option<ShownLicense>,
    /// What may be used.
    pub limits: ShownLimits,
    /// active, evaluation (there is no licence that counts), not_yet_valid or expired: no new calls.
    pub state: &'static str,
    /// What an operator should know.
    pub warnings: Vec<Warning>,
}

impl ShownLicense {
    /// What that licence says.
    pub fn of(signed: &Signed) -> Self {
        let license = &signed.license;
        ShownLicense {
            license_id: license.license_id.to_string(),
            serial: license.serial,
            customer: license.customer.clone(),
            cluster: license.cluster.as_ref().map(ToString::to_string),
            key_id: signed.key_id.clone(),
            issued_at: show_time(license.issued_s.saturating_mul(1_000)),
            not_before: show_time(license.not_before_s.saturating_mul(1_000)),
            expires_at: show_time(license.expires_s.saturating_mul(1_000)),
            limits: license.limits.into(),
        }
    }
}

impl From<iradialer_core::license::Limits> for ShownLimits {
    fn from(limits: iradialer_core::license::Limits) -> Self {
        ShownLimits {
            max_channels: limits.max_channels,
            max_cps: limits.max_cps,
            max_switches: limits.max_switches,
            features: limits.features,
            grace_s: limits.grace_s,
        }
    }
}

impl ShownStanding {
    /// What holds, and who holds it.
    pub fn of(standing: &Standing, leases: &[HeldLease]) -> Self {
        let license = standing.license.as_ref();
        let lease = |held: &HeldLease| ShownLease {
            channels: held.channels.height,
            cps: f64::from(held.rate.height) / 1_000.0,
            node_id: held.node_id.to_string(),
            using: held.channels.using,
        };
        ShownStanding {
            leases: leases.iter().map(lease).collect(),
            state: standing.state.as_str(),
            license: license.map(|(signed, _)| ShownLicense::of(signed)),
            installed_at: license.map(|(_, installed_ms)| show_time(*installed_ms)),
            limits: standing.limits.into(),
            warnings: warnings(standing),
            judged_at: show_time(standing.judged_ms),
            clock_set_back_s: standing.set_back_ms.unwrap_or(0) / 1_000,
        }
    }
}

impl ShownStanding {
    /// What the API's description shows.
    pub fn example() -> Self {
        let limits = ShownLimits {
            max_channels: 500,
            max_cps: 20.0,
            max_switches: 4,
            features: Features::ALL,
            grace_s: 3_600,
        };
        ShownStanding {
            state: State::Active.as_str(),
            license: Some(ShownLicense {
                license_id: "c0f4e35c-4f9b-4a53-93ab-8b7d6a2b19b1".to_owned(),
                serial: 1_795_252_908,
                customer: "Acme".to_owned(),
                cluster: Some("ira".to_owned()),
                key_id: "9d2a0c5f4be11c73".to_owned(),
                issued_at: "2026-11-21T09:21:48.000Z".to_owned(),
                not_before: "2026-11-21T09:21:48.000Z".to_owned(),
                expires_at: "2027-11-21T09:21:48.000Z".to_owned(),
                limits,
            }),
            installed_at: Some("2026-11-21T10:02:11.120Z".to_owned()),
            leases: vec![ShownLease {
                channels: 500,
                cps: 20.0,
                node_id: "switch-1".to_owned(),
                using: 12,
            }],
            limits,
            warnings: vec![Warning {
                name: "expires_soon",
                message:
                    "The licence expires at 2027-11-21T09:21:48.000Z: install the next one before"
                        .to_owned(),
                days_left: Some(30),
            }],
            judged_at: "2027-10-30T08:00:00.000Z".to_owned(),
            clock_set_back_s: 0,
        }
    }
}

/// The days that are left at the most, as one is warned of them: 30, 7, 1, or 0 of one that has expired. None:
/// there is time.
pub(super) fn days_left(standing: &Standing) -> Option<u32> {
    let (signed, _) = standing.license.as_ref()?;
    let ends_ms = signed.license.expires_s.saturating_mul(1_000);
    let left_ms = ends_ms.saturating_sub(standing.judged_ms);
    let mut days = WARN_DAYS.into_iter().rev();
    days.find(|days| left_ms <= u64::from(*days) * DAY_MS)
}

/// What an operator should know.
pub(super) fn warnings(standing: &Standing) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |name, message: String, days_left| {
        warnings.push(Warning {
            name,
            message,
            days_left,
        });
    };
    let ends = standing.license.as_ref().map(|(signed, _)| {
        let expires_s = signed.license.expires_s;
        show_time(expires_s.saturating_mul(1_000))
    });
    match (days_left(standing), ends) {
        (Some(0), Some(ends)) => {
            let message = format!("The licence expired at {ends}: no new calls are taken");
            warn("expired", message, None);
        }
        (Some(days), Some(ends)) => {
            let message = format!("The licence expires at {ends}: install the next one before");
            warn("expires_soon", message, Some(days));
        }
        _ => {}
    }
    if let (State::Evaluation, Some(refusal)) = (standing.state, &standing.refusal) {
        let message = format!("The licence that is installed does not count: {refusal}");
        warn("not_counted", message, None);
    }
    if let (State::NotYetValid, Some(refusal @ Refusal::NotYetValid(_))) =
        (standing.state, &standing.refusal)
    {
        warn("not_yet_valid", format!("The licence: {refusal}"), None);
    }
    if let Some(set_back_ms) = standing.set_back_ms {
        let message = format!(
            "The clock of this machine was set back by {} s: the licence is judged by the highest time seen, {}",
            set_back_ms / 1_000,
            show_time(standing.judged_ms)
        );
        warn("clock_set_back", message, None);
    }
    if let Some(why) = &standing.file_refused {
        warn("file_refused", format!("license.file: {why}"), None);
    }
    warnings
}
