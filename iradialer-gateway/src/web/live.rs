//! Live requests over HTTP: the switch that has the call is asked, and its answer given.

mod answer;
mod asked;

use super::WebState;
use super::auth::Caller;
use super::body::read_object;
use super::calls::find;
use super::error::ApiError;
use super::fields::Fields;
use super::openapi::params::OfCall;
use crate::app::SwitchRequestError;
use crate::tdb::Call;
use answer::{Bridging, Details, Taken};
use asked::{
    BridgeCalls, GetSimpleDtmf, GetValidDtmf, OfACall, PlayFile, PlayTts, PlayUrl, SendDtmf,
    StartRecord, TransferCall,
};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use iradialer_core::call::CallState;
use iradialer_core::license::Features;
use iradialer_core::live::{Answer, CallRequest, Request, name};
use iradialer_core::value::{CallUuid, CampaignName, NodeId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A handler for each path, and the published request it is.
macro_rules! live_requests {
    ($($handler:ident $path:literal is $event_name:literal of $asked:ident: $summary:literal),* $(,)?) => {
        const PATHS: &[&str] = &[$($path),*];

        /// The routes of live requests.
        pub(super) fn routes() -> OpenApiRouter<WebState> {
            OpenApiRouter::new()
                .routes(routes!(details))
                .routes(routes!(bridge_calls))
                $(.routes(routes!($handler)))*
        }

        $(
            #[utoipa::path(
                post, path = $path, tag = "live requests", summary = $summary,
                request_body = $asked,
                responses(
                    (status = 200, description = "The switch has taken it", body = Taken),
                    (status = 402, description = "license"),
                    (status = 403, description = "destination_refused, do_not_call"),
                    (status = 404, description = "unknown_call"),
                    (status = 409, description = "not_answered, call_ended, flow_running, conference_full, other_switch, bridged, desk_full, stopped, duplicate, failed, refused"),
                    (status = 422, description = "prompt_unavailable"),
                    (status = 501, description = "not_supported, not_yet"),
                    (status = 503, description = "not_ready, busy, unreachable"),
                ),
            )]
            async fn $handler(
                state: State<WebState>,
                caller: Caller,
                headers: HeaderMap,
                body: Body,
            ) -> Result<Json<Taken>, ApiError> {
                ask(state, caller, headers, body, $event_name).await
            }
        )*

        /// Each request with what is described of it.
        #[cfg(all(test, debug_assertions))]
        const DESCRIBED: &[(&str, fn() -> std::collections::BTreeSet<String>)] =
            &[$(($event_name, super::openapi::described::properties::<$asked>)),*];
    };
}

live_requests! {
    stop_play "/api/stopplay" is "request_stop_play" of OfACall: "Stops what is played",
    hold_call "/api/holdcall" is "request_hold_call" of OfACall: "Puts a call on hold",
    unhold_call "/api/unholdcall" is "request_unhold_call" of OfACall: "Takes a call off hold",
    mute_call "/api/mutecall" is "request_mute_call" of OfACall: "Mutes the one called",
    unmute_call "/api/unmutecall" is "request_unmute_call" of OfACall: "Lets the one called be heard again",
    start_record "/api/startrecord" is "request_start_record" of StartRecord: "Begins to record a call",
    stop_record "/api/stoprecord" is "request_stop_record" of OfACall: "Ends the recording of a call",
    play_file "/api/playfile" is "request_play_file" of PlayFile: "Plays a file",
    play_url "/api/playurl" is "request_play_url" of PlayUrl: "Plays what is at an address",
    play_tts "/api/playtts" is "request_play_tts" of PlayTts: "Speaks a text",
    get_valid_dtmf "/api/getvaliddtmf" is "request_get_valid_dtmf" of GetValidDtmf: "Asks for digits that have to fit",
    get_simple_dtmf "/api/getsimpledtmf" is "request_get_simple_dtmf" of GetSimpleDtmf: "Collects digits",
    send_dtmf "/api/senddtmf" is "request_send_dtmf" of SendDtmf: "Sends digits",
    transfer_call "/api/transfercall" is "request_transfer_call" of TransferCall: "Connects a call with a number",
}

const BRIDGE: &str = "/api/bridgecalls";

