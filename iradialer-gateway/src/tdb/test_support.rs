//! A database of a test's own, and the things tests put into it.

#[allow(dead_code)] // Tests of the binary use the rest.
#[path = "../../tests/support/postgres.rs"]
pub mod postgres;

use super::{
    Accepted, Assignment, Author, CallRequest, DatabaseUrl, Lead, NewCall, OnUnknown, Tdb,
    TdbError, Tried, TrunksOf, Verdict, Via,
};
use iradialer_core::call::{Direction, EndedBy};
use iradialer_core::value::{
    CallUuid, CallerNumber, CampaignName, ChannelVars, DialNumber, NodeId, RegionName, TenantId,
    TrunkName,
};
use iradialer_core::wire::{EventBody, Hangup, SwitchEvent, VERSION};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use std::collections::BTreeMap;
use std::sync::Arc;
use tempfile::TempDir;

/// When the tests take place.
pub const NOW: u64 = 1_790_000_000_000;

/// The region whose calls are given out, under a lease that is taken at [`NOW`] for a minute.
pub const REGION: &str = "default";

/// Who changes things in the tests.
pub fn author() -> Author {
    Author {
        via: Via::Api,
        actor: "the test".to_owned(),
        request_id: Some("request 7".to_owned()),
    }
}

/// The router that has that lease.
pub fn lead() -> Lead {
    Lead {
        region: RegionName::parse("region", REGION).unwrap(),
        epoch: NOW / 1_000,
    }
}

/// Says that the tests of this process are to take place on PostgreSQL: its URL, without a database.
pub const POSTGRES: &str = "IRADIALER_TEST_POSTGRES";

/// Where the database of the test with that directory is.
pub fn url_of(dir: &TempDir) -> DatabaseUrl {
    match std::env::var(POSTGRES) {
        Ok(server) => DatabaseUrl::parse(&format!("{server}{}", name_of(dir))).unwrap(),
        Err(_) => DatabaseUrl::file(dir.path().join("iradialer.db")),
    }
}

fn name_of(dir: &TempDir) -> &str {
    let name = dir.path().file_name().unwrap().to_str().unwrap();
    name.trim_start_matches('.')
}

/// A directory, and the database that goes with it.
pub async fn site() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    if let Ok(server) = std::env::var(POSTGRES) {
        sqlx::any::install_default_drivers();
        let mut owner = AnyConnection::connect(&format!("{server}postgres"))
            .await
            .unwrap();
        let create = format!("CREATE DATABASE \"{}\" TEMPLATE template0", name_of(&dir));
        let created = sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut owner);
        created.await.unwrap();
    }
    dir
}

/// A connection of the test's own to its database.
pub async fn connected(dir: &TempDir) -> AnyConnection {
    sqlx::any::install_default_drivers();
    let url = match url_of(dir) {
        DatabaseUrl::File(path) => format!("sqlite://{}", path.display()),
        DatabaseUrl::Server(url) => url.reveal().to_owned(),
    };
    AnyConnection::connect(&url).await.unwrap()
}

/// A fresh database and the directory that goes with it.
pub async fn open() -> (Tdb, TempDir) {
    let dir = site().await;
    let tdb = Tdb::open(&url_of(&dir)).await.unwrap();
    let lease = tdb.take_lease(REGION, "the test", None, 60_000, NOW).await;
    assert_eq!(
        lease.unwrap().unwrap().epoch,
        assignment(CallUuid::fresh(), 1).epoch
    );
    (tdb, dir)
}

pub fn tenant() -> TenantId {
    TenantId::parse("tenant_id", "acme").unwrap()
}

pub fn campaign() -> CampaignName {
    CampaignName::parse("campaign_name", "reminders").unwrap()
}

