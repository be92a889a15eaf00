//! Which way a branch goes.

use super::Run;
use crate::flow::check::compile_pattern;
use crate::flow::document::{Branch, Case, Target};
use crate::flow::leg::LegEnd;
use crate::flow::zones;
use jiff::Timestamp;

impl<'f> Run<'f, '_> {
    pub(super) fn branch(&mut self, branch: &'f Branch) -> Result<&'f Target, LegEnd> {
        for case in &branch.cases {
            if self.holds(case)? {
                return Ok(&case.next);
            }
        }
        Ok(&branch.default)
    }

    fn holds(&self, case: &Case) -> Result<bool, LegEnd> {
        Ok(self.var_holds(case)? && self.time_holds(case) && self.cpa_holds(case))
    }

    fn var_holds(&self, case: &Case) -> Result<bool, LegEnd> {
        let Some(name) = &case.var else {
            return Ok(true);
        };
        let value = self.values().get(name);
        if case.equals.as_ref().is_some_and(|text| text != value)
            || case
                .one_of
                .as_ref()
                .is_some_and(|texts| texts.iter().all(|text| text != value))
        {
            return Ok(false);
        }
        if case.min.is_some() || case.max.is_some() {
            let number = value
                .trim()
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite());
            let fits = number.is_some_and(|number| {
                case.min.is_none_or(|min| number >= min) && case.max.is_none_or(|max| number <= max)
            });
            if !fits {
                return Ok(false);
            }
        }
        match &case.matches {
            Some(pattern) => {
                let pattern = compile_pattern(pattern).map_err(|error| {
                    LegEnd::Fault(format!("node \"{}\": its pattern: {error}", self.node))
                })?;
                Ok(pattern.is_match(value.as_bytes()))
            }
            None => Ok(true),
        }
    }

    fn time_holds(&self, case: &Case) -> bool {
        if case.hours.is_none() && case.days.is_none() {
            return true;
        }
        let zone = case.timezone.as_ref().or(self.facts.timezone.as_ref());
        let zone = zone.and_then(|name| zones::zone(name));
        let now = i64::try_from(self.leg.now())
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let (Some(zone), Some(now)) = (zone, now) else {
            return false;
        };
        let now = now.to_zoned(zone);
        let minute =
            u16::from(now.hour().unsigned_abs()) * 60 + u16::from(now.minute().unsigned_abs());
        let mut day = usize::from(now.weekday().to_monday_zero_offset().unsigned_abs());
        if let Some(hours) = &case.hours {
            match hours.contains(minute) {
                None => return false,
                Some(true) => day += 6,
                Some(false) => {}
            }
        }
        case.days.is_none_or(|days| days.contains(day))
    }

    fn cpa_holds(&self, case: &Case) -> bool {
        match &case.cpa {
            None => true,
            Some(codes) => self.leg.cpa().is_some_and(|said| codes.contains(&said)),
        }
    }
}
