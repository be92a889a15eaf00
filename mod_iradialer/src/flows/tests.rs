//! Flows from a gateway that answers as it is told.

use super::*;
use iradialer_core::value::FlowName;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Gives the documents it has, and counts how often it is asked.
#[derive(Default)]
struct Gateway {
    documents: Mutex<HashMap<FlowHash, String>>,
    /// How many questions go unanswered first.
    deaf: AtomicUsize,
    asked: AtomicUsize,
}

impl Source for Gateway {
    fn ask(&self, query: FlowQuery) -> BoxFuture<'static, Result<FlowReply, String>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let deaf = self
            .deaf
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if deaf.is_ok() {
            return futures::future::ready(Err("no responders".to_owned())).boxed();
        }
        let FlowOf::Hash { hash, .. } = query.of else {
            panic!("{query:?}")
        };
        let reply = match self.documents.lock().get(&hash) {
            Some(document) => FlowReply::Document(document.clone()),
            None => FlowReply::Unknown(format!("acme has no flow {hash}")),
        };
        async {
            // Others ask meanwhile.
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(reply)
        }
        .boxed()
    }
}

struct Bench {
    flows: Arc<Flows>,
    gateway: Arc<Gateway>,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new() -> Self {
        let runtime = crate::link::runtime().unwrap();
        let flows = Flows::new(runtime.handle().clone(), false);
        let gateway = Arc::new(Gateway::default());
        flows.get_from(gateway.clone());
        Bench {
            flows,
            gateway,
            runtime,
        }
    }

    /// Stores a document, and says how a call names it.
    fn stored(&self, name: &str, document: &Value) -> FlowRef {
        let text = FlowHash::canonical(document);
        let hash = FlowHash::of(&text);
        self.gateway.documents.lock().insert(hash.clone(), text);
        FlowRef {
            name: FlowName::parse("name", name).unwrap(),
            version: Some(1),
            hash,
            others: BTreeMap::new(),
        }
    }

    fn get(&self, named: &FlowRef) -> Result<CallFlows, NoFlow> {
        self.runtime.block_on(self.flows.get(&tenant(), named))
    }

    fn asked(&self) -> usize {
        self.gateway.asked.load(Ordering::SeqCst)
    }
}

fn tenant() -> TenantId {
    TenantId::parse("tenant_id", "acme").unwrap()
}

fn plays(name: &str, file: &str) -> Value {
    json!({"version": 1, "name": name, "start": "a",
        "nodes": {"a": {"play": [{"file": file}], "next": "@hangup"}}})
}

#[test]
fn a_flow_is_asked_for_once_by_however_many_calls() {
    let bench = Bench::new();
    let hello = bench.stored("hello", &plays("hello", "hello.wav"));
    let tenant = tenant();
    let many = (0..50).map(|_| bench.flows.get(&tenant, &hello));
    let all = bench.runtime.block_on(futures::future::join_all(many));
    for flows in all {
        assert_eq!(flows.unwrap().first.unwrap().name, "hello");
    }
    assert_eq!(bench.asked(), 1);
    bench.get(&hello).unwrap();
    assert_eq!(bench.asked(), 1);
    assert_eq!(bench.flows.held().0, 1);
}

#[test]
fn where_it_leads_comes_along() {
    let bench = Bench::new();
    let bye = bench.stored("bye", &plays("bye", "bye.wav"));
    let mut hello = bench.stored("hello", &plays("hello", "hello.wav"));
    hello.others.insert(bye.name, bye.hash);
    let flows = bench.get(&hello).unwrap();
    assert_eq!(flows.others["bye"].name, "bye");
    assert_eq!((bench.asked(), bench.flows.held().0), (2, 2));
}

#[test]
fn a_gateway_that_is_away_for_a_moment_is_asked_again() {
    let bench = Bench::new();
    let hello = bench.stored("hello", &plays("hello", "hello.wav"));
    bench.gateway.deaf.store(2, Ordering::SeqCst);
    bench.get(&hello).unwrap();
    assert_eq!(bench.asked(), 3);
}

#[test]
fn a_gateway_that_stays_away_is_named_and_asked_by_the_next_call() {
    let bench = Bench::new();
    let hello = bench.stored("hello", &plays("hello", "hello.wav"));
    bench.gateway.deaf.store(TRIES as usize, Ordering::SeqCst);
    let error = bench.get(&hello).unwrap_err();
    let expected = NoFlow::Unanswered("hello".to_owned(), "no responders".to_owned());
    assert_eq!(error, expected);
    bench.get(&hello).unwrap();
}

#[test]
fn what_can_not_be_run_is_refused_with_why() {
    let bench = Bench::new();
    let mut unknown = bench.stored("hello", &plays("hello", "hello.wav"));
    unknown.hash = FlowHash::of("another");
    let error = bench.get(&unknown).unwrap_err().to_string();
    assert!(error.starts_with("flow hello: acme has no flow"), "{error}");

    // A document that is not what its hash says.
    let text = FlowHash::canonical(&plays("hello", "other.wav"));
    let documents = &bench.gateway.documents;
    documents.lock().insert(unknown.hash.clone(), text);
    let error = bench.get(&unknown).unwrap_err().to_string();
    assert!(error.contains("the document that came is not"), "{error}");

    let mut broken = plays("hello", "hello.wav");
    broken["nodes"]["a"]["next"] = json!("nowhere");
    let broken = bench.stored("hello", &broken);
    let error = bench.get(&broken).unwrap_err().to_string();
    assert!(
        error.starts_with("flow hello: error at nodes.a.next:"),
        "{error}"
    );
    assert_eq!(bench.flows.held().0, 0);
}

#[test]
fn the_oldest_makes_room() {
    let mut memory = Memory::new(250);
    let flow: Arc<Flow> = Arc::new(serde_json::from_value(plays("a", "a.wav")).unwrap());
    let hashes: Vec<FlowHash> = (0..3).map(|n| FlowHash::of(&n.to_string())).collect();
    memory.insert(&hashes[0], &flow, 100);
    memory.insert(&hashes[1], &flow, 100);
    assert!(memory.find(&hashes[0]).is_some());
    memory.insert(&hashes[2], &flow, 100);
    assert_eq!(memory.held(), (2, 200));
    assert!(memory.find(&hashes[1]).is_none());
    // One that is too large by itself is held until the next comes.
    memory.insert(&hashes[1], &flow, 300);
    assert_eq!(memory.held(), (1, 300));
    memory.insert(&hashes[0], &flow, 100);
    assert_eq!(memory.held(), (1, 100));
}

#[test]
fn an_operators_flow_brings_along_where_it_leads() {
    let (bench, dir) = (Bench::new(), tempfile::tempdir().unwrap());
    let write = |name: &str, flow: &Value| {
        std::fs::write(dir.path().join(format!("{name}.json")), flow.to_string()).unwrap();
    };
    let named = |name| FlowName::parse("flow", name).unwrap();
    let leads_on = json!({"version": 1, "name": "hello", "start": "a",
        "nodes": {"a": {"goto": {"flow": "bye"}}}});
    write("hello", &leads_on);
    let error = bench.flows.of_folder(dir.path(), named("hello"));
    assert!(error.unwrap_err().starts_with("flow bye: "));
    write("bye", &plays("bye", "bye.wav"));
    let hello = bench.flows.of_folder(dir.path(), named("hello")).unwrap();
    let flows = bench.get(&hello).unwrap();
    assert_eq!(flows.first.unwrap().name, "hello");
    assert_eq!(flows.others["bye"].name, "bye");
    assert_eq!(bench.asked(), 0);
}
