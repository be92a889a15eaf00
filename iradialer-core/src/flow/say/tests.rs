//! What is said, read back by parsers that know nothing of the rules.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn said(language: &str, kind: SayKind, value: &str) -> Result<String, String> {
    let say = say(kind, None, SayWith::Files);
    pieces(&say, language, value).map(|(_, pieces)| pieces.join(" "))
}

fn say(kind: SayKind, currency: Option<&str>, with: SayWith) -> Say {
    let value = crate::flow::Template::parse("0").unwrap();
    Say {
        kind,
        value,
        language: None,
        currency: currency.map(str::to_owned),
        with,
    }
}

#[test]
fn every_data_file_is_listed_and_can_be_read() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("languages");
    let there: BTreeSet<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let listed: BTreeSet<String> = languages().into_iter().map(str::to_owned).collect();
    assert_eq!(there, listed);
    for (name, toml) in FILES {
        let language = Language::parse(toml).unwrap_or_else(|error| panic!("{name}: {error}"));
        let pieces = language.pieces();
        assert_eq!(files_of(name).len(), pieces.len(), "{name}");
        for spelt in language.spelt() {
            assert!(pieces.contains(spelt), "{name}: no rule says \"{spelt}\"");
        }
    }
}

#[test]
fn bad_data_is_refused_with_its_place() {
    let good = FILES[1].1;
    for (was, is, says) in [
        ("zero", "Zero", "expected a piece"),
        (
            "\"{high} hundred [{low}]\"",
            "\"{hi} hundred\"",
            "{high}, {low} or {n}",
        ),
        (
            "\"{high} hundred [{low}]\"",
            "\"{high hundred\"",
            "expected '}'",
        ),
        ("1000 =", "1000x =", "1000x"),
        ("minus =", "minsu =", "minsu"),
    ] {
        let error = Language::parse(&good.replacen(was, is, 1)).unwrap_err();
        assert!(error.contains(says), "{says}: {error}");
    }
}

#[test]
fn rules_that_go_round_are_an_error_and_no_overflow() {
    let toml = FILES[1].1.replacen("0 = \"zero\"", "0 = \"{n}\"", 1);
    let language = Language::parse(&toml).unwrap();
    assert!(
        language
            .number(0, &mut Vec::new())
            .unwrap_err()
            .contains("circles")
    );
}

#[test]
fn numbers_are_said_as_people_do() {
    let cases = [
        ("0", "zero", "null"),
        ("21", "twenty one", "ein und zwanzig"),
        ("101", "one hundred one", "ein hundert eins"),
        (
            "1984",
            "one thousand nine hundred eighty four",
            "ein tausend neun hundert vier und achtzig",
        ),
        ("21000", "twenty one thousand", "ein und zwanzig tausend"),
        ("1000000", "one million", "eine million"),
        (
            "21000001",
            "twenty one million one",
            "ein und zwanzig millionen eins",
        ),
        ("1000000000000", "one trillion", "eine billion"),
        (
            "-3.05",
            "minus three point zero five",
            "minus drei komma null fuenf",
        ),
        ("007", "seven", "sieben"),
    ];
    for (value, en, de) in cases {
        assert_eq!(said("en", SayKind::Number, value).as_deref(), Ok(en));
        assert_eq!(said("de", SayKind::Number, value).as_deref(), Ok(de));
    }
}

