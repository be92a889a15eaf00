//! `/api/dnc`: the tenant's do-not-call list.

use super::WebState;
use super::auth::Caller;
use super::body::read_object;
use super::error::ApiError;
use super::fields::Fields;
use super::openapi::example;
use super::query::{limit, query_fields};
use super::timestamp::Time;
use crate::destinations::Destinations;
use crate::dnc::check_reason;
use crate::tdb::{DncEntry, DncFilter, DncSource, NewDnc};
use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use iradialer_core::value::{CallUuid, CampaignName, DialNumber, FieldError};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// The most numbers of one request.
const MAX_NUMBERS: usize = 10_000;
/// Room for so many, in bytes.
const MAX_BODY_BYTES: usize = 512 * 1024;
/// How many mistakes are told: a list may have as many as numbers.
const MAX_MISTAKES: usize = 100;
/// The reason where the request gives none.
const DEFAULT_REASON: &str = "listed";

/// Which entries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read field by field")]
struct DncQuery {
    /// Only of this campaign.
    campaign: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// Only this number, with or without its `+`.
    number: Option<String>,
}

/// What is to be put on the list; all of it or nothing.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
struct DncNumbers {
    /// One of the tenant's campaigns: it alone may not call them. Without it no campaign of the tenant may.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,60}$")]
    campaign_name: Option<String>,
    /// Each an optional `+` and 3 to 15 digits.
    #[schema(min_items = 1, max_items = 10_000)]
    numbers: Vec<String>,
    /// Why.
    #[schema(min_length = 1, max_length = 200, default = "listed")]
    reason: Option<String>,
    /// `tenant` or `campaign`, to say which is meant.
    scope: Option<String>,
}

/// What is to be taken off the list.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
struct DncRemoval {
    /// The campaign whose list it is. Without it the tenant's.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,60}$")]
    campaign_name: Option<String>,
    /// Each an optional `+` and 3 to 15 digits.
    #[schema(min_items = 1, max_items = 10_000)]
    numbers: Vec<String>,
    /// `tenant` or `campaign`, to say which is meant.
    scope: Option<String>,
}

/// A page of the do-not-call list.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(DncPage::example())))]
pub(super) struct DncPage {
    /// The `cursor` of the next page; null: there is none.
    next_cursor: Option<String>,
    /// By number.
    numbers: Vec<ShownNumber>,
}

/// A number that may not be called.
#[derive(Serialize, ToSchema)]
pub(super) struct ShownNumber {
    /// The call in which the person said so.
    #[schema(value_type = Option<uuid::Uuid>)]
    call_uuid: Option<CallUuid>,
    /// The campaign that may not call it; null: none of the tenant's may.
    campaign_name: Option<String>,
    created_at: Time,
    /// Its digits, without a `+`.
    number: String,
    reason: String,
    /// `tenant` or `campaign`.
    scope: &'static str,
    /// `flow`, `api` or `import`.
    source: &'static str,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Added { added: 2, listed_before: 1, status: "OK", status_code: 0 })))]
pub(super) struct Added {
    /// How many came on the list.
    added: u64,
    /// How many were on it, and stay as they were.
    listed_before: u64,
    status: &'static str,
    status_code: u8,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Removed { not_listed: 1, removed: 2, status: "OK", status_code: 0 })))]
pub(super) struct Removed {
    /// How many were not on the list.
    not_listed: u64,
    /// How many are off it now.
    removed: u64,
    status: &'static str,
    status_code: u8,
}

impl DncPage {
    fn example() -> Self {
        let number = ShownNumber {
            call_uuid: Some(example::uuid()),
            campaign_name: Some("reminders".to_owned()),
            created_at: Time::example(),
            number: "15005550006".to_owned(),
            reason: "opted_out".to_owned(),
            scope: "campaign",
            source: "flow",
        };
        DncPage {
            next_cursor: None,
            numbers: vec![number],
        }
    }
}

