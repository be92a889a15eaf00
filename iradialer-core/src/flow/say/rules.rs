//! Number grammars as data: sets of rules, each of which says the numbers from its own up to the next one's.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// How deep rules may lie in each other; the deepest of ours needs 8.
const MAX_DEPTH: u32 = 24;

/// A piece of speech: a file's name without its ending, or a word.
pub type Piece = String;

/// Sets of rules by name.
#[derive(Debug, Deserialize)]
#[serde(try_from = "BTreeMap<String, BTreeMap<String, String>>")]
pub struct Sets(BTreeMap<String, Vec<Rule>>);

#[derive(Debug)]
struct Rule {
    /// The first number it is for.
    from: u64,
    /// What the number is divided by.
    divisor: u64,
    words: Vec<Word>,
}

#[derive(Debug)]
struct Word {
    what: What,
    /// Whether it is left out where nothing is left over.
    if_low: bool,
}

#[derive(Debug)]
enum What {
    Piece(Piece),
    Number(Of, Option<String>),
}

#[derive(Debug, Clone, Copy)]
enum Of {
    High,
    Low,
    Same,
}

impl Sets {
    /// Says `number` by the rules of `set`. An error where the data has no rule for it.
    pub fn say(&self, set: &str, number: u64, into: &mut Vec<Piece>) -> Result<(), String> {
        self.say_at(set, number, into, MAX_DEPTH)
    }

    fn say_at(
        &self,
        set: &str,
        number: u64,
        into: &mut Vec<Piece>,
        depth: u32,
    ) -> Result<(), String> {
        let depth = depth
            .checked_sub(1)
            .ok_or("its rules go round in circles")?;
        let rules = self
            .0
            .get(set)
            .ok_or_else(|| format!("there is no set \"{set}\""))?;
        let rule = rules.iter().rev().find(|rule| rule.from <= number);
        let rule = rule.ok_or_else(|| format!("set \"{set}\" has no rule for {number}"))?;
        let (high, low) = (number / rule.divisor, number % rule.divisor);
        for word in &rule.words {
            if word.if_low && low == 0 {
                continue;
            }
            match &word.what {
                What::Piece(piece) => into.push(piece.clone()),
                What::Number(of, other) => {
                    let part = match of {
                        Of::High => high,
                        Of::Low => low,
                        Of::Same => number,
                    };
                    self.say_at(other.as_deref().unwrap_or(set), part, into, depth)?;
                }
            }
        }
        Ok(())
    }

    /// Every piece of every rule.
    pub fn pieces(&self) -> BTreeSet<&str> {
        let words = self.0.values().flatten().flat_map(|rule| &rule.words);
        let pieces = words.filter_map(|word| match &word.what {
            What::Piece(piece) => Some(piece.as_str()),
            What::Number(..) => None,
        });
        pieces.collect()
    }
}

impl TryFrom<BTreeMap<String, BTreeMap<String, String>>> for Sets {
    type Error = String;
    fn try_from(written: BTreeMap<String, BTreeMap<String, String>>) -> Result<Self, String> {
        let mut sets = BTreeMap::new();
        for (name, rules) in written {
            let rules = rules.iter().map(|(key, text)| {
                rule(key, text).map_err(|error| format!("sets.{name}.{key}: {error}"))
            });
            let mut rules: Vec<Rule> = rules.collect::<Result<_, _>>()?;
            rules.sort_by_key(|rule| rule.from);
            sets.insert(name, rules);
        }
        Ok(Sets(sets))
    }
}

fn rule(key: &str, text: &str) -> Result<Rule, String> {
    let (from, divisor) = match key.split_once('/') {
        Some((from, divisor)) => (from, Some(divisor)),
        None => (key, None),
    };
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|error| format!("{text}: {error}"))
    };
    let from = number(from)?;
    let divisor = match divisor {
        Some(divisor) => number(divisor)?,
        None => 10_u64.pow(from.max(1).ilog10()),
    };
    // A number below ten divided by one would be the number itself, over and over.
    let divisor = if divisor < 2 { u64::MAX } else { divisor };
    Ok(Rule {
        from,
        divisor,
        words: words(text)?,
    })
}

fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut if_low = false;
    for token in text.split(' ') {
        let opened = token.strip_prefix('[');
        if_low |= opened.is_some();
        let token = opened.unwrap_or(token);
        let closed = token.strip_suffix(']');
        let token = closed.unwrap_or(token);
        let what = match placeholder(token)? {
            Some((field, set)) => {
                let of = match field {
                    "high" => Of::High,
                    "low" => Of::Low,
                    "n" => Of::Same,
                    _ => return Err(format!("expected {{high}}, {{low}} or {{n}}, got {token}")),
                };
                What::Number(of, set.map(str::to_owned))
            }
            None => What::Piece(piece(token)?),
        };
        words.push(Word { what, if_low });
        if_low &= closed.is_none();
    }
    Ok(words)
}

/// The field and the set of `{field:set}`; `None` where the token is a piece.
pub(super) fn placeholder(token: &str) -> Result<Option<(&str, Option<&str>)>, String> {
    let Some(inner) = token.strip_prefix('{') else {
        return Ok(None);
    };
    let inner = inner
        .strip_suffix('}')
        .ok_or_else(|| format!("expected '}}' after {token}"))?;
    Ok(Some(match inner.split_once(':') {
        Some((field, set)) => (field, Some(set)),
        None => (inner, None),
    }))
}

/// A piece's name becomes a file's: letters, digits and `_`.
pub(super) fn piece(token: &str) -> Result<Piece, String> {
    let is_piece = !token.is_empty()
        && token.len() <= 40
        && token
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    match is_piece {
        true => Ok(token.to_owned()),
        false => Err(format!(
            "expected a piece of small letters, digits and '_', got \"{token}\""
        )),
    }
}
