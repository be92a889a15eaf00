//! The body of `makecall`, checked field by field.

use crate::flows::OwnFlow;
use crate::tdb::OnUnknown;
use crate::web::fields::Fields;
use crate::web::{check_event_url, timestamp};
use axum::http::{HeaderMap, HeaderValue};
use iradialer_core::flow::{Finding, MAX_NAME_LEN, MAX_TEXT, Name};
use iradialer_core::value::{
    CallerNumber, CampaignName, ChannelVars, DialNumber, FieldError, FlowName, TenantId,
};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The most JSON of `call_params` and of `metadata`, in bytes: the first is in every event.
const MAX_PARAMS_BYTES: usize = 16 * 1024;
/// The longest token for the webhook, in bytes.
const MAX_TOKEN_LEN: usize = 4_096;
/// The longest idempotency key, in bytes.
const MAX_KEY_LEN: usize = 255;
/// The most variables given to a flow.
const MAX_VARS: usize = 64;
/// How far ahead a call may be asked for, ms: 90 days.
const MAX_AHEAD_MS: u64 = 90 * 24 * 3_600 * 1_000;
/// The longest a call may last where the request does not say, s.
const DEFAULT_MAX_DURATION_S: u32 = 3_600;
/// What the call is to do once it is answered.
#[derive(Debug)]
pub(super) enum Ivr {
    /// The flow of that name.
    Named(FlowName),
    /// This one.
    Document(Box<OwnFlow>),
}

/// What is asked for of a call.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
pub(in crate::web) struct MakeCallBody {
    /// Goes back with every event; up to 16 KiB. `event_url` in it is where webhooks go, without it the campaign's; `token`
    /// is sent to the webhook as `Authorization: Bearer` and never shown by `GET`.
    call_params: Option<Map<String, Value>>,
    /// Without it one is made.
    call_uuid: Option<uuid::Uuid>,
    /// The same as `campaign_name`; one of them is required.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,60}$")]
    campaign: Option<String>,
    /// The campaign; it, or `campaign`, is required.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,60}$")]
    campaign_name: Option<String>,
    /// Up to 64 texts, numbers or booleans of up to 512 bytes each; names `sip_h_X-…`, `x_…` and `ira_…` only.
    channel_vars: Option<BTreeMap<String, Value>>,
    /// Empty: there is no call progress analysis yet.
    #[schema(max_length = 0)]
    cpa_config: Option<String>,
    /// How long an answer is waited for, s.
    #[schema(minimum = 5, maximum = 600, default = 30)]
    dial_timeout: Option<u32>,
    /// Given up if not dialled by then: an RFC 3339 time at most 90 days ahead, after `not_before`. Without it
    /// `queue.expires_after_s` after `not_before`.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// The campaign's, or one of the tenant's `from_numbers`; without it the campaign's.
    from_number: Option<String>,
    /// Printable ASCII: with it the request may be repeated.
    #[schema(min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
    /// A flow, or the name of one; without it the campaign's.
    ivr: Option<Value>,
    /// The longest it may last from the answer, s.
    #[schema(minimum = 1, maximum = 86_400, default = 3600)]
    max_duration: Option<u32>,
    /// The client's own, kept with the call; up to 16 KiB.
    metadata: Option<Map<String, Value>>,
    /// Not dialled before: an RFC 3339 time at most 90 days ahead.
    #[schema(format = DateTime)]
    not_before: Option<String>,
    /// What to do where it can't be known what became of the call: `end` or `redial`.
    #[schema(default = "end", pattern = "^(end|redial)$")]
    on_unknown: Option<String>,
    /// A higher one is dialled first.
    #[schema(minimum = 0, maximum = 9, default = 5)]
    priority: Option<u32>,
    /// The token's tenant.
    tenant_id: Option<String>,
    /// Where the callee is, an IANA name; without it the campaign's.
    timezone: Option<String>,
    /// An optional `+` and 3 to 15 digits.
    to_number: String,
    /// Up to 64 texts, numbers or booleans: the flow's `{{vars.NAME}}`.
    vars: Option<BTreeMap<String, Value>>,
}

/// A request for a call, each field checked by itself.
#[derive(Debug)]
pub(super) struct MakeCall {
    pub campaign_name: CampaignName,
    pub to_number: DialNumber,
    pub from_number: Option<CallerNumber>,
    pub call_params: Map<String, Value>,
    pub event_url: Option<String>,
    pub channel_vars: ChannelVars,
    pub dial_timeout_s: u16,
    pub ivr: Option<Ivr>,
    pub not_before_ms: Option<u64>,
    pub expires_ms: Option<u64>,
    pub timezone: Option<String>,
    pub priority: u8,
    pub max_duration_s: u32,
    pub on_unknown: OnUnknown,
    pub metadata: Map<String, Value>,
    pub vars: BTreeMap<String, String>,
}

