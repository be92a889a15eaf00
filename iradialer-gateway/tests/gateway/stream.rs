//! Server-sent events: in order, without a gap or a double, also for one that comes back.

use crate::gateway::{Answer, Gateway, PATIENCE, send};
use crate::tokens::call;
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A stream that is being read.
struct Stream {
    bytes: BoxStream<'static, Vec<u8>>,
    text: String,
}

/// An event as it came.
#[derive(Debug)]
struct Event {
    id: Option<u64>,
    name: String,
    data: Value,
}

impl Stream {
    async fn open(gateway: &Gateway, token: &str, query: &str, last: Option<u64>) -> Stream {
        let url = format!("{}/api/stream{query}", gateway.url);
        // The one of the tests gives up after a while.
        let request = gateway
            .client
            .get(url)
            .timeout(10 * PATIENCE)
            .bearer_auth(token);
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let bytes = answer.bytes_stream().map(|bytes| bytes.unwrap().to_vec());
        Stream {
            bytes: bytes.boxed(),
            text: String::new(),
        }
    }

    /// The next event, or comment.
    async fn next(&mut self) -> Event {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let of = |field: &str| {
                    let mut lines = frame.lines();
                    lines
                        .find_map(|line| line.strip_prefix(field))
                        .map(str::to_owned)
                };
                let event = Event {
                    id: of("id: ").map(|id| id.parse().unwrap()),
                    name: of("event: ").unwrap_or_default(),
                    data: of("data: ")
                        .map_or(Value::Null, |data| serde_json::from_str(&data).unwrap()),
                };
                self.text = rest.to_owned();
                return event;
            }
            let bytes = timeout(2 * PATIENCE, self.bytes.next()).await;
            let bytes = bytes.expect("nothing came").expect("it ended");
            self.text.push_str(&String::from_utf8(bytes).unwrap());
        }
    }

    /// The event that says why it ends.
    async fn end(&mut self) -> Event {
        loop {
            let event = self.next().await;
            if event.name == "closed" {
                return event;
            }
        }
    }

    /// The next events that are no comments.
    async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            let event = self.next().await;
            if !event.name.is_empty() {
                events.push(event);
            }
        }
        events
    }
}

async fn make_calls(gateway: &Gateway, token: &str, count: usize) -> BTreeSet<String> {
    let made = (0..count).map(|_| async { gateway.make_call(token, &call()).await });
    futures::future::join_all(made).await.into_iter().collect()
}

