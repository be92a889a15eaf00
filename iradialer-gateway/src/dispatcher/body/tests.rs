use super::*;
use crate::tdb::test_support::{
    NOW, REGION, assignment, event, hangup, new_call, open, started, tried, trunks,
};
use crate::tdb::{Accepted, OutOfOrder, Verdict};
use iradialer_core::wire::EventBody;

fn answered() -> EventBody {
    EventBody::Answered {
        after_ms: 2_000,
        sip: [("network_ip".to_owned(), "192.0.2.7".to_owned())].into(),
    }
}

/// The bodies of a call with these events, in order.
async fn bodies(events: &[EventBody]) -> Vec<Value> {
    let (tdb, _dir) = open().await;
    let mut call = new_call();
    call.request.call_params = Map::from_iter([("order".to_owned(), json!({"id": 7}))]);
    let call_uuid = call.call_uuid;
    assert_eq!(tdb.accept(call).await.unwrap(), Accepted::New);
    let assigned = assignment(call_uuid, 1);
    assert!(
        tdb.assign(REGION, assigned.clone(), NOW)
            .await
            .unwrap()
            .is_yes()
    );
    for (seq, body) in (1..).zip(events) {
        let event = event(&assigned, seq, body.clone());
        tdb.apply_event(event, OutOfOrder::Hold, &trunks(&[]), NOW)
            .await
            .unwrap();
    }
    let cluster = ClusterName::parse("cluster", "ira").unwrap();
    let mut bodies = Vec::new();
    loop {
        let due = tdb
            .due_deliveries("acme https://hooks.example", 10, NOW, |_| true)
            .await
            .unwrap();
        let Some(delivery) = due.first() else {
            return bodies;
        };
        let body = body(delivery, &cluster, "iradialer::");
        bodies.push(serde_json::from_slice(&body).unwrap());
        let done = tried(Verdict::Delivered, 200);
        tdb.delivery_tried(call_uuid, delivery.event.seq, done, NOW)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn every_event_says_what_the_contract_asks_for() {
    let bodies = bodies(&[started(), answered(), hangup(true, Some(200))]).await;
    let names: Vec<_> = bodies.iter().map(|body| &body["event_name"]).collect();
    assert_eq!(
        names,
        [
            "iradialer::queued",
            "iradialer::started",
            "iradialer::answered",
            "iradialer::hangup"
        ]
    );
    for (seq, body) in (1..).zip(&bodies) {
        let keys: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["event_data", "event_name"]);
        let data = body["event_data"].as_object().unwrap();
        for field in [
            "timestamp",
            "call_uuid",
            "call_params",
            "tenant_id",
            "call_type",
            "to_number",
            "from_number",
            "direction",
            "gateway",
            "dialer_ip",
            "network_ip",
            "sip_fields",
            "event_id",
            "seq",
            "cluster",
            "node_id",
            "attempt",
        ] {
            assert!(data.contains_key(field), "{field} is missing in {body}");
        }
        assert_eq!(data["seq"], seq);
        assert_eq!(data["call_params"]["order"]["id"], 7);
        assert_eq!(data["attempt"], 1);
        assert_eq!(data.contains_key("final"), seq == 4);
    }
    assert_eq!(bodies[1]["event_data"]["gateway"], "chime");
    assert_eq!(
        bodies[1]["event_data"]["timestamp"],
        "2026-09-21T14:13:21.000Z"
    );
}

#[tokio::test]
async fn the_end_of_an_answered_call() {
    let bodies = bodies(&[started(), answered(), hangup(true, Some(200))]).await;
    let data = &bodies[3]["event_data"];
    assert_eq!(data["final"], true);
    assert_eq!(data["hangup_cause"], "NORMAL_CLEARING");
    assert_eq!(data["network_ip"], "192.0.2.7");
    assert_eq!(data["sip_fields"], bodies[2]["event_data"]["sip_fields"]);
    assert_eq!(bodies[1]["event_data"]["network_ip"], "");
    assert_eq!(data["failure_status"], "");
    assert_eq!(data["sip_status"], 200);
    assert_eq!(data["billsec_ms"], 2_000);
    assert_eq!(data["variables"]["menu"], "1");
}

#[tokio::test]
async fn the_end_of_a_failed_call_has_the_status_as_text() {
    let bodies = bodies(&[started(), hangup(false, Some(480))]).await;
    let data = &bodies[2]["event_data"];
    assert_eq!(data["failure_status"], "480");
    assert_eq!(data["failure_phrase"], "");
    assert_eq!(data["final"], true);
}

#[test]
fn a_clock_that_says_anything_breaks_nothing() {
    assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
    assert_eq!(timestamp(1_790_000_000_123), "2026-09-21T14:13:20.123Z");
    assert_eq!(timestamp(u64::MAX), "1970-01-01T00:00:00.000Z");
}
