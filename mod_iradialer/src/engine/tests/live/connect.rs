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
