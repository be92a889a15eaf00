//! What was given up, sent again; what each try came to; two secrets.

use super::*;
use crate::tdb::{DeliveryState, Noted, Redeliver};

async fn noted(bench: &Bench, call: CallUuid) -> Vec<Noted> {
    bench.tdb().deliveries(call, 0, 10).await.unwrap()
}

async fn send_again(bench: &Bench, call: CallUuid, which: Redeliver) {
    let now_ms = bench.app.clock.now_ms();
    let tenant = test_support::tenant();
    let again = bench
        .tdb()
        .redeliver(&tenant, call, which, test_support::author(), now_ms)
        .await;
    assert!(!again.unwrap().is_empty());
    bench.app.wake.dispatcher.notify_one();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_goes_out_in_order_when_it_is_asked_for() {
    let bench = Bench::start_with(|config| config.webhooks.retry_after.truncate(1)).await;
    let receiver = Receiver::start(|count| async move {
        match count {
            // Two tries of each of the four events.
            0..8 => StatusCode::BAD_GATEWAY.into_response(),
            _ => StatusCode::OK.into_response(),
        }
    })
    .await;
    let call = bench.ended_call(&receiver.url).await;
    for (state, tries, ..) in bench.settled(call).await {
        assert_eq!((state.as_str(), tries), ("dead", 2));
    }
    send_again(&bench, call, Redeliver::Missing).await;
    for (state, tries, status, error) in bench.settled(call).await {
        assert_eq!((state.as_str(), tries, status), ("delivered", 1, Some(200)));
        assert_eq!(error, None);
    }
    assert_eq!(receiver.names()[8..], NAMES);
    let seen = receiver.seen();
    assert_eq!(seen[0].header("webhook-id"), seen[8].header("webhook-id"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_gone_gets_what_is_sent_again() {
    let bench = Bench::start().await;
    let receiver = Receiver::start(|count| async move {
        match count {
            0 => StatusCode::GONE.into_response(),
            _ => StatusCode::OK.into_response(),
        }
    })
    .await;
    let call = bench.ended_call(&receiver.url).await;
    bench.settled(call).await;
    send_again(&bench, call, Redeliver::One(2)).await;
    let states = bench.settled(call).await;
    let states: Vec<&str> = states.iter().map(|(state, ..)| state.as_str()).collect();
    assert_eq!(states, ["dead", "delivered", "dead", "dead"]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_try_is_kept_with_how_its_answer_began() {
    let bench = Bench::start().await;
    let receiver = Receiver::start(|count| async move {
        match count {
            0 => (StatusCode::INTERNAL_SERVER_ERROR, "é\0".repeat(50_000)).into_response(),
            1 => {
                sleep(Duration::from_millis(50)).await;
                (StatusCode::OK, "thank you").into_response()
            }
            _ => StatusCode::NO_CONTENT.into_response(),
        }
    })
    .await;
    let call = bench.queued_call(&receiver.url).await;
    bench.settled(call).await;
    let noted = noted(&bench, call).await;
    assert_eq!(noted.len(), 1);
    assert_eq!(noted[0].state, DeliveryState::Delivered);
    let [failed, taken] = noted[0].tries.as_slice() else {
        panic!("{noted:?}");
    };
    assert_eq!((failed.status, failed.taken), (Some(500), false));
    let answer = failed.answer.as_deref().unwrap();
    assert!(answer.starts_with("é\u{fffd}é\u{fffd}"), "{answer}");
    assert!((1_000..=1_024).contains(&answer.len()), "{}", answer.len());
    assert_eq!((taken.status, taken.taken), (Some(200), true));
    assert_eq!(taken.answer.as_deref(), Some("thank you"));
    assert_eq!(taken.error, None);
    assert!((50..5_000).contains(&taken.took_ms), "{taken:?}");
    assert!(taken.begun_ms >= failed.begun_ms + 36, "{noted:?}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_secrets_change_each_of_the_two_verifies() {
    const BEFORE: &str = "whsec_QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";
    let bench = Bench::start_with(|config| {
        config.webhooks.previous_secret = Some(Secret::new(BEFORE));
    })
    .await;
    let receiver = Receiver::always(StatusCode::OK).await;
    let call = bench.queued_call(&receiver.url).await;
    bench.settled(call).await;
    let received = &receiver.seen()[0];
    let signatures: Vec<&str> = received.header("webhook-signature").split(' ').collect();
    assert_eq!(signatures.len(), 2);
    for secret in [SECRET, BEFORE] {
        let judge = standardwebhooks::Webhook::new(secret).unwrap();
        judge.verify(&received.body, &received.headers).unwrap();
    }
    bench.stop().await;
}
