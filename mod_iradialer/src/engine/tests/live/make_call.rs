//! Calls that are asked of this switch.

use super::*;

fn make_call(uuid: CallUuid) -> Value {
    json!({"event_name": "request_make_call", "event_data": {
        "call_uuid": uuid, "gateway": "t", "to_number": "+15005550001", "from_number": "", "tenant_id": "acme",
        "event_subject": "ira.client.mine", "call_params": {"order": 7}}})
}

#[test]
fn a_call_is_made_once_for_its_uuid_whatever_happens() {
    let scene = Scene::new();
    // Not ordered by time, as a client's may well be.
    let uuid = CallUuid::parse("uuid", "ffffffff-ffff-4fff-bfff-ffffffffffff").unwrap();
    assert!(scene.send(&make_call(uuid)).is_ok());
    let again = |scene: &Scene| scene.send(&make_call(uuid)).error.map(|error| error.name);
    assert_eq!(again(&scene).as_deref(), Some(name::DUPLICATE));
    let call = scene.bench.engine.registry.call(uuid).unwrap();
    scene.bench.end(&call, LegFacts::default());
    assert_eq!(again(&scene).as_deref(), Some(name::DUPLICATE));
    let (subject, started) = scene.copies.lock().try_recv().unwrap();
    let started: Value = serde_json::from_slice(&started).unwrap();
    assert_eq!(subject.as_str(), "ira.client.mine");
    assert_eq!(started["event_name"], "iradialer::started");
    assert_eq!(started["event_data"]["call_params"]["order"], 7);

    let attempt = call.command.attempt_id;
    drop((call, scene.call));
    let (answer, answered) = crossbeam_channel::bounded(1);
    let bench = scene.bench.crash();
    let ask = |bench: &Bench| {
        let answer = answer.clone();
        let reply = Box::new(move |reply| answer.send(reply).unwrap());
        let payload = make_call(uuid).to_string();
        bench.engine.live_request(payload.as_bytes(), Some(reply));
        let answer: Answer = answered.recv_timeout(Duration::from_secs(10)).unwrap();
        answer.error.map(|error| error.name)
    };
    assert_eq!(
        ask(&bench).as_deref(),
        Some(name::DUPLICATE),
        "after a crash"
    );
    bench.engine.confirmed(attempt);
    bench.until(|| bench.engine.outbox.journal().intent(attempt).is_none());
    let bench = bench.crash();
    assert_eq!(
        ask(&bench).as_deref(),
        Some(name::DUPLICATE),
        "after the collector has it all"
    );
}

#[test]
fn a_call_that_was_not_dialled_may_be_asked_for_again() {
    let scene = Scene::new();
    let uuid = CallUuid::fresh();
    *scene.bench.host.refuse.lock() = Some(CreateError::Trunk("t: down".into()));
    let error = scene.send(&make_call(uuid)).error.unwrap();
    assert_eq!(
        (error.name.as_str(), error.retryable),
        (name::NOT_DIALLED, true)
    );
    *scene.bench.host.refuse.lock() = None;
    assert!(scene.send(&make_call(uuid)).is_ok());
}