/// Whether the path asks something of a call that is up.
pub(super) fn is_live_request(path: &str) -> bool {
    path == BRIDGE || PATHS.contains(&path)
}

async fn ask(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
    event_name: &'static str,
) -> Result<Json<Taken>, ApiError> {
    let mut members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    // `null` counts as not given, as everywhere in this API.
    members.retain(|_, value| !value.is_null());
    let (call_uuid, request) =
        Request::read_strictly(event_name, members).map_err(ApiError::BadFields)?;
    let needed = Features::of_request(&request);
    state.app.license.standing().allows_live(needed)?;
    let request = permitted(&state, &caller, call_uuid, request).await?;
    let answer = ask_switch(&state, &caller, call_uuid, request, Some(event_name)).await?;
    Ok(Json(Taken {
        call_uuid,
        cluster: state.app.config.cluster.to_string(),
        message: answer.message,
        status: "OK",
        status_code: 0,
    }))
}

/// The request as it is passed on, if the tenant may call whom it transfers to. Its switch has a router asked again, so
/// that whoever asks by message or by a flow may no more; here the answer says it at once.
async fn permitted(
    state: &WebState,
    caller: &Caller,
    call_uuid: CallUuid,
    mut request: CallRequest,
) -> Result<CallRequest, ApiError> {
    if let CallRequest::Transfer(to) = &mut request {
        let destinations = &state.app.config.destinations;
        to.destination = destinations.dialled(&to.destination);
        let may_call = destinations.check(&caller.tenant_id, &to.destination);
        may_call.map_err(|refused| ApiError::Destination("destination", refused))?;
        let call = find(state, caller, &call_uuid.to_string()).await?;
        let campaign = CampaignName::parse("campaign_name", &call.campaign_name).ok();
        let (tdb, tenant) = (&state.app.tdb, &caller.tenant_id);
        let listed = tdb.do_not_call(tenant, campaign.as_ref(), &to.destination);
        if let Some(listed) = listed.await? {
            return Err(ApiError::DoNotCall("destination", listed.scope));
        }
    }
    Ok(request)
}

/// Connects two live calls of one switch
#[utoipa::path(
    post, path = BRIDGE, tag = "live requests",
    request_body = BridgeCalls,
    responses(
        (status = 200, description = "Its switch will connect them", body = Bridging),
        (status = 402, description = "license"),
        (status = 404, description = "unknown_call"),
        (status = 409, description = "not_answered, call_ended, flow_running, conference_full, other_switch, bridged, desk_full, stopped, duplicate, failed, refused"),
        (status = 501, description = "not_supported, not_yet"),
        (status = 503, description = "busy, unreachable"),
    ),
)]
async fn bridge_calls(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Bridging>, ApiError> {
    let members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    let mut fields = Fields::new(members);
    let expected = "the UUID of a call that is up";
    let first = fields.required("first_uuid", expected, CallUuid::parse);
    let second = fields.required("second_uuid", expected, CallUuid::parse);
    fields
        .finish_body::<BridgeCalls>()
        .map_err(ApiError::BadFields)?;
    let (Some(first), Some(second)) = (first, second) else {
        return Err(ApiError::BadFields(Vec::new()));
    };
    let request = CallRequest::BridgeCalls(second);
    let needed = Features::of_request(&request);
    state.app.license.standing().allows_live(needed)?;
    let node_of_one =
        async |field, call: CallUuid| match find(&state, &caller, &call.to_string()).await {
            Ok(call) => node_of(&call),
            Err(ApiError::UnknownCall(call)) => {
                let message = format!("There is no call {call}");
                Err(ApiError::Unknown("unknown_call", field, message))
            }
            Err(error) => Err(error),
        };
    let of_first = node_of_one("first_uuid", first).await?;
    let of_second = node_of_one("second_uuid", second).await?;
    if of_first != of_second {
        let message = format!("The calls are on two switches, {of_first} and {of_second}");
        return Err(refuse(name::OTHER_SWITCH, message, false));
    }
    let answer = ask_switch(
        &state,
        &caller,
        first,
        request,
        Some("request_bridge_calls"),
    )
    .await?;
    Ok(Json(Bridging {
        cluster: state.app.config.cluster.to_string(),
        first_uuid: first,
        message: answer.message,
        second_uuid: second,
        status: "OK",
        status_code: 0,
    }))
}

/// What its switch knows of a call that is up
#[utoipa::path(
    get, path = "/api/calls/{call_uuid}/details", tag = "live requests",
    params(OfCall),
    responses(
        (status = 200, description = "What it knows", body = Details),
        (status = 404, description = "unknown_call"),
        (status = 409, description = "not_answered, call_ended, flow_running, conference_full, other_switch, bridged, desk_full, stopped, duplicate, failed, refused"),
        (status = 501, description = "not_supported, not_yet"),
        (status = 503, description = "busy, unreachable"),
    ),
)]
async fn details(
    State(state): State<WebState>,
    caller: Caller,
    Path(call_uuid): Path<String>,
) -> Result<Json<Details>, ApiError> {
    let call_uuid = CallUuid::parse("path.call_uuid", &call_uuid)?;
    let answer = ask_switch(&state, &caller, call_uuid, CallRequest::Details, None).await?;
    Ok(Json(Details {
        call_details: answer.call_details,
        call_uuid,
        cluster: state.app.config.cluster.to_string(),
        status: "OK",
        status_code: 0,
    }))
}

