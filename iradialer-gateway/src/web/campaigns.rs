//! `/api/campaigns`: the tenant's campaigns. Which trunks and numbers a campaign has is the operator's to say; its
//! tenant makes it active or not, and lowers how many calls it has at once.

use super::WebState;
use super::auth::Caller;
use super::body::read_object;
use super::error::ApiError;
use super::fields::Fields;
use super::openapi::example;
use super::query::{in_query, limit, query_fields};
use super::timestamp::Time;
use crate::catalogue::{Campaign, CampaignDefinition, DEFAULT_REGION, NumberRange, Source};
use crate::config::Hours;
use crate::operations::campaigns::{CampaignPatch, MAX_CALLS};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use iradialer_core::value::{
    CallerNumber, CampaignName, FieldError, FlowName, RegionName, TrunkName,
};
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What a campaign is made of.
const FIELDS: &str = "name, region, trunks, from_number, caller_ranges, event_url, flow, active, max_calls, \
    hours, timezone";
/// The most ranges of numbers.
pub(super) const MAX_RANGES: usize = 100;
/// Calls at once where nobody says.
const USUAL_MAX_CALLS: u32 = 100;

/// A campaign.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(ShownCampaign::example())))]
pub(super) struct ShownCampaign {
    /// Whether new calls of it are dialled.
    active: bool,
    /// Further numbers that its calls may show, `FIRST-LAST`.
    caller_ranges: Vec<String>,
    /// When it was last changed here; null: not since it was configured.
    changed_at: Option<Time>,
    /// Where its events go where a call says nothing.
    event_url: Option<String>,
    /// The flow where a call names none.
    #[schema(value_type = Option<String>)]
    flow: Option<FlowName>,
    /// The caller's number where a call gives none.
    #[schema(value_type = String)]
    from_number: CallerNumber,
    /// When it may call, `HHMM-HHMM`.
    #[schema(value_type = Option<String>)]
    hours: Option<Hours>,
    /// Calls that switches have now.
    live_calls: u32,
    /// Calls at once.
    max_calls: u32,
    /// The same as its definition has it.
    max_calls_defined: u32,
    #[schema(value_type = String)]
    name: CampaignName,
    #[schema(value_type = String)]
    region: RegionName,
    /// `file`: of the configuration file; `added`: here.
    source: Source,
    /// Where its hours are.
    timezone: String,
    /// In order of preference.
    #[schema(value_type = Vec<String>)]
    trunks: Vec<TrunkName>,
}

/// Campaigns, by name.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(CampaignList::example())))]
pub(super) struct CampaignList {
    campaigns: Vec<ShownCampaign>,
    /// Goes on after these; null: there are no more.
    next_cursor: Option<String>,
}

/// A campaign was deleted.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(DeletedCampaign::example())))]
pub(super) struct DeletedCampaign {
    /// So many queued calls ended as canceled.
    canceled: u64,
    #[schema(value_type = String)]
    name: CampaignName,
    /// `OK`.
    status: &'static str,
    /// 0.
    status_code: u8,
}

impl ShownCampaign {
    fn example() -> Self {
        ShownCampaign {
            active: true,
            caller_ranges: Vec::new(),
            changed_at: Some(Time::example()),
            event_url: Some("https://app.example/hook".to_owned()),
            flow: Some(example::name()),
            from_number: CallerNumber::default(),
            hours: Hours::parse("0900-1900"),
            live_calls: 3,
            max_calls: 50,
            max_calls_defined: 100,
            name: example::name(),
            region: example::name(),
            source: Source::File,
            timezone: "Europe/Paris".to_owned(),
            trunks: vec![example::name()],
        }
    }
}

impl CampaignList {
    fn example() -> Self {
        CampaignList {
            campaigns: vec![ShownCampaign::example()],
            next_cursor: None,
        }
    }
}

impl DeletedCampaign {
    fn example() -> Self {
        DeletedCampaign {
            canceled: 17,
            name: example::name(),
            status: "OK",
            status_code: 0,
        }
    }
}