/// The key of the header `Idempotency-Key`, or of the field `idempotency_key`; not both.
pub(super) fn idempotency_key(headers: &HeaderMap, fields: &mut Fields) -> Option<String> {
    let name = "idempotency_key";
    let mut given: Vec<String> = headers
        .get_all("idempotency-key")
        .iter()
        .map(|value| HeaderValue::to_str(value).unwrap_or("").to_owned())
        .collect();
    given.extend(fields.text(name));
    let key = given.pop()?;
    if !given.is_empty() {
        fields.note(FieldError::new(name, "one key", &given[0]));
    }
    let fits =
        (1..=MAX_KEY_LEN).contains(&key.len()) && key.bytes().all(|b| (b' '..=b'~').contains(&b));
    if !fits {
        let expected = "1 to 255 printable ASCII characters";
        fields.note(FieldError::new(name, expected, &key));
    }
    fits.then_some(key)
}

/// Checks every field that is left and names every mistake.
pub(super) fn read(
    mut fields: Fields,
    tenant: &TenantId,
    dial_timeout_s: u32,
    now_ms: u64,
) -> Result<MakeCall, Vec<FieldError>> {
    let campaign_name = campaign_name(&mut fields);
    let expected = "the number to dial: an optional '+' and 3 to 15 digits";
    let to_number = fields.required("to_number", expected, DialNumber::parse);
    let from_number = fields
        .parsed("from_number", CallerNumber::parse)
        .filter(|number| !number.as_str().is_empty());
    let call_params = fields.object("call_params", MAX_PARAMS_BYTES);
    let event_url = event_url(&mut fields, &call_params);
    check_token(&mut fields, &call_params);
    let channel_vars = channel_vars(&mut fields);
    refuse_cpa_config(&mut fields);
    let dial_timeout_s = fields.number("dial_timeout", 5..=600, dial_timeout_s);
    check_tenant(&mut fields, tenant);
    let ivr = ivr(&mut fields);
    let (not_before_ms, expires_ms) = times(&mut fields, now_ms);
    let timezone = timezone(&mut fields);
    let priority = fields.number("priority", 0..=9, 5);
    let max_duration_s = fields.number("max_duration", 1..=86_400, DEFAULT_MAX_DURATION_S);
    let on_unknown = fields.parsed("on_unknown", |field, text| {
        OnUnknown::parse(text).ok_or_else(|| FieldError::new(field, "end or redial", text))
    });
    let metadata = fields.object("metadata", MAX_PARAMS_BYTES);
    let vars = vars(&mut fields);
    fields.finish_body::<MakeCallBody>()?;
    match (campaign_name, to_number) {
        (Some(campaign_name), Some(to_number)) => Ok(MakeCall {
            campaign_name,
            to_number,
            from_number,
            call_params,
            event_url,
            channel_vars,
            dial_timeout_s: dial_timeout_s as u16,
            ivr,
            not_before_ms,
            expires_ms,
            timezone,
            priority: priority as u8,
            max_duration_s,
            on_unknown: on_unknown.unwrap_or_default(),
            metadata,
            vars,
        }),
        // Both have been noted as missing, so finish() has said so.
        _ => Err(Vec::new()),
    }
}

/// `campaign_name`, or `campaign`, as the published message schema calls it.
fn campaign_name(fields: &mut Fields) -> Option<CampaignName> {
    fields.rename("campaign", "campaign_name");
    let expected = "the name of a campaign";
    fields.required("campaign_name", expected, CampaignName::parse)
}

fn event_url(fields: &mut Fields, call_params: &Map<String, Value>) -> Option<String> {
    let name = "call_params.event_url";
    match call_params.get("event_url")? {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => {
            fields.take(check_event_url(name, text))?;
            Some(text.clone())
        }
        other => fields.refuse(name, "a text", other),
    }
}

/// The token goes into a header of each webhook.
fn check_token(fields: &mut Fields, call_params: &Map<String, Value>) {
    let fits = |text: &str| {
        text.len() <= MAX_TOKEN_LEN && text.bytes().all(|b| (b' '..=b'~').contains(&b))
    };
    match call_params.get("token") {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) if fits(text) => {}
        // Not shown: it may be most of a secret.
        Some(_) => fields.note(FieldError::new(
            "call_params.token",
            "a text of up to 4096 printable ASCII characters",
            "another value",
        )),
    }
}

