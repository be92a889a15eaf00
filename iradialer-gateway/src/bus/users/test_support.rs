//! Tries everything a switch must not be able to do, on a real server with two of them.

use crate::bus::stream;
use crate::config::NatsConfig;
use async_nats::{Client, ConnectOptions, Event, ServerError, jetstream};
use futures::StreamExt;
use iradialer_core::subject;
use iradialer_core::value::{CallUuid, ClusterName, NodeId, TenantId};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

/// How long anything may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects as the module of that switch does. Also returns what the server refuses, in its words.
pub(in crate::bus) async fn log_on(
    link: &NatsConfig,
    node: &NodeId,
) -> (Client, UnboundedReceiver<String>) {
    let (tell, refusals) = unbounded_channel();
    let client = ConnectOptions::new()
        .user_and_password(link.user.clone(), link.password.reveal().to_owned())
        .custom_inbox_prefix(subject::switch_inbox(&cluster(), node))
        .event_callback(move |event| {
            if let Event::ServerError(ServerError::Other(text)) = event {
                tell.send(text).ok();
            }
            std::future::ready(())
        })
        .connect(&link.url)
        .await
        .unwrap();
    (client, refusals)
}

fn cluster() -> ClusterName {
    ClusterName::parse("cluster", "ira").unwrap()
}

fn node(id: &str) -> NodeId {
    NodeId::parse("node_id", id).unwrap()
}

/// Panics unless `sw1` can do its own work and nothing of `sw2`'s, the gateway's or JetStream's.
pub(in crate::bus) async fn check_isolation(
    gateway: &NatsConfig,
    own: &NatsConfig,
    other: &NatsConfig,
) {
    let gateway = crate::bus::connect(gateway, "test").await.unwrap();
    let context = jetstream::new(gateway.clone());
    let mut events = stream::ensure(&context, &cluster()).await.unwrap();
    let (sw1, mut refusals) = log_on(own, &node("sw1")).await;
    let (sw2, _) = log_on(other, &node("sw2")).await;

    let call = CallUuid::fresh();
    may_do_its_work(&gateway, &sw1, &call).await;
    let before = events.info().await.unwrap().state.messages;

    for subject in forbidden_to_publish(&call) {
        sw1.publish(subject.clone(), "forged".into()).await.unwrap();
        expect_refusal(&mut refusals, "Publish", &subject).await;
    }
    for subject in forbidden_to_subscribe(&sw2) {
        let subscription = sw1.subscribe(subject.clone()).await.unwrap();
        expect_refusal(&mut refusals, "Subscription", &subject).await;
        drop(subscription);
    }
    let after = events.info().await.unwrap().state.clone();
    assert_eq!((after.messages, after.consumer_count), (before, 0));
}

/// Waits until the server has what the client has subscribed to: a flush alone does not, and another connection
/// would be faster. The client may speak to itself on `subject`.
async fn subscribed(client: &Client, subject: String) {
    let mut echo = client.subscribe(subject.clone()).await.unwrap();
    client.publish(subject, "echo".into()).await.unwrap();
    timeout(PATIENCE, echo.next()).await.unwrap().unwrap();
}

/// Commands are answered, events are acknowledged, questions are answered, heartbeats heard.
async fn may_do_its_work(gateway: &Client, sw1: &Client, call: &CallUuid) {
    let (own, tenant) = (node("sw1"), TenantId::parse("tenant_id", "acme").unwrap());
    let dial = subject::dial(&cluster(), &own, call);
    let mut dials = sw1.subscribe(dial.clone()).await.unwrap();
    subscribed(sw1, subject::switch_heartbeat(&cluster(), &own)).await;
    let answer = async {
        let command = dials.next().await.unwrap();
        sw1.publish(command.reply.unwrap(), "accepted".into())
            .await
            .unwrap();
    };
    let (reply, ()) = tokio::join!(gateway.request(dial, "dial".into()), answer);
    assert_eq!(&reply.unwrap().payload[..], b"accepted");

    let ack = jetstream::new(sw1.clone())
        .publish(
            subject::events(&cluster(), &own, &tenant, call),
            "{}".into(),
        )
        .await
        .unwrap();
    timeout(PATIENCE, ack).await.unwrap().unwrap();

    let client = format!("{}app", subject::clients(&cluster()));
    let mut copies = gateway.subscribe(client.clone()).await.unwrap();
    subscribed(gateway, gateway.new_inbox()).await;
    sw1.publish(client, "copy".into()).await.unwrap();
    let copy = timeout(PATIENCE, copies.next()).await.unwrap().unwrap();
    assert_eq!(&copy.payload[..], b"copy");

    let confirm = subject::confirm(&cluster());
    let mut questions = gateway.subscribe(confirm.clone()).await.unwrap();
    let heartbeat = subject::switch_heartbeat(&cluster(), &own);
    let mut heartbeats = gateway.subscribe(heartbeat.clone()).await.unwrap();
    subscribed(gateway, gateway.new_inbox()).await;
    let answer = async {
        let question = questions.next().await.unwrap();
        gateway
            .publish(question.reply.unwrap(), "stored".into())
            .await
            .unwrap();
    };
    let (reply, ()) = tokio::join!(sw1.request(confirm, "stored?".into()), answer);
    assert_eq!(&reply.unwrap().payload[..], b"stored");

    let flow = subject::flow(&cluster());
    let mut questions = gateway.subscribe(flow.clone()).await.unwrap();
    subscribed(gateway, gateway.new_inbox()).await;
    let answer = async {
        let question = questions.next().await.unwrap();
        let reply = question.reply.unwrap();
        gateway.publish(reply, "a flow".into()).await.unwrap();
    };
    let (reply, ()) = tokio::join!(sw1.request(flow, "which?".into()), answer);
    assert_eq!(&reply.unwrap().payload[..], b"a flow");
    sw1.publish(heartbeat, "alive".into()).await.unwrap();
    timeout(PATIENCE, heartbeats.next()).await.unwrap().unwrap();
}

