//! A language as its data file has it.

use super::rules::{Piece, Sets, piece, placeholder};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// How a language says what `say` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// The currency of an amount that names none.
    pub currency: String,
    /// Said before a negative number.
    pub minus: Piece,
    /// Said before decimals.
    pub point: Piece,
    /// The rules for numbers.
    pub sets: Sets,
    formats: BTreeMap<String, Format>,
    lists: BTreeMap<String, Vec<Piece>>,
    digits: BTreeMap<char, Piece>,
    currencies: BTreeMap<String, Currency>,
    text: BTreeMap<Piece, String>,
}

/// What a currency is called. One without cents has none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Currency {
    /// One of it.
    pub unit: Piece,
    /// Several.
    pub units: Piece,
    /// A hundredth.
    pub cent: Option<Piece>,
    /// Several of them.
    pub cents: Option<Piece>,
}

/// Pieces and fields in the order they are said.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Format(Vec<Token>);

#[derive(Debug)]
enum Token {
    Piece(Piece),
    Field(String, Option<String>),
}

impl TryFrom<String> for Format {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let tokens = text.split(' ').map(|token| match placeholder(token)? {
            Some((field, set)) => Ok(Token::Field(field.to_owned(), set.map(str::to_owned))),
            None => piece(token).map(Token::Piece),
        });
        tokens.collect::<Result<_, _>>().map(Format)
    }
}

/// What a field of a format is.
#[derive(Debug, Clone, Copy)]
pub enum Field<'a> {
    /// A number, said by a set of rules.
    Number(u64),
    /// An entry of a list, from 0.
    Entry(usize),
    /// A piece.
    Piece(&'a str),
}

impl Language {
    /// Reads a data file.
    pub fn parse(toml: &str) -> Result<Self, String> {
        toml::from_str(toml).map_err(|error| error.to_string())
    }

    /// Says a whole number.
    pub fn number(&self, number: u64, into: &mut Vec<Piece>) -> Result<(), String> {
        self.sets.say("cardinal", number, into)
    }

    /// Says one of `0-9*#+`.
    pub fn digit(&self, digit: char, into: &mut Vec<Piece>) -> Result<(), String> {
        if let Some(number) = digit.to_digit(10) {
            return self.number(u64::from(number), into);
        }
        let piece = self.digits.get(&digit);
        into.push(
            piece
                .ok_or_else(|| format!("it has no word for '{digit}'"))?
                .clone(),
        );
        Ok(())
    }

    /// Says a format with its fields.
    pub fn format(
        &self,
        name: &str,
        fields: &[(&str, Field<'_>)],
        into: &mut Vec<Piece>,
    ) -> Result<(), String> {
        let format = self.formats.get(name);
        let format = format.ok_or_else(|| format!("it has no format \"{name}\""))?;
        for token in &format.0 {
            let (name, set) = match token {
                Token::Piece(piece) => {
                    into.push(piece.clone());
                    continue;
                }
                Token::Field(name, set) => (name.as_str(), set.as_deref()),
            };
            let field = fields.iter().find(|(field, _)| *field == name);
            match field
                .ok_or_else(|| format!("there is no field \"{name}\""))?
                .1
            {
                Field::Number(number) => {
                    self.sets.say(set.unwrap_or("cardinal"), number, into)?;
                }
                Field::Entry(place) => {
                    let entry = self.lists.get(name).and_then(|list| list.get(place));
                    into.push(
                        entry
                            .ok_or_else(|| format!("list {name} ends before {place}"))?
                            .clone(),
                    );
                }
                Field::Piece(piece) => into.push(piece.to_owned()),
            }
        }
        Ok(())
    }

    /// What a currency is called.
    pub fn currency(&self, code: &str) -> Option<&Currency> {
        self.currencies.get(code)
    }

    /// The codes of its currencies.
    pub fn currencies(&self) -> Vec<&str> {
        self.currencies.keys().map(String::as_str).collect()
    }

    /// The pieces as a text.
    pub fn text(&self, pieces: &[Piece]) -> String {
        let words = pieces.iter().map(|piece| match self.text.get(piece) {
            Some(text) => text.clone(),
            None => piece.replace('_', " "),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// Every piece it may say.
    pub fn pieces(&self) -> BTreeSet<&str> {
        let mut pieces = self.sets.pieces();
        pieces.extend([self.minus.as_str(), self.point.as_str()]);
        pieces.extend(self.lists.values().flatten().map(String::as_str));
        pieces.extend(self.digits.values().map(String::as_str));
        for format in self.formats.values() {
            pieces.extend(format.0.iter().filter_map(|token| match token {
                Token::Piece(piece) => Some(piece.as_str()),
                Token::Field(..) => None,
            }));
        }
        for currency in self.currencies.values() {
            pieces.extend([currency.unit.as_str(), currency.units.as_str()]);
            pieces.extend(
                [&currency.cent, &currency.cents]
                    .into_iter()
                    .flatten()
                    .map(String::as_str),
            );
        }
        pieces
    }

    /// The pieces that are spelt otherwise, for tests.
    #[cfg(test)]
    pub fn spelt(&self) -> Vec<&str> {
        self.text.keys().map(String::as_str).collect()
    }
}
