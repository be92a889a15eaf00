//! `say`: numbers, digits, days, times and money, put together from pieces.
//!
//! What a language says is in its data file, `iradialer-core/languages/NAME.toml`; nothing here knows one.

mod language;
mod rules;

use super::document::{Say, SayKind, SayWith};
use super::sound::Sound;
use crate::strict_json::shown;
use crate::value::PromptPath;
use language::{Field, Language};
use rules::Piece;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The data files. A language is added here and nowhere else.
const FILES: [(&str, &str); 2] = [
    ("de", include_str!("../../languages/de.toml")),
    ("en", include_str!("../../languages/en.toml")),
];

/// The largest number and amount that is said.
pub const MAX_NUMBER: u64 = 1_000_000_000_000;
/// The most decimals of a number.
const MAX_DECIMALS: usize = 6;
/// The most characters of `digits`.
const MAX_DIGITS: usize = 64;
/// The years of a day.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2100;

static LANGUAGES: LazyLock<BTreeMap<&str, Language>> = LazyLock::new(|| {
    // A test reads each of them; one that can't be read is not there.
    let read = FILES
        .into_iter()
        .filter_map(|(name, toml)| Some((name, Language::parse(toml).ok()?)));
    read.collect()
});

/// The languages there are.
pub fn languages() -> Vec<&'static str> {
    LANGUAGES.keys().copied().collect()
}

/// The currencies a language knows; none of one that is not there.
pub fn currencies(language: &str) -> Vec<&'static str> {
    LANGUAGES
        .get(language)
        .map(Language::currencies)
        .unwrap_or_default()
}

/// Every file that `say` may play in a language.
pub fn files_of(language: &str) -> Vec<Sound> {
    let pieces = LANGUAGES
        .get(language)
        .map(Language::pieces)
        .unwrap_or_default();
    pieces
        .into_iter()
        .filter_map(|piece| file(language, piece))
        .collect()
}

fn file(language: &str, piece: &str) -> Option<Sound> {
    PromptPath::parse("say", &format!("say/{language}/{piece}.wav"))
        .ok()
        .map(Sound::File)
}

/// What is heard of `value`, or why it can't be said.
pub fn sounds(say: &Say, flow_language: &str, value: &str) -> Result<Vec<Sound>, String> {
    let name = say.language.as_deref().unwrap_or(flow_language);
    let (language, pieces) = pieces(say, name, value)?;
    match say.with {
        SayWith::Files => Ok(pieces
            .iter()
            .filter_map(|piece| file(name, piece))
            .collect()),
        SayWith::Tts => Ok(vec![spoken(name, language.text(&pieces))]),
    }
}

/// As [`sounds`], each piece spoken by itself: for a value that nobody knew before the call, when there was
/// time to have the whole of it spoken.
pub fn sounds_of_pieces(say: &Say, flow_language: &str, value: &str) -> Result<Vec<Sound>, String> {
    let name = say.language.as_deref().unwrap_or(flow_language);
    let (language, pieces) = pieces(say, name, value)?;
    let each = pieces.chunks(1);
    Ok(each
        .map(|piece| spoken(name, language.text(piece)))
        .collect())
}

/// Every piece that `say` may have spoken in a language.
pub fn spoken_pieces_of(language: &str) -> Vec<Sound> {
    let Some(data) = LANGUAGES.get(language) else {
        return Vec::new();
    };
    let pieces = data.pieces().into_iter();
    pieces
        .map(|piece| spoken(language, data.text(&[piece.to_owned()])))
        .collect()
}

fn spoken(language: &str, text: String) -> Sound {
    Sound::Tts {
        text,
        voice: None,
        engine: None,
    }
    .in_voice_of(language)
}

fn pieces(say: &Say, name: &str, value: &str) -> Result<(&'static Language, Vec<Piece>), String> {
    let language = LANGUAGES.get(name);
    let language = language.ok_or_else(|| format!("there is no language \"{}\"", shown(name)))?;
    let mut pieces = Vec::new();
    let into = &mut pieces;
    match say.kind {
        SayKind::Number => number(language, value, into),
        SayKind::Digits => digits(language, value, into),
        SayKind::Date => date(language, value, into),
        SayKind::Time => time(language, value, into),
        SayKind::Money => money(language, say.currency.as_deref(), value, into),
    }?;
    Ok((language, pieces))
}

fn refused(expected: &str, value: &str) -> String {
    format!("expected {expected}, got \"{}\"", shown(value))
}

