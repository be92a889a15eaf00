//! Calls that are connected with others on request.

use super::*;
use iradialer_core::wire::TransferResult;

#[test]
fn a_call_is_connected_when_its_turn_comes_and_is_at_its_desk_again() {
    let direct = json!({"gateway": "carrier", "to_number": "+15005550032",
        "from_number": "", "dial_timeout": 40});
    let at = |ms, at: &'static str, waiting| {
        move |scene: Scene| {
            scene.at(ms, move |scene| {
                let details = scene.ask("request_get_call_details", json!({}));
                let details = details.call_details.unwrap();
                assert_eq!(
                    (details.at.as_deref(), details.waiting),
                    (Some(at), waiting)
                );
            })
        }
    };
    let scene = Scene::new()
        .asks(0, "request_play_file", file("a.wav"))
        .asks(100, "request_direct_bridge", direct)
        .asks(200, "request_play_file", file("b.wav"));
    let scene = at(1_500, "desk", 1)(scene);
    // It rings for 1 s, and is connected for 1 s.
    let mut scene = at(2_500, "bridge", 1)(scene)
        .refuses(2_500, "request_play_file", file("c.wav"), name::BRIDGED)
        .refuses(2_500, "request_stop_play", json!({}), name::BRIDGED);
    scene = at(3_500, "desk", 0)(scene);
    let events = scene.run(5_000, &[]);
    let peer_call_uuid = CallUuid::parse("peer", PEER).unwrap();
    let expected = [
        (1_020, done("a.wav", 1_000, None)),
        (2_020, EventBody::Bridged { peer_call_uuid }),
        (
            3_020,
            EventBody::Unbridged {
                peer_call_uuid,
                ms: 1_000,
            },
        ),
        (3_020, transferred(TransferResult::Done, 1_000, None)),
        (4_020, done("b.wav", 1_000, None)),
    ];
    assert_eq!(events, expected);
    let wanted = Manner::Dial(crate::transfer::course::Wanted {
        destination: DialNumber::parse("to", "+15005550032").unwrap(),
        from_number: Some(CallerNumber::default()),
        trunk: Some(TrunkName::parse("trunk", "carrier").unwrap()),
        timeout_s: 40,
        whisper: Vec::new(),
    });
    assert_eq!(*scene.handed_over.lock(), [wanted]);
}

#[test]
fn a_transfer_that_is_stopped_while_it_rings_says_so() {
    let to = json!({"destination": "+15005550032"});
    let mut scene =
        Scene::new()
            .asks(0, "request_transfer_call", to)
            .asks(500, "request_stop_play", json!({}));
    let events = scene.run(2_000, &[]);
    let why = "another request has stopped it";
    let expected = [(500, transferred(TransferResult::Failed, 0, Some(why)))];
    assert_eq!(events, expected);
}

#[test]
fn a_hangup_ends_a_transfer_and_what_came_of_it_is_told_if_they_were_connected() {
    for (hang_up_ms, deflect, last) in [
        (500, false, None),
        (1_500, true, Some(TransferResult::Done)),
    ] {
        let to = json!({"destination": "+15005550032", "deflect": deflect});
        let mut scene = Scene::new().asks(0, "request_transfer_call", to);
        let events = scene.run(hang_up_ms, &[]);
        let result = events.last().map(|(_, event)| match event {
            EventBody::Transferred { result, .. } => *result,
            other => panic!("{other:?}"),
        });
        assert_eq!(result, last);
        let refers = matches!(scene.handed_over.lock()[..], [Manner::Refer(_)]);
        assert_eq!(refers, deflect);
    }
}

fn transferred(result: TransferResult, ms: u64, error: Option<&str>) -> EventBody {
    EventBody::Transferred {
        node: None,
        destination: "+15005550032".to_owned(),
        result,
        ms,
        error: error.map(str::to_owned),
    }
}

/// A second call that is answered, at its desk.
fn another(scene: &Scene) -> Arc<Call> {
    let other = scene.bench.live();
    scene.bench.engine.leg_answered(&other, BTreeMap::new());
    other.desk.be_at(crate::desk::At::Desk);
    other
}

/// What is on top of a call's desk: its seat.
fn seat(call: &Call) -> crate::pairing::Seat {
    match call.desk.take().map(|job| job.work) {
        Some(crate::call::Work::Join(seat)) => seat,
        _ => panic!("it has no seat"),
    }
}

