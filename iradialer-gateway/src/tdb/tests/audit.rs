//! The audit log: each change has its entry, and what changes nothing has none.

use crate::tdb::test_support::*;
use crate::tdb::*;
use iradialer_core::value::{CallUuid, DialNumber, FlowHash, FlowName, TenantId};
use serde_json::json;

fn document(text: &str) -> FlowDocument {
    FlowDocument {
        hash: FlowHash::of(text),
        text: text.into(),
    }
}

async fn all(tdb: &Tdb, filter: AuditFilter) -> Vec<AuditEntry> {
    let filter = AuditFilter {
        limit: filter.limit.max(1),
        ..filter
    };
    tdb.audit(&filter).await.unwrap()
}

#[tokio::test]
async fn each_change_of_a_flow_tells_what_was_and_what_is() {
    let (tdb, _dir) = open().await;
    let acme = tenant();
    let hello = FlowName::parse("name", "hello").unwrap();
    let (one, two) = (document("{\"a\":1}"), document("{\"a\":2}"));
    for (put, at_ms) in [(&one, NOW), (&one, NOW + 1), (&two, NOW + 2)] {
        let put = tdb.put_flow(&acme, &hello, put.clone(), author(), at_ms);
        put.await.unwrap();
    }
    for at_ms in [NOW + 3, NOW + 4] {
        let deleted = tdb.delete_flow(&acme, &hello, author(), at_ms);
        deleted.await.unwrap();
    }
    let filter = AuditFilter {
        limit: 10,
        ..AuditFilter::default()
    };
    let entries = all(&tdb, filter).await;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            assert_eq!((&entry.author, &entry.tenant_id), (&author(), &acme));
            assert_eq!(entry.subject, "hello");
            let (was, became) = (entry.was.clone(), entry.became.clone());
            (entry.action.as_str(), entry.at_ms - NOW, was, became)
        })
        .collect();
    let first = Some(json!({"version": 1, "hash": one.hash}));
    let second = Some(json!({"version": 2, "hash": two.hash}));
    let expected = [
        ("flow.delete", 3, second.clone(), None),
        ("flow.put", 2, first.clone(), second),
        ("flow.put", 0, None, first),
    ];
    assert_eq!(
        told, expected,
        "the same again, and what is not there, are no changes"
    );
}

#[tokio::test]
async fn tokens_are_logged_without_what_is_secret_and_the_log_goes_on_where_it_stopped() {
    let (tdb, _dir) = open().await;
    let other = TenantId::parse("t", "other").unwrap();
    let mut secrets = Vec::new();
    for (whose, at_ms) in [
        (tenant(), NOW),
        (other.clone(), NOW + 1),
        (tenant(), NOW + 2),
    ] {
        let spec = TokenSpec::of_tenant(whose, "ci");
        let (token, info) = tdb.create_token(spec, author(), at_ms).await.unwrap();
        secrets.push(hash_token(&token));
        secrets.push(token);
        let revoked = tdb.revoke_token(&info.token_id, author(), at_ms);
        assert!(revoked.await.unwrap());
        let again = tdb.revoke_token(&info.token_id, author(), at_ms);
        assert!(!again.await.unwrap());
    }
    let mut filter = AuditFilter {
        limit: 4,
        ..AuditFilter::default()
    };
    let mut entries = all(&tdb, filter.clone()).await;
    let last = entries.last().unwrap();
    filter.before = Some(CallUuid::parse("cursor", &last.audit_id).unwrap());
    entries.extend(all(&tdb, filter).await);
    let actions: Vec<_> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["token.revoke", "token.create"].repeat(3));
    assert_eq!(entries[0].was, entries[1].became);
    assert_eq!(entries[1].became.as_ref().unwrap()["role"], "tenant");
    let shown = format!("{entries:?}");
    assert!(secrets.iter().all(|secret| !shown.contains(secret)));

    let of_other = AuditFilter {
        tenant_id: Some(other.clone()),
        limit: 10,
        ..AuditFilter::default()
    };
    let theirs = all(&tdb, of_other.clone()).await;
    assert_eq!(theirs.len(), 2);
    assert!(theirs.iter().all(|entry| entry.tenant_id == other));
    let later = AuditFilter {
        from_ms: Some(NOW + 2),
        ..of_other
    };
    assert!(all(&tdb, later).await.is_empty());
}

#[tokio::test]
async fn numbers_that_are_listed_and_no_longer_listed_are_named() {
    let (tdb, _dir) = open().await;
    let acme = tenant();
    let number = DialNumber::parse("number", "+15005550199").unwrap();
    let entry = NewDnc {
        number: number.clone(),
        campaign_name: None,
        reason: "asked".to_owned(),
        source: DncSource::Api,
        added_ms: NOW,
    };
    for added in [1, 0] {
        let entries = vec![entry.clone()];
        let done = tdb.add_dnc(&acme, entries, author(), NOW);
        assert_eq!(done.await.unwrap(), added);
    }
    for removed in [1, 0] {
        let numbers = vec![number.clone()];
        let done = tdb.remove_dnc(&acme, None, numbers, author(), NOW);
        assert_eq!(done.await.unwrap(), removed);
    }
    let filter = AuditFilter {
        limit: 10,
        ..AuditFilter::default()
    };
    let entries = all(&tdb, filter).await;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.action.as_str(), &entry.was, &entry.became))
        .collect();
    let named = Some(json!({
        "asked": 1, "count": 1,
        "numbers": [{"number": "15005550199", "campaign_name": null}],
    }));
    assert_eq!(
        told,
        [("dnc.remove", &named, &None), ("dnc.add", &None, &named)]
    );
}
