//! Receivers that fail: one at a time, an alert before they are given up, and nobody else is held up.

use super::*;

/// An address where nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_is_asked_one_at_a_time_until_it_takes_one() {
    const FAILS: usize = 40;
    let bench = Bench::start_with(|config| {
        config.webhooks.retry_after = [20; 9].map(Duration::from_millis).to_vec();
    })
    .await;
    let at_once = Arc::new(Mutex::new((0usize, Vec::new())));
    let counts = Arc::clone(&at_once);
    let receiver = Receiver::start(move |count| {
        let counts = Arc::clone(&counts);
        async move {
            {
                let mut counts = counts.lock().unwrap();
                counts.0 += 1;
                let now = counts.0;
                counts.1.push(now);
            }
            sleep(Duration::from_millis(5)).await;
            counts.lock().unwrap().0 -= 1;
            match count {
                0..FAILS => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                _ => StatusCode::OK.into_response(),
            }
        }
    })
    .await;
    let mut calls = Vec::new();
    for _ in 0..30 {
        calls.push(bench.queued_call(&receiver.url).await);
    }
    for call in calls {
        let deliveries = bench.settled(call).await;
        assert_eq!(deliveries[0].0, "delivered", "{deliveries:?}");
    }
    let at_once = at_once.lock().unwrap().1.clone();
    assert!(at_once[0] >= 1);
    // Whoever was sent before the breaker opened may still be under way.
    let settled = &at_once[PER_RECEIVER + 5..FAILS];
    assert!(settled.iter().all(|count| *count == 1), "{at_once:?}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_fail_in_every_way_delay_no_other() {
    let bench = Bench::start_with(|config| {
        config.webhooks.timeout = Duration::from_secs(30);
        config.webhooks.retry_after = vec![Duration::from_secs(60)];
    })
    .await;
    // On every loopback address: each is an origin of its own.
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hanging = tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            open.push(listener.accept().await.unwrap());
        }
    });
    let redirecting = Receiver::start(|_| async {
        (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")]).into_response()
    })
    .await;
    for host in 1..=10 {
        let url = format!("http://127.0.0.{host}:{port}/");
        for _ in 0..=PER_RECEIVER {
            bench.queued_call(&url).await;
        }
    }
    for _ in 0..20 {
        bench.queued_call(&nobody()).await;
        bench.queued_call(&redirecting.url).await;
    }
    let quick = Receiver::always(StatusCode::OK).await;
    let begun = Instant::now();
    let call = bench.ended_call(&quick.url).await;
    let deliveries = bench.settled(call).await;
    assert!(deliveries.iter().all(|(state, ..)| state == "delivered"));
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    bench.stop.cancel();
    bench.running.abort();
    hanging.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_is_told_once_before_a_receivers_webhooks_are_given_up() {
    let operator = Receiver::always(StatusCode::OK).await;
    let alert_url = operator.url.clone();
    let bench = Bench::start_with(|config| {
        config.webhooks.alert_url = Some(alert_url);
        config.webhooks.retry_after = [40, 500].map(Duration::from_millis).to_vec();
    })
    .await;
    let receiver = Receiver::always(StatusCode::BAD_GATEWAY).await;
    let call = bench.ended_call(&receiver.url).await;
    assert!(
        bench
            .settled(call)
            .await
            .iter()
            .all(|(state, ..)| state == "dead")
    );
    let told = operator.seen();
    assert_eq!(told.len(), 1, "once, though four are given up");
    // Told with one try left, not after.
    assert!(told[0].at < receiver.seen()[2].at);
    let judge = standardwebhooks::Webhook::new(SECRET).unwrap();
    judge.verify(&told[0].body, &told[0].headers).unwrap();
    let said = told[0].json();
    assert_eq!(said["event_name"], "iradialer::webhook_failing");
    let data = &said["event_data"];
    assert_eq!(data["tenant_id"], "acme");
    assert_eq!(data["webhook_id"], format!("{call}_1"));
    assert_eq!(data["tries"], 2);
    assert!(receiver.url.starts_with(data["origin"].as_str().unwrap()));
    assert!(data["error"].as_str().unwrap().starts_with("502"));
    bench.stop().await;
}