/// Texts; numbers and booleans are taken as they are written.
fn channel_vars(fields: &mut Fields) -> ChannelVars {
    let mut vars = BTreeMap::new();
    for (name, value) in fields.object("channel_vars", MAX_PARAMS_BYTES * 4) {
        let text = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            other => {
                let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
                let field = format!("channel_vars.{shown}");
                fields.refuse::<()>(&field, "a text, a number or a boolean", &other);
                continue;
            }
        };
        vars.insert(name, text);
    }
    fields
        .take(ChannelVars::parse("channel_vars", vars))
        .unwrap_or_default()
}

/// There is no call progress analysis to configure yet: a call that asks for one must not go without it.
fn refuse_cpa_config(fields: &mut Fields) {
    if let Some(name) = fields.text("cpa_config")
        && !name.is_empty()
    {
        let expected = "nothing: this cluster has no call progress analysis configurations";
        fields.note(FieldError::new("cpa_config", expected, &name));
    }
}

fn check_tenant(fields: &mut Fields, tenant: &TenantId) {
    if let Some(given) = fields.parsed("tenant_id", TenantId::parse)
        && given != *tenant
    {
        let expected = "the tenant of the token, or nothing";
        fields.note(FieldError::new("tenant_id", expected, given.as_str()));
    }
}

fn ivr(fields: &mut Fields) -> Option<Ivr> {
    match fields.value("ivr")? {
        Value::String(name) => fields.take(FlowName::parse("ivr", &name)).map(Ivr::Named),
        value @ Value::Object(_) => match OwnFlow::parse(value.to_string().as_bytes()) {
            Ok((own, _warnings)) => Some(Ivr::Document(Box::new(own))),
            Err(findings) => {
                for mistake in in_ivr(findings) {
                    fields.note(mistake);
                }
                None
            }
        },
        other => fields.refuse("ivr", "a flow, or the name of one", &other),
    }
}

/// What is wrong with the flow of a request.
pub(super) fn in_ivr(findings: Vec<Finding>) -> Vec<FieldError> {
    let errors = findings.into_iter().filter(Finding::is_error);
    let in_ivr = |finding: Finding| FieldError {
        field: match finding.path.as_str() {
            "" => "ivr".to_owned(),
            path => format!("ivr.{path}"),
        },
        expected: "a flow that can be run".to_owned(),
        got: finding.message,
    };
    errors.map(in_ivr).collect()
}

/// Texts, numbers and booleans by names that a template can say.
fn vars(fields: &mut Fields) -> BTreeMap<String, String> {
    let given = fields.object("vars", MAX_PARAMS_BYTES);
    if given.len() > MAX_VARS {
        let expected = format!("at most {MAX_VARS} variables");
        fields.note(FieldError::new("vars", expected, &given.len().to_string()));
    }
    let mut vars = BTreeMap::new();
    for (name, value) in given {
        let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
        let field = format!("vars.{shown}");
        let text = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            other => {
                fields.refuse::<()>(&field, "a text, a number or a boolean", &other);
                continue;
            }
        };
        if Name::parse(&format!("vars.{name}")).is_err() {
            let expected = format!("a name of 1 to {MAX_NAME_LEN} letters, digits, '_' or '-'");
            fields.note(FieldError::new(field, expected, &name));
        } else if text.chars().count() > MAX_TEXT {
            let expected = format!("at most {MAX_TEXT} characters");
            fields.note(FieldError::new(field, expected, &text));
        } else {
            vars.insert(name, text);
        }
    }
    vars
}

fn times(fields: &mut Fields, now_ms: u64) -> (Option<u64>, Option<u64>) {
    let not_before = fields.text("not_before");
    let expires_at = fields.text("expires_at");
    let parse = |fields: &mut Fields, name: &str, text: &Option<String>| {
        let ms = fields.take(timestamp::parse(name, text.as_deref()?))?;
        if ms > now_ms + MAX_AHEAD_MS {
            let expected = "a time within the next 90 days";
            fields.note(FieldError::new(name, expected, text.as_deref()?));
        }
        Some(ms)
    };
    let not_before_ms = parse(fields, "not_before", &not_before);
    let expires_ms = parse(fields, "expires_at", &expires_at);
    let earliest_ms = not_before_ms.unwrap_or(now_ms).max(now_ms);
    if let (Some(ms), Some(text)) = (expires_ms, &expires_at)
        && ms <= earliest_ms
    {
        let expected = "a time that is still to come, and after not_before";
        fields.note(FieldError::new("expires_at", expected, text));
    }
    (not_before_ms, expires_ms)
}

fn timezone(fields: &mut Fields) -> Option<String> {
    fields.parsed("timezone", |field, text| match TimeZone::get(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => {
            let expected = "an IANA time zone such as Europe/Paris";
            Err(FieldError::new(field, expected, text))
        }
    })
}

#[cfg(test)]
mod tests;
