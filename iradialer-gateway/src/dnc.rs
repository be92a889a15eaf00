//! The do-not-call list as a file: CSV with a header, one number in a line.

use crate::tdb::{DncEntry, DncSource, NewDnc};
use csv::{ReaderBuilder, StringRecord, Trim, Writer};
use iradialer_core::value::{CampaignName, DialNumber, FieldError};
use jiff::Timestamp;
use std::io::{Read, Write};

/// The longest reason, in characters.
const MAX_REASON: usize = 200;
/// How many mistakes of a file are told.
const MAX_MISTAKES: usize = 20;
/// The reason of a number whose file gives none.
const IMPORTED: &str = "imported";
/// What a file without a header has, from left to right, as far as it goes.
const COLUMNS: [&str; 5] = ["number", "campaign_name", "reason", "source", "created_at"];

/// What holds where a line of a file says nothing.
pub(crate) struct Defaults {
    pub(crate) campaign_name: Option<CampaignName>,
    /// Now, ms since the Unix epoch.
    pub(crate) added_ms: u64,
}

/// Why a number is listed: 1 to 200 characters.
pub(crate) fn check_reason(field: &str, text: &str) -> Result<String, FieldError> {
    let fits =
        (1..=MAX_REASON).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    match fits {
        true => Ok(text.to_owned()),
        false => {
            let expected =
                format!("1 to {MAX_REASON} characters, none of them a control character");
            Err(FieldError::new(field, expected, text))
        }
    }
}

/// Reads a whole file, or says what is wrong with it, by its lines.
pub(crate) fn read(file: impl Read, defaults: &Defaults) -> Result<Vec<NewDnc>, Vec<String>> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(file);
    let mut columns: Vec<String> = COLUMNS.map(str::to_owned).into();
    let (mut entries, mut mistakes) = (Vec::new(), Vec::new());
    for (index, record) in reader.records().enumerate() {
        let mut record = match record {
            Ok(record) => record,
            Err(error) => {
                mistakes.push(error.to_string());
                break;
            }
        };
        if index == 0 {
            record = without_mark(&record);
            if is_header(&record) {
                check_header(&record, &mut mistakes);
                columns = record.iter().map(str::to_owned).collect();
                continue;
            }
        }
        match entry(&record, &columns, defaults) {
            Ok(entry) => entries.push(entry),
            Err(mistake) => {
                let line = record.position().map_or(0, csv::Position::line);
                mistakes.push(format!("line {line}: {mistake}"));
            }
        }
        if mistakes.len() >= MAX_MISTAKES {
            break;
        }
    }
    match mistakes.is_empty() {
        true => Ok(entries),
        false => Err(mistakes),
    }
}

/// Spreadsheets begin a file with a byte order mark.
fn without_mark(record: &StringRecord) -> StringRecord {
    let mut plain: StringRecord = record
        .iter()
        .map(|field| field.trim_start_matches('\u{feff}'))
        .collect();
    plain.set_position(record.position().cloned());
    plain
}

fn is_header(record: &StringRecord) -> bool {
    record.iter().any(|field| COLUMNS.contains(&field))
}

fn check_header(record: &StringRecord, mistakes: &mut Vec<String>) {
    for column in record.iter().filter(|column| !COLUMNS.contains(column)) {
        let expected = format!("one of the columns {}", COLUMNS.join(", "));
        mistakes.push(format!(
            "line 1: {}",
            FieldError::new("header", expected, column)
        ));
    }
    if !record.iter().any(|column| column == "number") {
        let missing = FieldError::missing("header", "a column number");
        mistakes.push(format!("line 1: {missing}"));
    }
}

fn entry(
    record: &StringRecord,
    columns: &[String],
    defaults: &Defaults,
) -> Result<NewDnc, FieldError> {
    if let Some(more) = record.get(columns.len()) {
        let expected = format!("{} columns", columns.len());
        return Err(FieldError::new("columns", expected, more));
    }
    let field = |name: &str| {
        let place = columns.iter().position(|column| column == name)?;
        record.get(place).filter(|text| !text.is_empty())
    };
    let campaign = field("campaign_name").map(|text| CampaignName::parse("campaign_name", text));
    let reason = field("reason").map(|text| check_reason("reason", text));
    let source = field("source").map(|text| {
        let expected = "flow, api or import";
        DncSource::parse(text).ok_or_else(|| FieldError::new("source", expected, text))
    });
    let added_ms = field("created_at").map(|text| {
        let time = text.parse::<Timestamp>().ok();
        let ms = time.and_then(|time| u64::try_from(time.as_millisecond()).ok());
        let expected = "a time such as 2026-11-21T10:00:00Z";
        ms.ok_or_else(|| FieldError::new("created_at", expected, text))
    });
    Ok(NewDnc {
        number: DialNumber::parse("number", field("number").unwrap_or_default())?,
        campaign_name: campaign
            .transpose()?
            .or_else(|| defaults.campaign_name.clone()),
        reason: reason.transpose()?.unwrap_or_else(|| IMPORTED.to_owned()),
        source: source.transpose()?.unwrap_or(DncSource::Import),
        added_ms: added_ms.transpose()?.unwrap_or(defaults.added_ms),
    })
}