fn calls_of(events: &[Event]) -> Vec<String> {
    let of = |event: &Event| event.data["call_uuid"].as_str().unwrap().to_owned();
    events.iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_come_in_order_and_one_that_comes_back_misses_none() {
    let (gateway, token) = Gateway::start().await;
    let before = gateway.make_call(&token, &call()).await;
    let mut stream = Stream::open(&gateway, &token, "", None).await;
    // What was before is over.
    assert_eq!(stream.next().await.id, Some(1));
    let mut made = make_calls(&gateway, &token, 40).await;
    let mut events = stream.take(25).await;
    let last = events.last().unwrap().id;
    drop(stream);
    made.extend(make_calls(&gateway, &token, 40).await);
    let mut stream = Stream::open(&gateway, &token, "", last).await;
    events.extend(stream.take(55).await);
    let ids: Vec<u64> = events.iter().map(|event| event.id.unwrap()).collect();
    assert_eq!(ids, (2..=81).collect::<Vec<_>>());
    let of: BTreeSet<String> = calls_of(&events).into_iter().collect();
    assert_eq!(of, made);
    assert!(!of.contains(&before));
    // From the first event on, all of it is there still.
    let mut all = Stream::open(&gateway, &token, "", Some(0)).await;
    assert_eq!(all.take(81).await[0].data["call_uuid"], before.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_is_what_a_webhook_has_without_its_secret() {
    let (gateway, token) = Gateway::start().await;
    let mut stream = Stream::open(&gateway, &token, "", None).await;
    let mut asked = call();
    asked["call_params"] = json!({ "order": 7, "token": "s3cret" });
    let made = gateway.make_call(&token, &asked).await;
    let dropped = json!({ "call_uuid": made });
    gateway.post(&token, "/api/dropcall", &dropped).await;
    let events = stream.take(2).await;
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["iradialer::queued", "iradialer::canceled"]);
    let data = &events[1].data;
    assert_eq!(data["call_params"], json!({ "order": 7 }));
    assert_eq!((&data["seq"], &data["final"]), (&json!(2), &json!(true)));
    assert_eq!(data["tenant_id"], "acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_follows_its_own_and_what_it_asks_for() {
    let site = crate::gateway::Site::new(crate::gateway::CONFIG);
    let (acme, other) = (site.token("acme").await, site.token("other").await);
    let gateway = site.start().await;
    let first = gateway.make_call(&acme, &call()).await;
    let of_call = format!("?call_uuid={first}");
    let mut one = Stream::open(&gateway, &acme, &of_call, Some(0)).await;
    let mut none = Stream::open(&gateway, &acme, "?campaign=trunkless", Some(0)).await;
    let mut theirs = Stream::open(&gateway, &other, "", None).await;
    let second = gateway.make_call(&acme, &call()).await;
    let theirs_made = gateway.make_call(&other, &call()).await;
    gateway
        .post(&acme, "/api/dropcall", &json!({ "call_uuid": first }))
        .await;
    assert_eq!(calls_of(&one.take(2).await), [first.as_str(), &first]);
    let told = theirs.take(1).await;
    assert_eq!(calls_of(&told), [theirs_made]);
    assert!(!told[0].data.to_string().contains(&second));
    // One who wants none of it goes on from the end all the same.
    assert_eq!(none.next().await.id, Some(0));
    let beat = none.next().await;
    assert_eq!((beat.name.as_str(), beat.id), ("", Some(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_do_keeps_nobody_from_what_they_ask_for() {
    let (gateway, token) = Gateway::start().await;
    let many = json!({ "calls": vec![call(); 1_000] });
    for _ in 0..7 {
        let answer = gateway.post(&token, "/api/makecalls", &many).await;
        assert_eq!(answer.body["accepted"], 1_000, "{answer:?}");
    }
    let last = gateway.make_call(&token, &call()).await;
    let of_last = format!("?call_uuid={last}");
    let mut stream = Stream::open(&gateway, &token, &of_last, Some(0)).await;
    assert_eq!(stream.next().await.id, Some(0));
    // Before it would have to say that it still has nothing.
    let event = stream.next().await;
    assert_eq!(
        (event.id, event.name.as_str()),
        (Some(7_001), "iradialer::queued")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_follows_no_longer() {
    let (gateway, token) = Gateway::start().await;
    let made = gateway.post(&token, "/api/tokens", &json!({})).await;
    let follows = made.body["token"].as_str().unwrap();
    let mut stream = Stream::open(&gateway, follows, "", None).await;
    let mut busy = Stream::open(&gateway, follows, "", None).await;
    let path = format!(
        "{}/api/tokens/{}",
        gateway.url,
        made.body["token_id"].as_str().unwrap()
    );
    let revoked = send(gateway.client.delete(path).bearer_auth(&token)).await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    // Nor does one that has something to tell all the time.
    let calls = async {
        loop {
            gateway.make_call(&token, &call()).await;
            sleep(Duration::from_millis(100)).await;
        }
    };
    let ends = tokio::select! {
        ends = async { [stream.end().await, busy.end().await] } => ends,
        () = calls => unreachable!(),
    };
    for end in ends {
        assert_eq!(end.data, json!({ "reason": "token" }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_nothing_is_told_that_it_is_too_slow_and_goes_on_later() {
    let (gateway, token) = Gateway::start().await;
    let mut stream = Stream::open(&gateway, &token, "", None).await;
    assert_eq!(stream.next().await.id, Some(0));
    // More than what lies between the two can hold.
    let mut large = call();
    large["call_params"] = json!({ "note": "x".repeat(15 * 1024) });
    let calls = json!({ "calls": vec![large; 32] });
    for _ in 0..40 {
        let answer = gateway.post(&token, "/api/makecalls", &calls).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    sleep(Duration::from_secs(21)).await;
    let mut last = 0;
    let end = loop {
        let event = stream.next().await;
        match event.id {
            Some(id) => last = id,
            None => break event,
        }
    };
    assert_eq!(
        (end.name.as_str(), &end.data),
        ("closed", &json!({ "reason": "too_slow" }))
    );
    assert!(0 < last && last < 1_280, "{last}");
    let mut again = Stream::open(&gateway, &token, "", Some(last)).await;
    assert_eq!(again.take(1).await[0].id, Some(last + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_followed_is_refused() {
    let (gateway, token) = Gateway::start().await;
    let refused = async |query: &str, last: &str| -> Answer {
        let request = gateway
            .client
            .get(format!("{}/api/stream{query}", gateway.url));
        send(request.bearer_auth(&token).header("last-event-id", last)).await
    };
    for (query, last, field) in [
        ("", "x", "header.last-event-id"),
        ("", "-1", "header.last-event-id"),
        ("", "1", "header.last-event-id"),
        ("?call_uuid=x", "0", "query.call_uuid"),
        ("?campaign=a%20b", "0", "query.campaign"),
        ("?colour=red", "0", "query.colour"),
    ] {
        let answer = refused(query, last).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert_eq!(answer.body["error"]["field"], field);
    }
    let mut open = Vec::new();
    for _ in 0..8 {
        let mut stream = Stream::open(&gateway, &token, "", None).await;
        stream.next().await;
        open.push(stream);
    }
    let answer = refused("", "0").await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.body["error"]["name"], "too_many_streams");
    // One that is closed makes room.
    open.pop();
    let deadline = std::time::Instant::now() + 2 * PATIENCE;
    loop {
        let url = format!("{}/api/stream", gateway.url);
        let answer = gateway
            .client
            .get(url)
            .bearer_auth(&token)
            .send()
            .await
            .unwrap();
        if answer.status() == 200 {
            break;
        }
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
