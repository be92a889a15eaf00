//! Reading rows into checked types.

use super::{Database, Row, TdbError};
use sqlx::{ColumnIndex, Decode, Row as _, Type};

/// A time as SQL keeps it.
pub(super) fn sql_ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// A column as it is.
pub(super) fn get<'r, T>(row: &'r Row, column: &'static str) -> Result<T, TdbError>
where
    T: Decode<'r, Database> + Type<Database>,
    &'static str: ColumnIndex<Row>,
{
    Ok(row.try_get(column)?)
}

/// A number that is never negative.
pub(super) fn number<N: TryFrom<i64>>(row: &Row, column: &'static str) -> Result<N, TdbError> {
    let value: i64 = get(row, column)?;
    N::try_from(value).map_err(|_| unreadable(column, value.to_string(), "a number in range"))
}

/// A number that may be missing.
pub(super) fn optional_number<N: TryFrom<i64>>(
    row: &Row,
    column: &'static str,
) -> Result<Option<N>, TdbError> {
    let value: Option<i64> = get(row, column)?;
    value
        .map(|value| {
            N::try_from(value)
                .map_err(|_| unreadable(column, value.to_string(), "a number in range"))
        })
        .transpose()
}

/// Text that `parse` makes a checked value of.
pub(super) fn parsed<T>(
    row: &Row,
    column: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, TdbError> {
    let text: String = get(row, column)?;
    parse(&text).ok_or_else(|| unreadable(column, text, std::any::type_name::<T>()))
}

/// The same where there may be none.
pub(super) fn optional_parsed<T>(
    row: &Row,
    column: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, TdbError> {
    let text: Option<String> = get(row, column)?;
    text.map(|text| {
        parse(&text).ok_or_else(|| unreadable(column, text, std::any::type_name::<T>()))
    })
    .transpose()
}

/// JSON text.
pub(super) fn json<T: serde::de::DeserializeOwned>(
    row: &Row,
    column: &'static str,
) -> Result<T, TdbError> {
    let text: String = get(row, column)?;
    from_json(column, &text)
}

/// The same where there may be none.
pub(super) fn optional_json<T: serde::de::DeserializeOwned>(
    row: &Row,
    column: &'static str,
) -> Result<Option<T>, TdbError> {
    let text: Option<String> = get(row, column)?;
    text.map(|text| from_json(column, &text)).transpose()
}

/// JSON text for a column.
pub(super) fn to_json<T: serde::Serialize>(
    column: &'static str,
    value: &T,
) -> Result<String, TdbError> {
    serde_json::to_string(value).map_err(|error| TdbError::unwritable(column, &error))
}

fn from_json<T: serde::de::DeserializeOwned>(
    column: &'static str,
    text: &str,
) -> Result<T, TdbError> {
    serde_json::from_str(text).map_err(|error| {
        // Only where it stops: a request holds the token of its webhook, and this ends up in the log.
        let got = format!("{} bytes", text.len());
        let place = format!("line {}, column {}", error.line(), error.column());
        unreadable(column, got, &format!("other JSON from {place} on"))
    })
}

fn unreadable(column: &'static str, value: String, expected: &str) -> TdbError {
    TdbError::Unreadable {
        column,
        value,
        expected: expected.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        for text in [r#"{"token":"s3cret"#, r#""s3cret""#] {
            let read = from_json::<serde_json::Map<String, serde_json::Value>>("request", text);
            let error = read.unwrap_err().to_string();
            assert!(
                error.contains("request") && !error.contains("s3cret"),
                "{error}"
            );
        }
    }
}