/// The list, by number
#[utoipa::path(
    get, path = "/api/dnc", tag = "do-not-call",
    params(DncQuery),
    responses(
        (status = 200, description = "A page of it", body = DncPage),
    ),
)]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<DncPage>, ApiError> {
    let mut filter = filter(query.as_deref().unwrap_or(""))?;
    let destinations = &state.app.config.destinations;
    filter.number = filter.number.map(|number| destinations.dialled(&number));
    let (tdb, tenant) = (&state.app.tdb, &caller.tenant_id);
    let entries = tdb.dnc_entries(tenant, &filter).await?;
    let last = entries.last();
    let last = last.filter(|_| entries.len() == filter.limit as usize);
    Ok(Json(DncPage {
        next_cursor: last.map(cursor),
        numbers: entries.iter().map(show).collect(),
    }))
}

/// Puts numbers on the list
#[utoipa::path(
    post, path = "/api/dnc", tag = "do-not-call",
    request_body = DncNumbers,
    responses(
        (status = 200, description = "They are on the list", body = Added),
        (status = 404, description = "unknown_campaign"),
    ),
)]
pub(super) async fn add(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Added>, ApiError> {
    let members = read_object(&headers, body, MAX_BODY_BYTES).await?;
    let asked =
        Asked::read(members, &state.app.config.destinations, true).map_err(ApiError::BadFields)?;
    let tenant = &caller.tenant_id;
    if let Some(name) = &asked.campaign_name
        && state.app.catalogue().campaign(tenant, name).is_none()
    {
        return Err(ApiError::UnknownCampaign(name.to_string()));
    }
    let added_ms = state.app.clock.now_ms();
    let count = asked.numbers.len() as u64;
    let entry = |number| NewDnc {
        number,
        campaign_name: asked.campaign_name.clone(),
        reason: asked.reason.clone(),
        source: DncSource::Api,
        added_ms,
    };
    let entries = asked.numbers.into_iter().map(entry).collect();
    let added = state
        .app
        .tdb
        .add_dnc(tenant, entries, caller.author(), added_ms);
    let added = added.await?;
    Ok(Json(Added {
        added,
        listed_before: count - added,
        status: "OK",
        status_code: 0,
    }))
}

/// Takes numbers off the list
#[utoipa::path(
    delete, path = "/api/dnc", tag = "do-not-call",
    request_body = DncRemoval,
    responses(
        (status = 200, description = "They are off the list", body = Removed),
    ),
)]
pub(super) async fn remove(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Removed>, ApiError> {
    let members = read_object(&headers, body, MAX_BODY_BYTES).await?;
    // Of a campaign that is not configured any more, too.
    let asked =
        Asked::read(members, &state.app.config.destinations, false).map_err(ApiError::BadFields)?;
    let count = asked.numbers.len() as u64;
    let (tdb, campaign) = (&state.app.tdb, asked.campaign_name.as_ref());
    let (author, now_ms) = (caller.author(), state.app.clock.now_ms());
    let removed = tdb.remove_dnc(&caller.tenant_id, campaign, asked.numbers, author, now_ms);
    let removed = removed.await?;
    Ok(Json(Removed {
        not_listed: count - removed,
        removed,
        status: "OK",
        status_code: 0,
    }))
}

/// What is to be listed, or not to be any more.
#[derive(Debug)]
struct Asked {
    numbers: Vec<DialNumber>,
    /// None: for all campaigns of the tenant.
    campaign_name: Option<CampaignName>,
    reason: String,
}

impl Asked {
    fn read(
        members: Map<String, Value>,
        destinations: &Destinations,
        takes_reason: bool,
    ) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::new(members);
        let numbers = numbers(&mut fields, destinations);
        let campaign_name = scope(&mut fields);
        let reason = match takes_reason {
            true => {
                let reason = fields.parsed("reason", check_reason);
                fields.finish_body::<DncNumbers>()?;
                reason
            }
            false => {
                fields.finish_body::<DncRemoval>()?;
                None
            }
        };
        Ok(Asked {
            numbers,
            campaign_name,
            reason: reason.unwrap_or_else(|| DEFAULT_REASON.to_owned()),
        })
    }
}