/// What a campaign is to be.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct NewCampaign {
    /// Whether new calls of it are dialled.
    #[schema(default = true)]
    active: Option<bool>,
    /// Further numbers that its calls may show, `FIRST-LAST`; up to 100.
    caller_ranges: Option<Vec<String>>,
    event_url: Option<String>,
    flow: Option<String>,
    from_number: Option<String>,
    /// `HHMM-HHMM`.
    hours: Option<String>,
    #[schema(minimum = 1, maximum = 100_000, default = 100)]
    max_calls: Option<u32>,
    /// That of the path.
    name: Option<String>,
    #[schema(default = "default")]
    region: Option<String>,
    #[schema(default = "UTC")]
    timezone: Option<String>,
    /// Names of trunks, in order of preference; up to 32.
    trunks: Vec<String>,
}

/// What is changed of a campaign.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(super) struct CampaignChange {
    active: Option<bool>,
    /// For tenants up to `max_calls_defined`.
    #[schema(minimum = 1, maximum = 100_000)]
    max_calls: Option<u32>,
}

/// The tenant's campaigns, by name
#[utoipa::path(
    get, path = "/api/campaigns", tag = "campaigns",
    params(("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, description = "By name", body = CampaignList)),
)]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<CampaignList>, ApiError> {
    let mut fields = query_fields(query.as_deref().unwrap_or(""))?;
    let after = fields.parsed("cursor", |field, text| {
        let name = CampaignName::parse(field, text);
        name.map_err(|_| FieldError::new(field, "the next_cursor of an earlier answer", text))
    });
    let limit = limit(&mut fields) as usize;
    fields.finish("cursor, limit").map_err(in_query)?;
    let live = state.app.tdb.live_counts().await?;
    let catalogue = state.app.catalogue();
    let campaigns = catalogue.campaigns_of(&caller.tenant_id);
    let rest =
        campaigns.filter(|campaign| after.as_ref().is_none_or(|after| campaign.name > *after));
    let mut page: Vec<_> = rest.take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next_cursor = page
        .last()
        .filter(|_| more)
        .map(|last| last.name.to_string());
    Ok(Json(CampaignList {
        campaigns: page
            .into_iter()
            .map(|campaign| show(campaign, &live.by_campaign))
            .collect(),
        next_cursor,
    }))
}

/// One campaign
#[utoipa::path(
    get, path = "/api/campaigns/{name}", tag = "campaigns",
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "That campaign", body = ShownCampaign),
        (status = 404, description = "unknown_campaign"),
    ),
)]
pub(super) async fn one(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ShownCampaign>, ApiError> {
    let name = CampaignName::parse("path.name", &name)?;
    shown(&state, &caller, &name).await.map(Json)
}

/// Adds a campaign, or replaces one that was added
#[utoipa::path(
    put, path = "/api/campaigns/{name}", tag = "campaigns",
    params(("name" = String, Path)),
    request_body = NewCampaign,
    responses(
        (status = 200, description = "It was replaced", body = ShownCampaign),
        (status = 201, description = "It was added", body = ShownCampaign),
        (status = 409, description = "in_file"),
    ),
)]
pub(super) async fn put(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<ShownCampaign>), ApiError> {
    caller.must_be_operator()?;
    let name = CampaignName::parse("path.name", &name)?;
    let members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    let definition = read(members, &name, &state).map_err(ApiError::BadFields)?;
    let of = (&caller.tenant_id, &name);
    let is_new = caller
        .desk(&state)
        .put_campaign(of, definition, false)
        .await?;
    let status = match is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    state.app.wake.router.notify_one();
    Ok((status, Json(shown(&state, &caller, &name).await?)))
}

