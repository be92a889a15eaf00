//! One refusal of each name: what the API's description shows of them.

use super::ApiError;
use crate::destinations::{Kind, Refused};
use crate::license::NotAllowed;
use iradialer_core::flow::{DncScope, Finding, Severity};
use iradialer_core::license;
use iradialer_core::live::name;
use iradialer_core::value::{CallerNumber, CampaignName, FieldError};

/// A call, a token or what else has a UUID.
const UUID: &str = "01a1fc2f-bd5c-702b-b769-11f559dde487";

/// What a switch, or the state of a call, can say to a live request: its name, a sentence, whether it may be tried again.
const LIVE: [(&str, &str, bool); 15] = [
    (name::NOT_ANSWERED, "The call is not answered yet", true),
    (name::CALL_ENDED, "The call has ended", false),
    (name::FLOW_RUNNING, "The call runs its flow", false),
    (name::CONFERENCE_FULL, "Two others are in it", false),
    (
        name::OTHER_SWITCH,
        "The calls are on two switches, switch-1 and switch-2",
        false,
    ),
    (name::BRIDGED, "The call is connected with another", false),
    (name::DESK_FULL, "As many requests wait as may", true),
    (name::STOPPED, "Another request has stopped it", false),
    (
        name::PROMPT_UNAVAILABLE,
        "The prompt can't be had: there is no such file",
        false,
    ),
    (name::NOT_READY, "The prompt is not ready yet", true),
    (name::BUSY, "The switch does as much as it can", true),
    (name::DUPLICATE, "The request was made before", false),
    (name::FAILED, "The host can't do it", false),
    (name::NOT_SUPPORTED, "This switch does not do it", false),
    (name::NOT_YET, "This switch does not do it yet", false),
];

/// Why a campaign, a trunk or a switch can't be changed as asked: the name, the field, a sentence.
const IN_THE_WAY: [(&str, &str, &str); 4] = [
    (
        "in_file",
        "name",
        "The trunk chime is in the configuration file: it can be disabled here",
    ),
    (
        "has_calls",
        "name",
        "The campaign reminders has 17 queued and 3 open calls",
    ),
    ("trunk_exists", "name", "There is a trunk chime already"),
    (
        "trunk_in_use",
        "name",
        "The trunk chime is used by acme/reminders",
    ),
];

impl ApiError {
    /// One of each name.
    pub fn examples() -> Vec<ApiError> {
        let id = || UUID.to_owned();
        let campaign = || "reminders".to_owned();
        let number = "an optional '+' and 3 to 15 digits";
        let bad_number = FieldError::new("to_number", number, "+1500{555");
        let refused = Refused {
            rule: "destinations.refuse_kinds: premium_rate".to_owned(),
            kind: Kind::PremiumRate,
        };
        let finding = Finding {
            severity: Severity::Error,
            path: "nodes.menu.goto.flow".to_owned(),
            message: "there is no flow \"opening\"".to_owned(),
        };
        let mut all = vec![
            ApiError::NoToken,
            ApiError::BadToken,
            ApiError::Forbidden(
                "A token with the role read-only may not do this: it takes calls:write".to_owned(),
            ),
            ApiError::License(NotAllowed {
                reason: "feature",
                message: "The licence does not allow recording".to_owned(),
            }),
            ApiError::BadLicense(license::Refusal::Changed),
            ApiError::BadLicense(license::Refusal::Older {
                serial: 3,
                installed: 4,
            }),
            ApiError::TooManyRequests(1),
            ApiError::BadJson(FieldError {
                field: "body".to_owned(),
                expected: "well-formed JSON at most 20 deep, each key once".to_owned(),
                got: "expected value at line 1 column 1".to_owned(),
            }),
            ApiError::BadFields(vec![bad_number]),
            ApiError::TooLarge(524_288),
            ApiError::TooSlow,
            ApiError::NotJson("text/plain".to_owned()),
            ApiError::Encoded("gzip".to_owned()),
            ApiError::TooManyStreams,
            ApiError::UnknownCampaign(campaign()),
            ApiError::NoTrunks(campaign()),
            ApiError::OutsideHours("0900-1900".to_owned()),
            ApiError::Conflict("idempotency_key"),
            ApiError::QueueFull,
            ApiError::UnknownCall(id()),
            ApiError::UnknownDeadLetter(format!("{UUID}_3")),
            ApiError::UnknownFlow("opening".to_owned(), None),
            ApiError::BadFlow(vec![finding]),
            ApiError::DoNotCall("to_number", DncScope::Tenant),
            ApiError::Destination("to_number", refused),
            ApiError::UnknownToken(id()),
            ApiError::UnknownTrunk("chime".to_owned()),
            ApiError::ClustersUnreachable("east".to_owned()),
            ApiError::SwitchUnreachable("The switch switch-1 does not answer".to_owned()),
            ApiError::SwitchRefused("The switch has refused it".to_owned()),
            ApiError::NoSuchPath("/api/makecals".to_owned()),
            ApiError::NoSuchMethod("PUT".to_owned(), "/api/makecall".to_owned()),
            ApiError::Unknown(
                "unknown_node",
                "node_id",
                "There is no switch switch-9: none is configured or was heard".to_owned(),
            ),
            ApiError::Unavailable,
        ];
        let number = CallerNumber::parse("from_number", "+15005550009");
        let name = CampaignName::parse("campaign_name", "reminders");
        if let (Ok(number), Ok(name)) = (number, name) {
            all.push(ApiError::CallerNumber(number, name));
        }
        let live = |(name, message, retryable): (&str, &str, bool)| ApiError::LiveRefused {
            name: name.to_owned(),
            message: message.to_owned(),
            field: None,
            retryable,
        };
        all.extend(LIVE.map(live));
        let in_the_way = |(name, field, message): (&'static str, &'static str, &str)| {
            ApiError::InTheWay(name, field, message.to_owned())
        };
        all.extend(IN_THE_WAY.map(in_the_way));
        all
    }
}