fn refuse(name: &str, message: String, retryable: bool) -> ApiError {
    ApiError::LiveRefused {
        name: name.to_owned(),
        message,
        field: None,
        retryable,
    }
}

/// The switch that has the call.
fn node_of(call: &Call) -> Result<NodeId, ApiError> {
    // The events of a call come after what happens: between these two states its switch knows best.
    match (call.state, &call.node_id) {
        (state, _) if state.is_final() => {
            let message = format!("Call {} has ended: {}", call.call_uuid, state.as_str());
            Err(refuse(name::CALL_ENDED, message, false))
        }
        (CallState::Queued, _) | (_, None) => {
            let message = format!("Call {} is not dialled yet", call.call_uuid);
            Err(refuse(name::NOT_ANSWERED, message, true))
        }
        (_, Some(node)) => Ok(node.clone()),
    }
}

/// Asks the switch that has the call. A call of another tenant is not there. `noted`: what stands in the audit log, of
/// a request that changes something.
async fn ask_switch(
    state: &WebState,
    caller: &Caller,
    call_uuid: CallUuid,
    request: CallRequest,
    noted: Option<&'static str>,
) -> Result<Answer, ApiError> {
    let call = find(state, caller, &call_uuid.to_string()).await?;
    let node = node_of(&call)?;
    if let Some(event_name) = noted {
        let (tdb, now_ms) = (&state.app.tdb, state.app.clock.now_ms());
        let tenant = caller.tenant_id.clone();
        tdb.note_asked_of_call(caller.author(), tenant, call_uuid, event_name, now_ms)
            .await?;
    }
    let answer = match state.app.switches.ask(node, call_uuid, request).await {
        Ok(answer) => answer,
        Err(SwitchRequestError::Unreachable(why)) => return Err(ApiError::SwitchUnreachable(why)),
        Err(SwitchRequestError::Refused(why)) => return Err(ApiError::SwitchRefused(why)),
    };
    match answer.error {
        None if answer.is_ok() => Ok(answer),
        None => Err(ApiError::SwitchRefused(answer.message)),
        Some(error) if error.name == name::UNKNOWN_CALL => {
            // It is on its way there, or has just ended.
            let message = "The call is not up on its switch".to_owned();
            match call.state {
                CallState::Answered => Err(refuse(name::CALL_ENDED, message, false)),
                _ => Err(refuse(name::NOT_ANSWERED, message, true)),
            }
        }
        Some(error) => Err(ApiError::LiveRefused {
            // Fields have the names of the request here, not those of the message to the switch.
            field: error
                .field
                .map(|field| field.trim_start_matches("event_data.").to_owned()),
            name: error.name,
            message: answer.message,
            retryable: error.retryable,
        }),
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_may_have_is_described() {
        for (event_name, described) in DESCRIBED {
            assert_eq!(
                Request::field_names(event_name),
                described(),
                "{event_name}"
            );
        }
    }
}
