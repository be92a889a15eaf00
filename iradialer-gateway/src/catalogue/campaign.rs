//! A campaign, as it is now, and as it is defined at run time.

use super::{NumberRange, Source};
use crate::config::Hours;
use iradialer_core::value::{
    CallerNumber, CampaignName, FlowName, RegionName, TenantId, TrunkName,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// A campaign: `[[campaigns]]`, or one that was added.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Its name.
    pub name: CampaignName,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Where its calls are dialled: by switches of that region.
    pub region: RegionName,
    /// The trunks it may use, in order of preference. One that is not in the catalogue takes no calls.
    pub trunks: Vec<TrunkName>,
    /// The caller's number where the request gives none; may be empty.
    pub from_number: CallerNumber,
    /// Further numbers that its calls may show.
    pub caller_ranges: Vec<NumberRange>,
    /// The webhook where the request gives none.
    pub event_url: Option<String>,
    /// The flow where the request gives none: one that the tenant has stored, or of `flows.dir`.
    pub flow: Option<FlowName>,
    /// Whether new calls of it are dialled.
    pub active: bool,
    /// Calls at once.
    pub max_calls: u32,
    /// The same as the file or its definition has it.
    pub defined_max_calls: u32,
    /// When it may call.
    pub hours: Option<Hours>,
    /// Where those hours are.
    pub timezone: TimeZone,
    /// Where it is from.
    pub source: Source,
    /// When it was last changed at run time, ms since the Unix epoch.
    pub changed_ms: Option<u64>,
}

/// A campaign as it is defined at run time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignDefinition {
    /// As [`Campaign`].
    pub region: RegionName,
    /// As [`Campaign`].
    pub trunks: Vec<TrunkName>,
    /// As [`Campaign`].
    #[serde(default)]
    pub from_number: CallerNumber,
    /// As [`Campaign`].
    #[serde(default)]
    pub caller_ranges: Vec<NumberRange>,
    /// As [`Campaign`].
    pub event_url: Option<String>,
    /// As [`Campaign`].
    pub flow: Option<FlowName>,
    /// As [`Campaign`].
    pub active: bool,
    /// As [`Campaign`].
    pub max_calls: u32,
    /// As [`Campaign`].
    pub hours: Option<Hours>,
    /// As [`Campaign`]: an IANA name.
    pub timezone: String,
}

impl CampaignDefinition {
    /// The campaign that it makes; `None` where this machine does not know its time zone.
    pub fn campaign(
        &self,
        tenant: &TenantId,
        name: &CampaignName,
        source: Source,
    ) -> Option<Campaign> {
        Some(Campaign {
            name: name.clone(),
            tenant_id: tenant.clone(),
            region: self.region.clone(),
            trunks: self.trunks.clone(),
            from_number: self.from_number.clone(),
            caller_ranges: self.caller_ranges.clone(),
            event_url: self.event_url.clone(),
            flow: self.flow.clone(),
            active: self.active,
            max_calls: self.max_calls,
            defined_max_calls: self.max_calls,
            hours: self.hours,
            timezone: TimeZone::get(&self.timezone).ok()?,
            source,
            changed_ms: None,
        })
    }
}

const MINUTES_A_DAY: u64 = 24 * 60;
/// By how much clocks are changed at the most.
const LONGEST_CHANGE_MINUTES: u64 = 120;

impl Campaign {
    /// The IANA name of its time zone.
    pub fn timezone_name(&self) -> &str {
        self.timezone.iana_name().unwrap_or("UTC")
    }

    /// Whether it may call at that time (ms since the Unix epoch). The hours count where the callee is,
    /// if `timezone` (an IANA name) says where that is, else where the campaign is.
    pub fn is_open(&self, at_ms: u64, timezone: Option<&str>) -> bool {
        let minute = self.minute_of_day(at_ms, timezone);
        self.hours.is_none_or(|hours| hours.contains(minute))
    }

    /// When it may next begin to call after that time, by the clocks of the place, also over a change to or from
    /// summer time.
    pub fn next_opening(&self, at_ms: u64, timezone: Option<&str>) -> u64 {
        let Some(hours) = &self.hours else {
            return at_ms;
        };
        let (minute, minute_ms) = (self.minute_of_day(at_ms, timezone), at_ms - at_ms % 60_000);
        let minutes = u64::from(hours.minutes_to_next(minute));
        let then_ms = minute_ms + minutes * 60_000;
        // What the clocks there show then is something else where they were changed on the way.
        let shown = u64::from(self.minute_of_day(then_ms, timezone));
        if shown == (u64::from(minute) + minutes) % MINUTES_A_DAY {
            return then_ms;
        }
        // The first minute of the span that there is.
        let first = minutes.saturating_sub(LONGEST_CHANGE_MINUTES).max(1);
        (first..=minutes + LONGEST_CHANGE_MINUTES)
            .map(|minutes| minute_ms + minutes * 60_000)
            .find(|then_ms| self.is_open(*then_ms, timezone))
            .unwrap_or(then_ms)
    }

    /// The last time up to `until_ms` to which the hours that are open at `at_ms` go on, where they are
    /// counted as for [`Campaign::is_open`]; `at_ms` itself where they are closed.
    pub fn open_until(&self, at_ms: u64, until_ms: u64, timezone: Option<&str>) -> u64 {
        if !self.is_open(at_ms, timezone) {
            return at_ms;
        }
        // Hours and zones change at whole minutes.
        let next_minute_ms = at_ms - at_ms % 60_000 + 60_000;
        let mut minutes = (next_minute_ms..=until_ms).step_by(60_000);
        let closing_ms = minutes.find(|minute_ms| !self.is_open(*minute_ms, timezone));
        closing_ms.map_or(until_ms, |closing_ms| closing_ms - 1)
    }

    fn minute_of_day(&self, at_ms: u64, timezone: Option<&str>) -> u16 {
        let callee = timezone.and_then(|name| TimeZone::get(name).ok());
        let time = i64::try_from(at_ms)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or(Timestamp::MAX);
        let there = time.to_zoned(callee.unwrap_or_else(|| self.timezone.clone()));
        u16::from(there.hour().unsigned_abs()) * 60 + u16::from(there.minute().unsigned_abs())
    }
}