/// A decimal number: whether it is below zero, its whole part, and its decimals.
fn decimal<'v>(
    value: &'v str,
    most_decimals: usize,
    expected: &str,
) -> Result<(bool, u64, &'v str), String> {
    let refuse = || refused(expected, value);
    let magnitude = value.strip_prefix('-');
    let (whole, decimals) = match magnitude.unwrap_or(value).split_once('.') {
        Some((_, "")) => return Err(refuse()),
        Some(parts) => parts,
        None => (magnitude.unwrap_or(value), ""),
    };
    let is_number = !whole.is_empty()
        && whole
            .bytes()
            .chain(decimals.bytes())
            .all(|b| b.is_ascii_digit())
        && decimals.len() <= most_decimals;
    let number = whole
        .parse()
        .ok()
        .filter(|number| is_number && *number <= MAX_NUMBER);
    Ok((magnitude.is_some(), number.ok_or_else(refuse)?, decimals))
}

fn number(language: &Language, value: &str, into: &mut Vec<Piece>) -> Result<(), String> {
    let expected = "a number of up to a million million with up to 6 decimals";
    let (negative, whole, decimals) = decimal(value, MAX_DECIMALS, expected)?;
    if negative {
        into.push(language.minus.clone());
    }
    language.number(whole, into)?;
    if !decimals.is_empty() {
        into.push(language.point.clone());
    }
    decimals
        .chars()
        .try_for_each(|digit| language.digit(digit, into))
}

fn digits(language: &Language, value: &str, into: &mut Vec<Piece>) -> Result<(), String> {
    let known = |digit: char| digit.is_ascii_digit() || matches!(digit, '*' | '#' | '+');
    if !(1..=MAX_DIGITS).contains(&value.len()) || !value.chars().all(known) {
        return Err(refused("1 to 64 of '0-9', '*', '#' and '+'", value));
    }
    value
        .chars()
        .try_for_each(|digit| language.digit(digit, into))
}

fn date(language: &Language, value: &str, into: &mut Vec<Piece>) -> Result<(), String> {
    let parsed = (value.len() == 10)
        .then(|| value.parse::<jiff::civil::Date>().ok())
        .flatten();
    let date = parsed.filter(|date| YEARS.contains(&date.year()));
    let date = date.ok_or_else(|| refused("a day from 1900-01-01 to 2100-12-31", value))?;
    let fields = [
        (
            "weekday",
            Field::Entry(usize::from(
                date.weekday().to_monday_zero_offset().unsigned_abs(),
            )),
        ),
        (
            "month",
            Field::Entry(usize::from(date.month().unsigned_abs()) - 1),
        ),
        ("day", Field::Number(u64::from(date.day().unsigned_abs()))),
        ("year", Field::Number(u64::from(date.year().unsigned_abs()))),
    ];
    language.format("date", &fields, into)
}

fn time(language: &Language, value: &str, into: &mut Vec<Piece>) -> Result<(), String> {
    let two_digits = |text: &str, most: u64| {
        let is_two = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u64>()
            .ok()
            .filter(|number| is_two && *number <= most)
    };
    let parts = value.split_once(':');
    let parts =
        parts.and_then(|(hour, minute)| Some((two_digits(hour, 23)?, two_digits(minute, 59)?)));
    let (hour, minute) = parts.ok_or_else(|| refused("a time of day such as 17:05", value))?;
    let fields = [
        ("hour", Field::Number(hour)),
        ("hour12", Field::Number((hour + 11) % 12 + 1)),
        ("half", Field::Entry(usize::from(hour >= 12))),
        ("minute", Field::Number(minute)),
    ];
    let format = if minute == 0 {
        "time_on_the_hour"
    } else {
        "time"
    };
    language.format(format, &fields, into)
}

fn money(
    language: &Language,
    code: Option<&str>,
    value: &str,
    into: &mut Vec<Piece>,
) -> Result<(), String> {
    let expected = "an amount of up to a million million with up to 2 decimals";
    let (negative, whole, decimals) = decimal(value, 2, expected)?;
    // "12.5" is twelve fifty.
    let cents: u64 = format!("{decimals:0<2}")
        .parse()
        .map_err(|_| refused(expected, value))?;
    let code = code.unwrap_or(&language.currency);
    let currency = language.currency(code);
    let currency =
        currency.ok_or_else(|| format!("it has no words for currency \"{}\"", shown(code)))?;
    let unit = if whole == 1 {
        &currency.unit
    } else {
        &currency.units
    };
    let cent = if cents == 1 {
        &currency.cent
    } else {
        &currency.cents
    };
    let format = match (whole, cents) {
        (_, 0) => "money",
        (0, _) => "cents",
        _ => "money_and_cents",
    };
    let cent = match cent {
        Some(cent) => cent.as_str(),
        None if cents == 0 => "",
        None => {
            return Err(refused(
                "an amount without decimals, as the currency has none",
                value,
            ));
        }
    };
    if negative {
        into.push(language.minus.clone());
    }
    let fields = [
        ("whole", Field::Number(whole)),
        ("unit", Field::Piece(unit)),
        ("cents", Field::Number(cents)),
        ("cent", Field::Piece(cent)),
    ];
    language.format(format, &fields, into)
}

#[cfg(test)]
mod tests;