/// Each of them once, with or without its `+`.
fn numbers(fields: &mut Fields, destinations: &Destinations) -> Vec<DialNumber> {
    let expected = format!("a list of 1 to {MAX_NUMBERS} numbers");
    let listed = match fields.value("numbers") {
        Some(Value::Array(listed)) => listed,
        Some(other) => {
            fields.refuse::<()>("numbers", &expected, &other);
            return Vec::new();
        }
        None => {
            fields.note(FieldError::missing("numbers", expected));
            return Vec::new();
        }
    };
    if !(1..=MAX_NUMBERS).contains(&listed.len()) {
        let got = format!("{} of them", listed.len());
        fields.note(FieldError::new("numbers", expected, &got));
        return Vec::new();
    }
    let mut numbers = Vec::with_capacity(listed.len());
    let mut mistakes = 0;
    for (index, value) in listed.into_iter().enumerate() {
        let field = format!("numbers.{index}");
        let number = match &value {
            Value::String(text) => DialNumber::parse(&field, text),
            other => Err(FieldError::new(
                field,
                "a number as text",
                &other.to_string(),
            )),
        };
        mistakes += usize::from(number.is_err());
        numbers.extend(
            fields
                .take(number)
                .map(|number| destinations.dialled(&number)),
        );
        if mistakes == MAX_MISTAKES {
            break;
        }
    }
    numbers.sort_unstable_by(|a, b| digits(a).cmp(digits(b)));
    numbers.dedup_by(|a, b| digits(a) == digits(b));
    numbers
}

fn digits(number: &DialNumber) -> &str {
    number.as_str().trim_start_matches('+')
}

/// The campaign it is about, or none for all of the tenant's.
fn scope(fields: &mut Fields) -> Option<CampaignName> {
    let campaign = fields.parsed("campaign_name", CampaignName::parse);
    match (fields.text("scope").as_deref(), &campaign) {
        (None, _) | (Some("campaign"), Some(_)) | (Some("tenant"), None) => {}
        (Some("campaign"), None) => fields.note(FieldError::missing(
            "campaign_name",
            "the campaign, as the scope is campaign",
        )),
        (Some("tenant"), Some(name)) => {
            let expected = "nothing, as the scope is tenant";
            fields.note(FieldError::new("campaign_name", expected, name.as_str()));
        }
        (Some(other), _) => fields.note(FieldError::new("scope", "tenant or campaign", other)),
    }
    campaign
}

fn filter(query: &str) -> Result<DncFilter, ApiError> {
    let mut fields = query_fields(query)?;
    let filter = DncFilter {
        number: fields.parsed("number", DialNumber::parse),
        campaign_name: fields.parsed("campaign", CampaignName::parse),
        after: fields.parsed("cursor", parse_cursor).unwrap_or_default(),
        limit: limit(&mut fields),
    };
    fields.finish_query::<DncQuery>()?;
    Ok(filter)
}

/// `NUMBER`, or `NUMBER:CAMPAIGN`.
fn cursor(entry: &DncEntry) -> String {
    match &entry.campaign_name {
        None => entry.number.clone(),
        Some(campaign) => format!("{}:{campaign}", entry.number),
    }
}

fn parse_cursor(field: &str, text: &str) -> Result<(String, String), FieldError> {
    let (number, campaign) = text.split_once(':').unwrap_or((text, ""));
    let is_read = number.bytes().all(|b| b.is_ascii_digit())
        && DialNumber::parse(field, number).is_ok()
        && (campaign.is_empty() || CampaignName::parse(field, campaign).is_ok());
    match is_read {
        true => Ok((number.to_owned(), campaign.to_owned())),
        false => {
            let expected = "the next_cursor of an earlier answer";
            Err(FieldError::new(field, expected, text))
        }
    }
}

fn show(entry: &DncEntry) -> ShownNumber {
    ShownNumber {
        call_uuid: entry.call_uuid,
        campaign_name: entry.campaign_name.as_ref().map(ToString::to_string),
        created_at: Time::of(entry.added_ms),
        number: entry.number.clone(),
        reason: entry.reason.clone(),
        scope: match entry.campaign_name {
            Some(_) => "campaign",
            None => "tenant",
        },
        source: entry.source.as_str(),
    }
}