/// A call as a client would ask for it.
pub fn new_call() -> NewCall {
    let call_uuid = CallUuid::fresh();
    NewCall {
        call_uuid,
        tenant_id: tenant(),
        campaign_name: campaign(),
        to_number: DialNumber::parse("to_number", "+15005550006").unwrap(),
        from_number: CallerNumber::default(),
        request: CallRequest {
            call_params: serde_json::Map::new(),
            channel_vars: ChannelVars::default(),
            dial_timeout_s: 30,
            max_duration_s: 3_600,
            ivr: None,
            flow: None,
            vars: BTreeMap::new(),
            timezone: None,
            on_unknown: OnUnknown::End,
            metadata: serde_json::Map::new(),
            trunk: None,
            license: None,
            whisper: Vec::new(),
        },
        documents: Vec::new(),
        event_url: Some("https://hooks.example/x".to_owned()),
        priority: 5,
        created_ms: NOW,
        not_before_ms: NOW,
        expires_ms: None,
        idempotency_key: None,
        request_id: None,
        token_id: None,
        body_hash: "hash".to_owned(),
        answer: format!(r#"{{"call_uuid":"{call_uuid}"}}"#),
    }
}

/// A queued call.
pub async fn queued(tdb: &Tdb) -> CallUuid {
    let call = new_call();
    let call_uuid = call.call_uuid;
    assert_eq!(tdb.accept(call).await.unwrap(), Accepted::New);
    call_uuid
}

/// The first try of a call, given to a switch.
pub fn assignment(call_uuid: CallUuid, attempt: u32) -> Assignment {
    Assignment {
        call_uuid,
        attempt,
        attempt_id: CallUuid::fresh(),
        trunk: TrunkName::parse("trunk", "chime").unwrap(),
        node_id: NodeId::parse("node_id", "switch-1").unwrap(),
        incarnation: CallUuid::fresh(),
        journal_id: CallUuid::fresh(),
        epoch: NOW / 1_000,
        not_after_ms: NOW + 4_000,
        why: serde_json::json!({"queue": {"priority": 5}}),
        probe: false,
    }
}

/// What the switch reports of that try.
pub fn event(assignment: &Assignment, seq: u32, body: EventBody) -> SwitchEvent {
    SwitchEvent {
        v: VERSION,
        call_uuid: assignment.call_uuid,
        attempt: assignment.attempt,
        attempt_id: assignment.attempt_id,
        seq,
        tenant_id: tenant(),
        node_id: assignment.node_id.clone(),
        incarnation: assignment.incarnation,
        at_ms: NOW + u64::from(seq) * 1_000,
        body,
    }
}

pub fn started() -> EventBody {
    EventBody::Started {
        to_number: "+15005550006".to_owned(),
        from_number: String::new(),
        trunk: TrunkName::parse("trunk", "chime").unwrap(),
        direction: Direction::Outbound,
        campaign_name: None,
    }
}

pub fn ringing() -> EventBody {
    EventBody::Ringing {
        early_media: false,
        after_ms: 900,
    }
}

pub fn answered() -> EventBody {
    EventBody::Answered {
        after_ms: 2_000,
        sip: BTreeMap::new(),
    }
}

/// A hangup by the callee, before or after an answer.
pub fn hangup(answered: bool, sip_status: Option<u16>) -> EventBody {
    EventBody::Hangup(Hangup {
        hangup_cause: "NORMAL_CLEARING".to_owned(),
        sip_status,
        sip_phrase: None,
        by: EndedBy::Callee,
        answered,
        rang: true,
        duration_ms: 4_000,
        billsec_ms: if answered { 2_000 } else { 0 },
        variables: BTreeMap::from([("menu".to_owned(), "1".to_owned())]),
        node: Some("menu".to_owned()),
        fault: None,
    })
}

impl Tdb {
    /// Notes how a try at that event went. Returns when it is tried again.
    pub async fn delivery_tried(
        &self,
        call_uuid: CallUuid,
        seq: u32,
        tried: Tried,
        now_ms: u64,
    ) -> Result<Option<u64>, TdbError> {
        let next_ms = tried.verdict.next_ms();
        let tried = Tried {
            call_uuid,
            seq,
            ..tried
        };
        self.deliveries_tried(vec![tried], now_ms).await?;
        Ok(next_ms)
    }
}

/// A try at a webhook that was answered with this status.
pub fn tried(verdict: Verdict, status: u16) -> Tried {
    Tried {
        call_uuid: CallUuid::fresh(),
        seq: 0,
        tenant_id: tenant(),
        origin: "https://hooks.example".to_owned(),
        verdict,
        status: Some(status),
        error: (verdict != Verdict::Delivered).then(|| format!("HTTP {status}")),
        answer: Some("what it said".to_owned()),
        begun_ms: NOW,
        took_ms: 7,
    }
}

/// Every campaign has these trunks.
pub fn trunks(names: &'static [&'static str]) -> TrunksOf {
    let parse = |name: &&str| TrunkName::parse("trunk", name).unwrap();
    Arc::new(move |_, _| names.iter().map(parse).collect())
}
