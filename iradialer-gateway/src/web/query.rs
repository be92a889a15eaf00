//! The parameters of a `GET`: each at most once, and none that is not known.

use super::error::ApiError;
use super::fields::Fields;
use iradialer_core::value::FieldError;
use serde_json::{Map, Value};
use utoipa::IntoParams;

/// How many a list holds where the request does not say.
pub(super) const DEFAULT_LIMIT: u32 = 100;
/// How many it holds at the most.
pub(super) const MAX_LIMIT: u32 = 1_000;

/// The parameters of a query, each at most once.
pub(super) fn query_fields(query: &str) -> Result<Fields, ApiError> {
    let mut members = Map::new();
    for (name, value) in reqwest::Url::options()
        .parse(&format!("http://query/?{query}"))
        .iter()
        .flat_map(|url| url.query_pairs())
    {
        if members
            .insert(name.to_string(), Value::from(&*value))
            .is_some()
        {
            let twice = FieldError::new(format!("query.{name}"), "a parameter given once", &value);
            return Err(ApiError::from(twice));
        }
    }
    Ok(Fields::new(members))
}

/// A whole number in a range, or `default`.
pub(super) fn whole(fields: &mut Fields, name: &str, least: u32, most: u32, default: u32) -> u32 {
    fields
        .parsed(name, |field, text| {
            let number = text.parse().ok().filter(|n| (least..=most).contains(n));
            let expected = format!("a whole number from {least} to {most}");
            number.ok_or_else(|| FieldError::new(field, expected, text))
        })
        .unwrap_or(default)
}

/// The mistakes, with names that say where they are.
pub(super) fn in_query(mistakes: Vec<FieldError>) -> ApiError {
    let within = mistakes.into_iter().map(|mistake| mistake.within("query"));
    ApiError::BadFields(within.collect())
}

/// How many the list is to hold.
pub(super) fn limit(fields: &mut Fields) -> u32 {
    whole(fields, "limit", 1, MAX_LIMIT, DEFAULT_LIMIT)
}

/// Which page of a list about one call.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct PageQuery {
    /// Only those whose `seq` is above this one; the `seq` of the last one on the page before.
    #[param(default = 0)]
    after_seq: Option<u32>,
    /// How many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// The query of a list about one call: both.
pub(super) fn page(query: Option<&str>) -> Result<(u32, u32), ApiError> {
    let mut fields = query_fields(query.unwrap_or(""))?;
    let after_seq = whole(&mut fields, "after_seq", 0, u32::MAX, 0);
    let limit = limit(&mut fields);
    fields.finish_query::<PageQuery>()?;
    Ok((after_seq, limit))
}
