//! Two dispatchers of one TDB, as there are where two gateways run with all their roles.

use super::*;

/// Another gateway's, on a data directory of its own.
async fn second(bench: &Bench) -> (CancellationToken, tokio::task::JoinHandle<()>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let app = App {
        config: Arc::new(config(dir.path())),
        wake: Wake::default(),
        ..bench.app.clone()
    };
    let stop = CancellationToken::new();
    let dispatcher = Dispatcher::new(app, &Secret::new(SECRET)).unwrap();
    let running = tokio::spawn(dispatcher.run(stop.clone()));
    (stop, running, dir)
}

/// The second one delivers what comes then.
async fn goes_on(
    bench: Bench,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    receiver: &Receiver,
) {
    let bench = Bench {
        stop,
        running,
        ..bench
    };
    let call = bench.ended_call(&receiver.url).await;
    let deliveries = bench.settled(call).await;
    assert!(deliveries.iter().all(|(state, ..)| state == "delivered"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_webhook_is_sent_once_and_the_other_goes_on_where_one_ends() {
    let mut bench = Bench::start().await;
    let receiver = Receiver::always(StatusCode::NO_CONTENT).await;
    // Which has the right to send from then on.
    bench.settled(bench.queued_call(&receiver.url).await).await;
    let (stop, running, _dir) = second(&bench).await;
    let mut calls = Vec::new();
    for _ in 0..50 {
        calls.push(bench.ended_call(&receiver.url).await);
    }
    for call in &calls {
        bench.settled(*call).await;
    }
    let mut ids: Vec<String> = receiver
        .seen()
        .iter()
        .map(|received| received.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids.len(), 1 + 4 * calls.len());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1 + 4 * calls.len(), "none of them twice");

    bench.stop.cancel();
    (&mut bench.running).await.unwrap();
    goes_on(bench, stop, running, &receiver).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_vanishes_is_followed_by_the_other() {
    let bench = Bench::start().await;
    let receiver = Receiver::always(StatusCode::NO_CONTENT).await;
    bench.settled(bench.queued_call(&receiver.url).await).await;
    let (stop, running, _dir) = second(&bench).await;
    // Without a word to the TDB.
    bench.running.abort();
    goes_on(bench, stop, running, &receiver).await;
}
