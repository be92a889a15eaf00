//! What kind of number it is, by the numbering plans of the countries.

use iradialer_core::value::DialNumber;
use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, PhoneNumber, Type, country};
use std::ops::Deref;

/// The kind of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Of a person or a business: geographic, mobile, free of charge and whatever is named nowhere below.
    Ordinary,
    /// Charged to the caller, who shares it with the one called.
    PremiumRate,
    /// The costs are shared.
    SharedCost,
    /// One that follows a person; in some countries charged like premium ones.
    PersonalNumber,
    /// A pager.
    Pager,
    /// One of a company in all of a country (UAN).
    Uan,
    /// A mailbox.
    Voicemail,
    /// A satellite network.
    Satellite,
    /// A network of no country.
    InternationalNetwork,
    /// None of its country's plan, or of no country.
    Invalid,
    /// One that is dialled as it is, without a `+`: a short code, an extension.
    Local,
}

/// Country codes that are of no country, and the ranges of satellites in them.
const OF_NO_COUNTRY: [(&str, Kind); 9] = [
    ("+870", Kind::Satellite),
    ("+881", Kind::Satellite),
    ("+88213", Kind::Satellite),
    ("+88216", Kind::Satellite),
    ("+878", Kind::InternationalNetwork),
    ("+882", Kind::InternationalNetwork),
    ("+883", Kind::InternationalNetwork),
    ("+888", Kind::InternationalNetwork),
    ("+991", Kind::InternationalNetwork),
];

impl Kind {
    /// Those that a configuration may refuse.
    pub const REFUSABLE: [Kind; 9] = [
        Kind::PremiumRate,
        Kind::SharedCost,
        Kind::PersonalNumber,
        Kind::Pager,
        Kind::Uan,
        Kind::Voicemail,
        Kind::Satellite,
        Kind::InternationalNetwork,
        Kind::Invalid,
    ];

    /// The name in the configuration and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Ordinary => "ordinary",
            Kind::PremiumRate => "premium_rate",
            Kind::SharedCost => "shared_cost",
            Kind::PersonalNumber => "personal_number",
            Kind::Pager => "pager",
            Kind::Uan => "uan",
            Kind::Voicemail => "voicemail",
            Kind::Satellite => "satellite",
            Kind::InternationalNetwork => "international_network",
            Kind::Invalid => "invalid",
            Kind::Local => "local",
        }
    }

    /// The refusable kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::REFUSABLE
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// Of a number with its `+`.
    pub(super) fn of(number: &str) -> Self {
        let network = OF_NO_COUNTRY
            .iter()
            .find(|(prefix, _)| number.starts_with(prefix));
        if let Some((_, kind)) = network {
            return *kind;
        }
        match phonenumber::parse(None, number) {
            Ok(read) if read.is_valid() => Self::of_type(&read),
            _ => Kind::Invalid,
        }
    }

    fn of_type(number: &PhoneNumber) -> Self {
        match number.number_type(&DATABASE) {
            Type::PremiumRate => Kind::PremiumRate,
            Type::SharedCost => Kind::SharedCost,
            Type::PersonalNumber => Kind::PersonalNumber,
            Type::Pager => Kind::Pager,
            Type::Uan => Kind::Uan,
            Type::Voicemail => Kind::Voicemail,
            _ => Kind::Ordinary,
        }
    }
}

/// Reads the numbering plans, which takes tens of ms, so that no call waits for it.
pub(crate) fn read_plans() {
    let _ = DATABASE.deref();
}

/// The E.164 number that a national one is in that region, if it is valid there.
pub(super) fn e164_in(region: country::Id, number: &str) -> Option<DialNumber> {
    let read = phonenumber::parse(Some(region), number).ok()?;
    let e164 = read
        .is_valid()
        .then(|| read.format().mode(Mode::E164).to_string())?;
    DialNumber::parse("to_number", &e164).ok()
}