fn of(scene: &Scene, call: &Call, event_name: &str, mut data: Value) -> Answer {
    data["call_uuid"] = json!(call.command.call_uuid);
    scene.send(&json!({"event_name": event_name, "event_data": data}))
}

#[test]
fn two_calls_are_connected_when_both_have_their_turn() {
    let other = Arc::new(Mutex::new(None));
    let (made, comes) = (other.clone(), other.clone());
    let mut scene = Scene::new()
        .at(0, move |scene| {
            let other = another(scene);
            let second_uuid = json!({"second_uuid": other.command.call_uuid});
            let answer = scene.ask("request_bridge_calls", second_uuid);
            assert!(answer.is_ok(), "{answer:?}");
            *made.lock() = Some(other);
        })
        .at(500, move |_| {
            let other = comes.lock().clone().unwrap();
            std::thread::spawn(move || {
                let seat = seat(&other);
                while seat.poll() != crate::pairing::Turn::StepAside {}
                assert!(seat.stepped_aside());
            })
            .join()
            .unwrap();
        });
    let events = scene.run(3_000, &[]);
    let peer_call_uuid = other.lock().as_ref().unwrap().command.call_uuid;
    let [(_, bridged), (_, parted)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*bridged, EventBody::Bridged { peer_call_uuid });
    let ms = 1_000;
    assert_eq!(*parted, EventBody::Unbridged { peer_call_uuid, ms });
}

#[test]
fn one_who_is_hung_up_while_the_other_is_waited_for_lets_it_go_on() {
    let other = Arc::new(Mutex::new(None));
    let made = other.clone();
    let mut scene = Scene::new().at(0, move |scene| {
        let other = another(scene);
        let conf = json!({"conf_uuid": format!("CONF-{}", other.command.call_uuid)});
        assert!(scene.ask("request_bridge_call", conf).is_ok());
        *made.lock() = Some(seat(&other));
    });
    assert_eq!(scene.run(500, &[]), []);
    let seat = other.lock().take().unwrap();
    assert_eq!(seat.poll(), crate::pairing::Turn::Over);
    assert_eq!(*scene.sent_back.lock(), []);
}

#[test]
fn a_conference_holds_two() {
    let scene = Scene::new();
    scene.call.desk.be_at(crate::desk::At::Desk);
    let (second, third) = (another(&scene), another(&scene));
    let conf = json!({"conf_uuid": "CONF-7d444840-9dc0-41d1-b245-5ffdce74fad2"});
    let join = |call: &Call| {
        let answer = of(&scene, call, "request_bridge_call", conf.clone());
        answer.error.map(|error| error.name)
    };
    assert_eq!(join(&scene.call), None);
    assert_eq!(join(&scene.call), None, "it waits still");
    assert_eq!(scene.call.desk.load().waiting, 0);
    assert_eq!(join(&second), None);
    assert_eq!(scene.call.desk.load().waiting, 1);
    assert_eq!(join(&third).as_deref(), Some(name::CONFERENCE_FULL));
    drop((seat(&scene.call), seat(&second)));
    assert_eq!(join(&third), None, "the two were parted");
    assert_eq!(third.desk.load().waiting, 0, "it waits for another");
    assert_eq!(scene.bench.engine.registry.len(), 3);
}

#[test]
fn a_call_that_can_not_be_connected_is_refused_and_leaves_nothing_on_the_other_desk() {
    let scene = Scene::new();
    scene.call.desk.be_at(crate::desk::At::Desk);
    let busy = another(&scene);
    let ask = |second: CallUuid| {
        let data = json!({ "second_uuid": second });
        let answer = of(&scene, &scene.call, "request_bridge_calls", data);
        let left = scene.call.desk.load().waiting;
        (answer.error.map(|error| error.name), left)
    };
    let refused = |name: &str| (Some(name.to_owned()), 0);
    assert_eq!(ask(CallUuid::fresh()), refused(name::UNKNOWN_CALL));
    let own = scene.call.command.call_uuid;
    assert_eq!(ask(own), refused(name::INVALID_FIELD));
    busy.bridged(CallUuid::parse("peer", PEER).unwrap());
    assert_eq!(ask(busy.command.call_uuid), refused(name::BRIDGED));
    busy.unbridged();
    assert_eq!(ask(busy.command.call_uuid), (None, 1));
}
