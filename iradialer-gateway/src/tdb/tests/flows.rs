//! Stored flows and their documents.

use crate::tdb::test_support::*;
use crate::tdb::*;
use iradialer_core::value::{FlowHash, FlowName, TenantId};

const DAY_MS: u64 = 24 * 3_600_000;

fn name(text: &str) -> FlowName {
    FlowName::parse("name", text).unwrap()
}

fn document(text: &str) -> FlowDocument {
    FlowDocument {
        hash: FlowHash::of(text),
        text: text.into(),
    }
}

#[tokio::test]
async fn what_differs_is_a_new_version() {
    let (tdb, _dir) = open().await;
    let acme = tenant();
    let hello = name("hello");
    let put = async |text, now_ms| {
        let put = tdb.put_flow(&acme, &hello, document(text), author(), now_ms);
        let (stored, is_new) = put.await.unwrap();
        assert_eq!(stored.hash, FlowHash::of(text));
        (stored.version, stored.created_ms, is_new)
    };
    assert_eq!(put("{}", NOW).await, (1, NOW, true));
    assert_eq!(put("{}", NOW + 1).await, (1, NOW, false));
    assert_eq!(put("{1}", NOW + 2).await, (2, NOW + 2, true));
    assert_eq!(
        put("{}", NOW + 3).await,
        (3, NOW + 3, true),
        "what it was before"
    );

    let flow = async |version| tdb.flow(&acme, &hello, version).await.unwrap();
    assert_eq!(flow(None).await.unwrap().version, 3);
    assert_eq!(flow(Some(2)).await.unwrap().hash, FlowHash::of("{1}"));
    assert_eq!(flow(Some(4)).await, None);
    let found = tdb.flow_document(&acme, &FlowHash::of("{1}")).await;
    assert_eq!(found.unwrap(), Some(document("{1}")));
}

#[tokio::test]
async fn a_tenant_sees_its_own_only() {
    let (tdb, _dir) = open().await;
    let acme = tenant();
    let other = TenantId::parse("tenant_id", "other").unwrap();
    for (whose, flow, text) in [
        (&acme, "b", "{1}"),
        (&acme, "a", "{2}"),
        (&acme, "a", "{3}"),
        (&other, "c", "{4}"),
    ] {
        let flow = name(flow);
        let put = tdb.put_flow(whose, &flow, document(text), author(), NOW);
        assert!(put.await.unwrap().1);
    }
    let listed = async |whose, after, limit| -> Vec<(String, u32)> {
        let flows = tdb.flows(whose, after, limit).await.unwrap().into_iter();
        flows
            .map(|flow| (flow.name.to_string(), flow.version))
            .collect()
    };
    let own = [("a".to_owned(), 2), ("b".to_owned(), 1)];
    assert_eq!(listed(&acme, "", 10).await, own);
    assert_eq!(listed(&acme, "", 1).await, own[..1]);
    assert_eq!(listed(&acme, "a", 10).await, own[1..]);
    assert_eq!(listed(&other, "", 10).await, [("c".to_owned(), 1)]);
    assert_eq!(tdb.flow(&other, &name("a"), None).await.unwrap(), None);
    let foreign = tdb.flow_document(&other, &FlowHash::of("{1}")).await;
    assert_eq!(foreign.unwrap(), None);
    assert!(
        !tdb.delete_flow(&other, &name("a"), author(), NOW)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_deleted_flow_keeps_its_numbers_and_its_documents_for_a_while() {
    let (tdb, _dir) = open().await;
    let acme = tenant();
    let hello = name("hello");
    let put = async |text| {
        let put = tdb.put_flow(&acme, &hello, document(text), author(), NOW);
        put.await.unwrap().0.version
    };
    assert_eq!(put("{}").await, 1);
    let later = NOW + 200 * DAY_MS;
    assert_eq!(
        tdb.forget_documents(later, 10).await.unwrap(),
        0,
        "it is of a version"
    );
    assert!(
        tdb.delete_flow(&acme, &hello, author(), later)
            .await
            .unwrap()
    );
    assert!(
        !tdb.delete_flow(&acme, &hello, author(), later)
            .await
            .unwrap()
    );
    assert_eq!(tdb.flow(&acme, &hello, None).await.unwrap(), None);
    assert_eq!(tdb.flow(&acme, &hello, Some(1)).await.unwrap(), None);
    assert_eq!(tdb.flows(&acme, "", 10).await.unwrap(), []);

    // A call that was accepted just before it was deleted may be queued still.
    assert_eq!(tdb.forget_documents(later, 10).await.unwrap(), 0);
    let hash = FlowHash::of("{}");
    let document = async || tdb.flow_document(&acme, &hash).await.unwrap();
    assert!(document().await.is_some());
    assert_eq!(tdb.forget_documents(later + 1, 10).await.unwrap(), 1);
    assert_eq!(document().await, None);
    assert_eq!(put("{}").await, 2);
}

#[tokio::test]
async fn a_document_lives_from_its_last_use_on() {
    let (tdb, _dir) = open().await;
    let acme = tenant();
    let keep = async |now_ms| {
        let documents = vec![document("{}"), document("{1}")];
        tdb.keep_documents(&acme, documents, now_ms).await.unwrap();
    };
    keep(NOW).await;
    keep(NOW + DAY_MS).await;
    assert_eq!(tdb.forget_documents(NOW + DAY_MS, 10).await.unwrap(), 0);
    // Noted once a day.
    keep(NOW + DAY_MS + 1).await;
    assert_eq!(tdb.forget_documents(NOW + DAY_MS + 1, 1).await.unwrap(), 1);
    assert_eq!(tdb.forget_documents(NOW + DAY_MS + 1, 1).await.unwrap(), 1);
    assert_eq!(tdb.forget_documents(NOW + DAY_MS + 1, 1).await.unwrap(), 0);
}