/// Each of these says what a switch that was taken over would like to do.
fn forbidden_to_publish(call: &CallUuid) -> Vec<String> {
    let (own, other) = (node("sw1"), node("sw2"));
    let tenant = TenantId::parse("tenant_id", "acme").unwrap();
    let stream = subject::event_stream(&cluster());
    vec![
        // Dial, ask and end calls, on another switch and on itself.
        subject::dial(&cluster(), &other, call),
        subject::dial(&cluster(), &own, call),
        subject::query(&cluster(), &other, call),
        subject::held(&cluster(), &other, call),
        subject::switch_request(&cluster(), &other),
        // Speak for another.
        subject::switch_heartbeat(&cluster(), &other),
        subject::events(&cluster(), &other, &tenant, call),
        // The subject events had before they named their switch.
        format!("ira.events.{tenant}.{call}"),
        // Answer what it was not asked.
        "_INBOX.guessed.1".to_owned(),
        format!("{}.guessed.1", subject::switch_inbox(&cluster(), &other)),
        // Read, purge or delete the stream, make a consumer, acknowledge.
        "$JS.API.INFO".to_owned(),
        format!("$JS.API.STREAM.INFO.{stream}"),
        format!("$JS.API.STREAM.MSG.GET.{stream}"),
        format!("$JS.API.DIRECT.GET.{stream}"),
        format!("$JS.API.STREAM.PURGE.{stream}"),
        format!("$JS.API.STREAM.DELETE.{stream}"),
        format!("$JS.API.CONSUMER.CREATE.{stream}"),
        format!("$JS.API.CONSUMER.DURABLE.CREATE.{stream}.mine"),
        format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.collector"),
        format!("$JS.ACK.{stream}.collector.1.1.1.1.0"),
        "$SYS.REQ.SERVER.PING".to_owned(),
        "anything".to_owned(),
    ]
}

fn forbidden_to_subscribe(sw2: &Client) -> Vec<String> {
    vec![
        "ira.dialer.sw2.>".to_owned(),
        "ira.dialer.sw2.request".to_owned(),
        "ira.dialer.*.request".to_owned(),
        "ira.dialer.>".to_owned(),
        "ira.>".to_owned(),
        ">".to_owned(),
        "ira.events.>".to_owned(),
        "ira.events.sw1.>".to_owned(),
        "ira.heartbeat.switch.*".to_owned(),
        "ira.heartbeat.switch.sw2".to_owned(),
        "ira.collector.confirm".to_owned(),
        "ira.router.flow".to_owned(),
        "_INBOX.>".to_owned(),
        "ira.inbox.>".to_owned(),
        sw2.new_inbox(),
        "$JS.>".to_owned(),
        "$SYS.>".to_owned(),
    ]
}

/// The server says that it refuses this, and names the subject.
async fn expect_refusal(refusals: &mut UnboundedReceiver<String>, what: &str, subject: &str) {
    let told = timeout(PATIENCE, refusals.recv()).await;
    let told = told.unwrap_or_else(|_| panic!("{what} {subject} was not refused"));
    let expected = format!("Permissions Violation for {what} to \"{subject}\"");
    assert_eq!(told.unwrap(), expected);
}