/// Changes whether a campaign is active, and how many calls it has at once
#[utoipa::path(
    patch, path = "/api/campaigns/{name}", tag = "campaigns",
    params(("name" = String, Path)),
    request_body = CampaignChange,
    responses(
        (status = 200, description = "As it is now", body = ShownCampaign),
        (status = 404, description = "unknown_campaign"),
    ),
)]
pub(super) async fn patch(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ShownCampaign>, ApiError> {
    let name = CampaignName::parse("path.name", &name)?;
    let members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    let mut fields = Fields::new(members);
    let patch = CampaignPatch {
        active: optional_bool(&mut fields, "active"),
        max_calls: optional_number(&mut fields, "max_calls", MAX_CALLS),
        may_raise: caller.token.spec.role.is_of_cluster(),
    };
    fields
        .finish("active, max_calls")
        .map_err(ApiError::BadFields)?;
    let of = (&caller.tenant_id, &name);
    caller.desk(&state).patch_campaign(of, patch).await?;
    state.app.wake.router.notify_one();
    Ok(Json(shown(&state, &caller, &name).await?))
}

/// Deletes a campaign that was added
#[utoipa::path(
    delete, path = "/api/campaigns/{name}", tag = "campaigns",
    params(("name" = String, Path), ("cancel" = Option<bool>, Query)),
    responses(
        (status = 200, description = "It is deleted", body = DeletedCampaign),
        (status = 404, description = "unknown_campaign"),
        (status = 409, description = "in_file, has_calls"),
    ),
)]
pub(super) async fn delete(
    State(state): State<WebState>,
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<DeletedCampaign>, ApiError> {
    caller.must_be_operator()?;
    let name = CampaignName::parse("path.name", &name)?;
    let mut fields = query_fields(query.as_deref().unwrap_or(""))?;
    let cancel = fields.parsed("cancel", |field, text| {
        let yes = text.parse::<bool>();
        yes.map_err(|_| FieldError::new(field, "true or false", text))
    });
    fields.finish("cancel").map_err(in_query)?;
    let of = (&caller.tenant_id, &name);
    let desk = caller.desk(&state);
    let canceled = desk.delete_campaign(of, cancel.unwrap_or(false)).await?;
    state.app.wake.dispatcher.notify_one();
    Ok(Json(DeletedCampaign {
        canceled,
        name,
        status: "OK",
        status_code: 0,
    }))
}

async fn shown(
    state: &WebState,
    caller: &Caller,
    name: &CampaignName,
) -> Result<ShownCampaign, ApiError> {
    let live = state.app.tdb.live_counts().await?;
    let catalogue = state.app.catalogue();
    let campaign = catalogue.campaign(&caller.tenant_id, name);
    let campaign = campaign.ok_or_else(|| ApiError::UnknownCampaign(name.to_string()))?;
    Ok(show(campaign, &live.by_campaign))
}

type Live = std::collections::HashMap<(iradialer_core::value::TenantId, CampaignName), u32>;

fn show(campaign: &Campaign, live: &Live) -> ShownCampaign {
    let key = (campaign.tenant_id.clone(), campaign.name.clone());
    ShownCampaign {
        active: campaign.active,
        caller_ranges: campaign
            .caller_ranges
            .iter()
            .map(NumberRange::shown)
            .collect(),
        changed_at: campaign.changed_ms.map(Time::of),
        event_url: campaign.event_url.clone(),
        flow: campaign.flow.clone(),
        from_number: campaign.from_number.clone(),
        hours: campaign.hours,
        live_calls: live.get(&key).copied().unwrap_or(0),
        max_calls: campaign.max_calls,
        max_calls_defined: campaign.defined_max_calls,
        name: campaign.name.clone(),
        region: campaign.region.clone(),
        source: campaign.source,
        timezone: campaign.timezone_name().to_owned(),
        trunks: campaign.trunks.clone(),
    }
}

fn read(
    members: Map<String, Value>,
    name: &CampaignName,
    state: &WebState,
) -> Result<CampaignDefinition, Vec<FieldError>> {
    let mut fields = Fields::new(members);
    same_name(&mut fields, name.as_str());
    let region = fields.parsed("region", RegionName::parse);
    let trunks = texts(&mut fields, "trunks", TrunkName::parse);
    if trunks.is_none() {
        fields.note(FieldError::missing(
            "trunks",
            "a list of the names of trunks",
        ));
    }
    let from_number = fields.parsed("from_number", CallerNumber::parse);
    let caller_ranges = caller_ranges(&mut fields);
    let event_url = fields.parsed("event_url", |field, text| {
        super::check_event_url(field, text)?;
        let url = reqwest::Url::parse(text).ok();
        match url.map(|url| state.addresses.check_literal(&url)) {
            Some(Ok(())) => Ok(text.to_owned()),
            _ => {
                let expected = "an address that is not loopback, private or otherwise reserved";
                Err(FieldError::new(field, expected, text))
            }
        }
    });
    let flow = fields.parsed("flow", FlowName::parse);
    let active = optional_bool(&mut fields, "active");
    let max_calls = fields.number("max_calls", 1..=MAX_CALLS, USUAL_MAX_CALLS);
    let hours = fields.parsed("hours", |field, text| {
        let expected = "HHMM-HHMM such as 0900-1900";
        Hours::parse(text).ok_or_else(|| FieldError::new(field, expected, text))
    });
    let timezone = fields.parsed("timezone", |field, text| match TimeZone::get(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => {
            let expected = "an IANA time zone such as Europe/Paris";
            Err(FieldError::new(field, expected, text))
        }
    });
    fields.finish(FIELDS)?;
    let usual = || RegionName::parse("region", DEFAULT_REGION).map_err(|mistake| vec![mistake]);
    Ok(CampaignDefinition {
        region: region.map_or_else(usual, Ok)?,
        trunks: trunks.unwrap_or_default(),
        from_number: from_number.unwrap_or_default(),
        caller_ranges,
        event_url,
        flow,
        active: active.unwrap_or(true),
        max_calls,
        hours,
        timezone: timezone.unwrap_or_else(|| "UTC".to_owned()),
    })
}

/// A name in a body is that of the path.
pub(super) fn same_name(fields: &mut Fields, name: &str) {
    if let Some(given) = fields.text("name").filter(|given| given != name) {
        fields.note(FieldError::new(
            "name",
            "that of the path, or nothing",
            &given,
        ));
    }
}

/// A list of texts; none where it is not there.
pub(super) fn texts<T>(
    fields: &mut Fields,
    name: &str,
    parse: impl Fn(&str, &str) -> Result<T, FieldError>,
) -> Option<Vec<T>> {
    let value = fields.value(name)?;
    let Value::Array(items) = &value else {
        return fields.refuse(name, "a list of texts", &value);
    };
    let mut parsed = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let field = format!("{name}[{place}]");
        match item {
            Value::String(text) => parsed.extend(fields.take(parse(&field, text))),
            other => drop(fields.refuse::<()>(&field, "a text", other)),
        }
    }
    Some(parsed)
}

pub(super) fn caller_ranges(fields: &mut Fields) -> Vec<NumberRange> {
    let parse = |field: &str, text: &str| NumberRange::parse_long(field, text);
    let ranges = texts(fields, "caller_ranges", parse).unwrap_or_default();
    if ranges.len() > MAX_RANGES {
        let expected = format!("at most {MAX_RANGES} ranges");
        fields.note(FieldError::new(
            "caller_ranges",
            expected,
            &ranges.len().to_string(),
        ));
    }
    ranges
}

pub(super) fn optional_bool(fields: &mut Fields, name: &str) -> Option<bool> {
    let is_given = fields.has(name);
    let value = fields.bool(name, false);
    is_given.then_some(value)
}

pub(super) fn optional_number(fields: &mut Fields, name: &str, most: u32) -> Option<u32> {
    let is_given = fields.has(name);
    let number = fields.number(name, 1..=most, 1);
    is_given.then_some(number)
}