/// The number that English words stand for.
fn english(words: &str) -> u64 {
    const UNITS: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = [
        "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    let (mut total, mut group) = (0, 0);
    for word in words.split(' ') {
        let at = |words: &[&str]| {
            words
                .iter()
                .position(|known| *known == word)
                .map(|at| at as u64)
        };
        if let Some(unit) = at(&UNITS) {
            group += unit;
        } else if let Some(tens) = at(&TENS) {
            group += 10 * (tens + 2);
        } else if word == "hundred" {
            group *= 100;
        } else {
            let scale = at(&["thousand", "million", "billion", "trillion"])
                .unwrap_or_else(|| panic!("{words}"));
            total += group * 1_000_u64.pow(scale as u32 + 1);
            group = 0;
        }
    }
    total + group
}

/// The number that German words stand for.
fn german(words: &str) -> u64 {
    const UNITS: [&str; 20] = [
        "null",
        "eins",
        "zwei",
        "drei",
        "vier",
        "fuenf",
        "sechs",
        "sieben",
        "acht",
        "neun",
        "zehn",
        "elf",
        "zwoelf",
        "dreizehn",
        "vierzehn",
        "fuenfzehn",
        "sechzehn",
        "siebzehn",
        "achtzehn",
        "neunzehn",
    ];
    const TENS: [&str; 8] = [
        "zwanzig", "dreissig", "vierzig", "fuenfzig", "sechzig", "siebzig", "achtzig", "neunzig",
    ];
    let (mut total, mut group, mut unit) = (0, 0, 0);
    for word in words.split(' ') {
        let at = |words: &[&str]| {
            words
                .iter()
                .position(|known| *known == word)
                .map(|at| at as u64)
        };
        if let Some(number) = at(&UNITS) {
            unit += number;
        } else if let Some(tens) = at(&TENS) {
            unit += 10 * (tens + 2);
        } else {
            match word {
                "ein" | "eine" => unit += 1,
                "und" => {}
                "hundert" => {
                    group += 100 * unit;
                    unit = 0;
                }
                scale => {
                    let power = match scale {
                        "tausend" => 3,
                        "million" | "millionen" => 6,
                        "milliarde" | "milliarden" => 9,
                        "billion" | "billionen" => 12,
                        _ => panic!("{words}"),
                    };
                    total += (group + unit) * 10_u64.pow(power);
                    (group, unit) = (0, 0);
                }
            }
        }
    }
    total + group + unit
}

/// Numbers of every length, and round ones.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..2_000_u64,
        0..=MAX_NUMBER,
        (0..13_u32, 0..1_000_000_000_000_u64)
            .prop_map(|(length, number)| number % 10_u64.pow(length)),
        (0..12_u32, 0..100_u64)
            .prop_map(|(zeros, number)| (number * 10_u64.pow(zeros)).min(MAX_NUMBER)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn numbers_are_understood(number in number()) {
        let value = number.to_string();
        prop_assert_eq!(english(&said("en", SayKind::Number, &value).unwrap()), number);
        prop_assert_eq!(german(&said("de", SayKind::Number, &value).unwrap()), number);
    }

    #[test]
    fn amounts_are_understood(whole in number(), cents in 0..100_u64) {
        let words = said("en", SayKind::Money, &format!("{whole}.{cents:02}")).unwrap();
        let split = |words: &str, units: [&str; 2]| {
            let (number, unit) = words.rsplit_once(' ').unwrap();
            assert!(units.contains(&unit), "{words}");
            assert_eq!(unit == units[0], english(number) == 1, "{words}");
            english(number)
        };
        let (dollars, rest) = match words.split_once(" and ") {
            Some((dollars, cents)) => (dollars, Some(cents)),
            None if words.contains("cent") => ("zero dollars", Some(words.as_str())),
            None => (words.as_str(), None),
        };
        prop_assert_eq!(split(dollars, ["dollar", "dollars"]), whole);
        prop_assert_eq!(rest.map_or(0, |cents| split(cents, ["cent", "cents"])), cents);
    }

    #[test]
    fn nothing_makes_it_panic(value in ".{0,70}", digits in "[-0-9.:+*#]{0,20}", kind in 0..5_usize) {
        let kind = [SayKind::Number, SayKind::Digits, SayKind::Date, SayKind::Time, SayKind::Money][kind];
        for language in languages() {
            let _ = (said(language, kind, &value), said(language, kind, &digits));
        }
    }
}

#[test]
fn years_are_said_as_people_do() {
    for (year, en, de) in [
        (1900, "nineteen hundred", "neunzehn hundert"),
        (1905, "nineteen oh five", "neunzehn hundert fuenf"),
        (
            1984,
            "nineteen eighty four",
            "neunzehn hundert vier und achtzig",
        ),
        (2000, "two thousand", "zwei tausend"),
        (2007, "two thousand seven", "zwei tausend sieben"),
        (2026, "twenty twenty six", "zwei tausend sechs und zwanzig"),
        (2100, "twenty one hundred", "zwei tausend ein hundert"),
    ] {
        let date = format!("{year}-03-01");
        let en_date = said("en", SayKind::Date, &date).unwrap();
        assert!(en_date.ends_with(&format!("march first {en}")), "{en_date}");
        let de_date = said("de", SayKind::Date, &date).unwrap();
        assert!(
            de_date.ends_with(&format!("erster maerz {de}")),
            "{de_date}"
        );
    }
}

/// Every day there is, read back: the weekday by Zeller's congruence, the rest by its words.
#[test]
fn every_day_of_two_centuries_is_understood() {
    const WEEKDAYS: [&str; 7] = [
        "saturday",
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
    ];
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let mut day = jiff::civil::date(1900, 1, 1);
    let mut days = 0;
    while day <= jiff::civil::date(2100, 12, 31) {
        let said = said("en", SayKind::Date, &day.to_string()).unwrap();
        let mut words = said.split(' ');
        let (m, y) = match day.month() {
            month @ 1..=2 => (i32::from(month) + 12, i32::from(day.year()) - 1),
            month => (i32::from(month), i32::from(day.year())),
        };
        let zeller = (i32::from(day.day()) + 13 * (m + 1) / 5 + y + y / 4 - y / 100 + y / 400) % 7;
        assert_eq!(words.next(), Some(WEEKDAYS[zeller as usize]), "{day}");
        assert_eq!(
            words.next(),
            Some(MONTHS[day.month() as usize - 1]),
            "{day}"
        );
        let rest: Vec<&str> = words.collect();
        // The day ends at the first ordinal; what is left is the year.
        let ends = rest.iter().position(|word| {
            word.ends_with("st")
                || word.ends_with("nd")
                || word.ends_with("rd")
                || word.ends_with("th")
        });
        let (of_month, year) = rest.split_at(ends.unwrap() + 1);
        assert_eq!(ordinal(&of_month.join(" ")), day.day() as u64, "{said}");
        assert_eq!(year_of(year), day.year() as u64, "{said}");
        day = day.tomorrow().unwrap();
        days += 1;
    }
    assert_eq!(days, 73_414);
}

fn ordinal(words: &str) -> u64 {
    let (tens, last) = words.rsplit_once(' ').unwrap_or(("", words));
    let cardinal = match last {
        "first" => "one".to_owned(),
        "second" => "two".to_owned(),
        "third" => "three".to_owned(),
        "fifth" => "five".to_owned(),
        "eighth" => "eight".to_owned(),
        "ninth" => "nine".to_owned(),
        "twelfth" => "twelve".to_owned(),
        other => match other.strip_suffix("ieth") {
            Some(stem) => format!("{stem}y"),
            None => other.trim_end_matches("th").to_owned(),
        },
    };
    english(format!("{tens} {cardinal}").trim())
}

/// Nineteen oh five, nineteen eighty four, two thousand seven, twenty twenty six.
fn year_of(words: &[&str]) -> u64 {
    let text = words.join(" ");
    if text.contains("thousand") || text.ends_with("hundred") {
        return english(&text);
    }
    if let Some((century, year)) = text.split_once(" oh ") {
        return 100 * english(century) + english(year);
    }
    // The century is one word up to nineteen, and twenty.
    100 * english(words[0]) + english(&words[1..].join(" "))
}

#[test]
fn times_are_said_as_people_do() {
    for (value, en, de) in [
        ("00:00", "twelve a_m", "null uhr"),
        ("00:05", "twelve oh five a_m", "null uhr fuenf"),
        ("01:00", "one a_m", "ein uhr"),
        ("12:00", "twelve p_m", "zwoelf uhr"),
        ("17:30", "five thirty p_m", "siebzehn uhr dreissig"),
        (
            "23:59",
            "eleven fifty nine p_m",
            "drei und zwanzig uhr neun und fuenfzig",
        ),
    ] {
        assert_eq!(said("en", SayKind::Time, value).as_deref(), Ok(en));
        assert_eq!(said("de", SayKind::Time, value).as_deref(), Ok(de));
    }
}

#[test]
fn money_and_digits_are_said_as_people_do() {
    for (value, en, de) in [
        ("1", "one dollar", "ein euro"),
        ("0", "zero dollars", "null euro"),
        ("0.01", "one cent", "ein cent"),
        (
            "12.5",
            "twelve dollars and fifty cents",
            "zwoelf euro und fuenfzig cent",
        ),
        (
            "-21.01",
            "minus twenty one dollars and one cent",
            "minus ein und zwanzig euro und ein cent",
        ),
    ] {
        assert_eq!(said("en", SayKind::Money, value).as_deref(), Ok(en));
        assert_eq!(said("de", SayKind::Money, value).as_deref(), Ok(de));
    }
    let yen = |value: &str| {
        let say = say(SayKind::Money, Some("JPY"), SayWith::Files);
        pieces(&say, "en", value).map(|(_, pieces)| pieces.join(" "))
    };
    assert_eq!(yen("300").as_deref(), Ok("three hundred yen"));
    assert!(yen("3.50").unwrap_err().contains("without decimals"));
    assert_eq!(
        said("en", SayKind::Digits, "0*4#").as_deref(),
        Ok("zero star four pound")
    );
}

#[test]
fn a_text_is_spelt_as_the_language_does() {
    let say = say(SayKind::Date, None, SayWith::Tts);
    let text = |language: &str| match &sounds(&say, language, "1955-05-12").unwrap()[..] {
        [Sound::Tts { text, .. }] => text.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(text("en"), "Thursday May twelfth nineteen fifty five");
    assert_eq!(
        text("de"),
        "Donnerstag zwölfter Mai neunzehn hundert fünf und fünfzig"
    );
}

#[test]
fn what_can_not_be_said_is_refused_with_what_was_expected() {
    for (kind, values) in [
        (
            SayKind::Number,
            vec![
                "",
                "-",
                ".5",
                "5.",
                "1e3",
                "1,000",
                "1000000000001",
                "0.1234567",
                " 1",
                "٣",
            ],
        ),
        (SayKind::Digits, vec!["", "12a", "1 2"]),
        (
            SayKind::Date,
            vec![
                "",
                "2026-02-29",
                "1899-12-31",
                "2101-01-01",
                "21.11.2026",
                "2026-1-1",
            ],
        ),
        (SayKind::Time, vec!["", "24:00", "12:60", "1:00", "12.30"]),
        (SayKind::Money, vec!["", "1.234", "$5", "five"]),
    ] {
        for value in values {
            let error = said("en", kind, value).unwrap_err();
            assert!(
                error.starts_with("expected ") && error.contains("got \""),
                "{kind:?} {value:?}: {error}"
            );
        }
    }
    assert!(
        said("xx", SayKind::Number, "1")
            .unwrap_err()
            .contains("no language \"xx\"")
    );
}
