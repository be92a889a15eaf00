//! Which numbers may be called: a guard against toll fraud. Prefixes that are allowed or denied, for all tenants
//! and for each, and kinds of numbers (premium rate, satellites) that are refused wherever they are.

mod kind;

pub use kind::Kind;
pub(crate) use kind::read_plans;

use iradialer_core::value::{DialNumber, TenantId};
use phonenumber::country;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The most digits of a number (E.164).
const MAX_DIGITS: usize = 15;
/// A number without a `+` that is shorter than this is none that can be dialled from abroad.
const SHORTEST_INTERNATIONAL: usize = 7;

/// What may be called.
#[derive(Debug, Clone, Default)]
pub struct Destinations {
    /// Where numbers without a `+` are at home.
    pub default_region: Option<country::Id>,
    /// The kinds that are refused.
    pub refused_kinds: BTreeSet<Kind>,
    /// The rules for every tenant.
    pub all: Rules,
    /// Those of each tenant; they go before.
    pub of_tenants: BTreeMap<TenantId, Rules>,
}

/// What begins with a prefix: the longest one that is written down decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules(BTreeMap<Prefix, Verdict>);

/// The beginning of a number: `+` and digits of an international one, digits of one that is dialled as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix(String);

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may be called, unless its kind is refused.
    Allow,
    /// It may be called, whatever kind of number it is.
    AllowAnyKind,
    /// It may not be called.
    Deny,
}

impl Verdict {
    /// The list that the rule is written in.
    pub fn list(self) -> &'static str {
        match self {
            Verdict::Allow => "allow",
            Verdict::AllowAnyKind => "allow_any_kind",
            Verdict::Deny => "deny",
        }
    }
}

/// Why a number may not be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The rule: the key of the configuration, and what in it.
    pub rule: String,
    /// The kind of number it is.
    pub kind: Kind,
}

impl Refused {
    /// For the explanation of a call.
    pub fn facts(&self) -> Value {
        json!({"rule": self.rule, "kind": self.kind.as_str()})
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "This number may not be called: {}", self.rule)
    }
}

impl Prefix {
    /// `+`, `+` and up to 15 digits, or 1 to 15 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let fits = digits.len() <= MAX_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
        (fits && !text.is_empty()).then(|| Prefix(text.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Rules {
    /// Adds a rule. False where there is one for that prefix already.
    pub fn add(&mut self, prefix: Prefix, verdict: Verdict) -> bool {
        self.0.insert(prefix, verdict).is_none()
    }

    /// The rule of the longest prefix of a number.
    fn longest(&self, number: &str) -> Option<(&Prefix, Verdict)> {
        // A number is of ASCII, and has 16 characters at the most.
        (1..=number.len()).rev().find_map(|len| {
            let (prefix, verdict) = self.0.get_key_value(&Prefix(number[..len].to_owned()))?;
            Some((prefix, *verdict))
        })
    }
}

impl Destinations {
    /// The number as it is dialled: one without a `+` becomes the E.164 number that it is in the default region,
    /// if it is a valid one there.
    pub fn dialled(&self, number: &DialNumber) -> DialNumber {
        let text = number.as_str();
        let national = self.default_region.filter(|_| !text.starts_with('+'));
        let e164 = national.and_then(|region| kind::e164_in(region, text));
        e164.unwrap_or_else(|| number.clone())
    }

    /// Whether the tenant may call the number.
    pub fn check(&self, tenant: &TenantId, number: &DialNumber) -> Result<(), Refused> {
        let (text, kind) = self.read(number);
        let refused = |rule| Err(Refused { rule, kind });
        match self.rule(tenant, &text) {
            None => refused("destinations.allow: no prefix of it".to_owned()),
            Some((_, _, Verdict::AllowAnyKind)) => Ok(()),
            Some((whose, prefix, Verdict::Deny)) => {
                refused(format!("{whose}.deny: {}", prefix.as_str()))
            }
            Some((_, _, Verdict::Allow)) => match self.refused_kinds.contains(&kind) {
                true => refused(format!("destinations.refused_kinds: {}", kind.as_str())),
                false => Ok(()),
            },
        }
    }

    /// The rule that decides, and where it is written: the longest, the tenant's own of two that are as long.
    fn rule(&self, tenant: &TenantId, number: &str) -> Option<(String, &Prefix, Verdict)> {
        let own = self.of_tenants.get(tenant);
        let own = own.and_then(|rules| rules.longest(number));
        let all = self.all.longest(number);
        let len = |rule: &Option<(&Prefix, Verdict)>| rule.map_or(0, |(prefix, _)| prefix.0.len());
        let (whose, rule) = match len(&own) >= len(&all) {
            true => (format!("tenants.{tenant}"), own),
            false => ("destinations".to_owned(), all),
        };
        rule.map(|(prefix, verdict)| (whose, prefix, verdict))
    }

    /// What rules are looked up by, and what kind of number it is.
    fn read(&self, number: &DialNumber) -> (String, Kind) {
        let number = self.dialled(number);
        let text = number.as_str();
        let is_international = text.starts_with('+')
            // As the do-not-call list takes it: all digits, and the same as with a '+'.
            || (self.default_region.is_none() && text.len() >= SHORTEST_INTERNATIONAL);
        match is_international {
            true => {
                let text = format!("+{}", text.trim_start_matches('+'));
                let kind = Kind::of(&text);
                (text, kind)
            }
            false => (text.to_owned(), Kind::Local),
        }
    }
}

#[cfg(test)]
mod tests;