/// A list that is being written; [`read`] reads it.
pub(crate) struct Export<W: Write>(Writer<W>);

impl<W: Write> Export<W> {
    /// Begins with the header.
    pub(crate) fn begin(to: W) -> csv::Result<Self> {
        let mut writer = Writer::from_writer(to);
        writer.write_record(COLUMNS)?;
        Ok(Export(writer))
    }

    pub(crate) fn entry(&mut self, entry: &DncEntry) -> csv::Result<()> {
        let created = i64::try_from(entry.added_ms).ok();
        let created = created.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        self.0.write_record([
            entry.number.as_str(),
            entry
                .campaign_name
                .as_ref()
                .map_or("", CampaignName::as_str),
            &entry.reason,
            entry.source.as_str(),
            &created.map_or_else(String::new, |time| format!("{time:.3}")),
        ])
    }

    pub(crate) fn finish(mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000_000;

    fn of(text: &str) -> Result<Vec<NewDnc>, Vec<String>> {
        let defaults = Defaults {
            campaign_name: None,
            added_ms: NOW,
        };
        read(text.as_bytes(), &defaults)
    }

    #[test]
    fn a_plain_list_of_numbers() {
        let read = of("+15005550006\n15005550007\r\n\n +15005550008 \n").unwrap();
        let numbers: Vec<_> = read.iter().map(|entry| entry.number.as_str()).collect();
        assert_eq!(numbers, ["+15005550006", "15005550007", "+15005550008"]);
        assert_eq!(read[0].reason, "imported");
        assert_eq!((read[0].source, read[0].added_ms), (DncSource::Import, NOW));
    }

    #[test]
    fn columns_by_their_names_behind_a_byte_order_mark() {
        let text = "\u{feff}reason,number,campaign_name\n\"asked, by post\",+15005550006,surveys\n";
        let read = of(text).unwrap();
        assert_eq!(read[0].reason, "asked, by post");
        assert_eq!(read[0].campaign_name.as_ref().unwrap().as_str(), "surveys");
    }

    #[test]
    fn what_was_written_is_read() {
        let entry = DncEntry {
            number: "15005550006".to_owned(),
            campaign_name: None,
            reason: "said \"never\",\u{e9}".to_owned(),
            source: DncSource::Flow,
            added_ms: NOW,
            call_uuid: None,
        };
        let mut file = Vec::new();
        let mut export = Export::begin(&mut file).unwrap();
        export.entry(&entry).unwrap();
        export.finish().unwrap();
        let read = read(
            file.as_slice(),
            &Defaults {
                campaign_name: None,
                added_ms: NOW + 1,
            },
        );
        let [back] = &read.unwrap()[..] else { panic!() };
        assert_eq!(back.number.as_str(), entry.number);
        assert_eq!((&back.reason, back.source), (&entry.reason, entry.source));
        assert_eq!(back.added_ms, NOW);
    }

    #[test]
    fn mistakes_are_told_by_line() {
        for (text, said) in [
            ("number,colour\n+15005550006,red\n", "colour"),
            ("reason\nx\n", "a column number"),
            ("+15005550006\n+1 500 555\n", "line 2: number: expected"),
            ("+15005550006,a.b\n", "line 1: campaign_name: expected"),
            ("+15005550006,,x,else\n", "line 1: source: expected"),
            (
                "+15005550006,,x,api,yesterday\n",
                "line 1: created_at: expected",
            ),
            ("+15005550006,,x,api,,more\n", "line 1: columns: expected 5"),
            ("number\n,\n", "line 2: columns"),
        ] {
            let mistakes = of(text).unwrap_err();
            assert!(mistakes[0].contains(said), "{text}: {mistakes:?}");
        }
        assert_eq!(of(&"x\n".repeat(100)).unwrap_err().len(), MAX_MISTAKES);
        assert!(
            read(
                &b"+1500\xff5550006\n"[..],
                &Defaults {
                    campaign_name: None,
                    added_ms: 0
                }
            )
            .is_err()
        );
    }
}
