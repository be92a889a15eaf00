//! What became of webhooks, as the API shows it. Fields are in the order of their names.

use crate::tdb::{DeadLetter, DeliveryState, Noted, Try};
use crate::web::openapi::example;
use crate::web::timestamp::Time;
use iradialer_core::value::CallUuid;
use serde::Serialize;
use utoipa::ToSchema;

/// What became of the webhooks of a call.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(DeliveryList::example())))]
pub(in crate::web) struct DeliveryList {
    #[schema(value_type = uuid::Uuid)]
    pub call_uuid: CallUuid,
    /// By `seq`.
    pub deliveries: Vec<Delivery>,
    /// How many events the call has so far.
    pub last_seq: u32,
}

/// What became of a webhook.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Delivery {
    /// When the receiver took it, or it was given up.
    done_at: Option<Time>,
    /// Why it failed last, or was given up without a try.
    error: Option<String>,
    event_name: String,
    next_try_at: Option<Time>,
    /// When somebody last asked for it to be sent again.
    replayed_at: Option<Time>,
    /// The event's place in its call.
    seq: u32,
    /// `due` (then with `next_try_at`), `delivered` or `dead`.
    #[schema(value_type = String)]
    state: DeliveryState,
    /// First to last.
    tries: Vec<ShownTry>,
    /// Where to.
    url: String,
    /// The header `webhook-id`, the same at every try: `CALL_UUID_SEQ`.
    webhook_id: String,
}

/// A try at a webhook.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct ShownTry {
    /// How the answer began, up to 1 KiB; null: none came.
    answer: Option<String>,
    at: Time,
    /// Whether the receiver took it.
    delivered: bool,
    /// Why it failed, in a sentence.
    error: Option<String>,
    /// How long it took, ms.
    ms: u64,
    /// From 1.
    number: u32,
    /// The HTTP status; null: none came.
    status: Option<u16>,
}

/// A page of the webhooks that were given up.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(DeadLetterList::example())))]
pub(in crate::web) struct DeadLetterList {
    /// The last first.
    pub deadletters: Vec<ShownLetter>,
    /// The `cursor` of the next page; null: there is none.
    pub next_cursor: Option<String>,
}

/// A webhook that was given up.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct ShownLetter {
    #[schema(value_type = uuid::Uuid)]
    call_uuid: CallUuid,
    /// Empty for a call begun at a switch.
    campaign_name: String,
    created_at: Time,
    /// When it was given up.
    dead_at: Time,
    /// Why, in a sentence.
    error: String,
    event_name: String,
    /// When somebody last asked for it to be sent again.
    replayed_at: Option<Time>,
    /// The event's place in its call.
    seq: u32,
    /// The HTTP status of the last try; null: none came.
    status: Option<u16>,
    /// How often it was tried since it was last asked for.
    tries: u32,
    /// Where to.
    url: String,
    /// The header `webhook-id`: `CALL_UUID_SEQ`.
    webhook_id: String,
}

/// What is sent again.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Redelivered::example())))]
pub(in crate::web) struct Redelivered {
    #[schema(value_type = uuid::Uuid)]
    pub call_uuid: CallUuid,
    /// The `seq` of each event.
    pub redelivered: Vec<u32>,
    pub status: &'static str,
    pub status_code: u8,
}

/// What is sent again.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Replayed { more: false, replayed: 12, status: "OK", status_code: 0 })))]
pub(in crate::web) struct Replayed {
    /// Whether others that fit are left.
    pub more: bool,
    /// How many.
    pub replayed: u64,
    pub status: &'static str,
    pub status_code: u8,
}

/// The header of a webhook that it is known by.
pub(super) fn webhook_id(call_uuid: CallUuid, seq: u32) -> String {
    format!("{call_uuid}_{seq}")
}

impl Delivery {
    /// Of a call's; `prefix` is what names of events begin with.
    pub fn of(call_uuid: CallUuid, noted: Noted, prefix: &str) -> Self {
        Delivery {
            done_at: noted.done_ms.map(Time::of),
            error: noted.error,
            event_name: format!("{prefix}{}", noted.name),
            next_try_at: noted.next_ms.map(Time::of),
            replayed_at: noted.replayed_ms.map(Time::of),
            seq: noted.seq,
            state: noted.state,
            tries: noted.tries.into_iter().map(ShownTry::of).collect(),
            url: noted.url,
            webhook_id: webhook_id(call_uuid, noted.seq),
        }
    }
}

impl ShownTry {
    fn of(each: Try) -> Self {
        ShownTry {
            answer: each.answer,
            at: Time::of(each.begun_ms),
            delivered: each.taken,
            error: each.error,
            ms: each.took_ms,
            number: each.number,
            status: each.status,
        }
    }
}

impl ShownLetter {
    /// Of the dead letter; `prefix` is what names of events begin with.
    pub fn of(letter: DeadLetter, prefix: &str) -> Self {
        ShownLetter {
            call_uuid: letter.call_uuid,
            campaign_name: letter.campaign_name,
            created_at: Time::of(letter.created_ms),
            dead_at: Time::of(letter.dead_ms),
            error: letter.error,
            event_name: format!("{prefix}{}", letter.name),
            replayed_at: letter.replayed_ms.map(Time::of),
            seq: letter.seq,
            status: letter.status,
            tries: letter.tries,
            url: letter.url,
            webhook_id: webhook_id(letter.call_uuid, letter.seq),
        }
    }
}

/// Where the webhooks of examples go.
const URL: &str = "https://crm.example/hook";

impl DeliveryList {
    fn example() -> Self {
        let each = Try {
            number: 1,
            begun_ms: 1_795_256_508_590,
            took_ms: 41,
            taken: true,
            status: Some(200),
            error: None,
            answer: Some("thank you".to_owned()),
        };
        let noted = Noted {
            seq: 1,
            name: "queued".to_owned(),
            url: URL.to_owned(),
            state: DeliveryState::Delivered,
            next_ms: None,
            done_ms: Some(1_795_256_508_631),
            replayed_ms: None,
            error: None,
            tries: vec![each],
        };
        DeliveryList {
            call_uuid: example::uuid(),
            deliveries: vec![Delivery::of(example::uuid(), noted, "iradialer::")],
            last_seq: 1,
        }
    }
}

impl DeadLetterList {
    fn example() -> Self {
        let letter = DeadLetter {
            call_uuid: example::uuid(),
            seq: 1,
            campaign_name: "reminders".to_owned(),
            name: "queued".to_owned(),
            url: URL.to_owned(),
            tries: 9,
            status: Some(503),
            error: "503 Service Unavailable: \"busy\"".to_owned(),
            created_ms: 1_795_157_161_100,
            dead_ms: 1_795_256_508_590,
            replayed_ms: None,
        };
        DeadLetterList {
            deadletters: vec![ShownLetter::of(letter, "iradialer::")],
            next_cursor: None,
        }
    }
}

impl Redelivered {
    fn example() -> Self {
        Redelivered {
            call_uuid: example::uuid(),
            redelivered: vec![3, 4],
            status: "OK",
            status_code: 0,
        }
    }
}
