//! What the API asks of the TDB.

use crate::access::{Scopes, TokenRole};
use crate::tdb::test_support::*;
use crate::tdb::*;
use iradialer_core::call::CallState;
use iradialer_core::value::TenantId;

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    let (tdb, _dir) = open().await;
    let keyed = |hash: &str| NewCall {
        idempotency_key: Some("order-7".to_owned()),
        body_hash: hash.to_owned(),
        ..new_call()
    };
    let first = keyed("a");
    assert_eq!(tdb.accept(first.clone()).await.unwrap(), Accepted::New);
    assert_eq!(
        tdb.accept(keyed("a")).await.unwrap(),
        Accepted::Replay(first.answer.clone())
    );
    assert_eq!(
        tdb.accept(keyed("b")).await.unwrap(),
        Accepted::Conflict("idempotency_key")
    );
    let stranger = NewCall {
        tenant_id: TenantId::parse("t", "other").unwrap(),
        ..keyed("b")
    };
    assert_eq!(
        tdb.accept(stranger).await.unwrap(),
        Accepted::New,
        "keys are per tenant"
    );

    let same_uuid = NewCall {
        call_uuid: first.call_uuid,
        body_hash: "z".into(),
        ..new_call()
    };
    assert_eq!(
        tdb.accept(same_uuid).await.unwrap(),
        Accepted::Conflict("call_uuid")
    );
}

#[tokio::test]
async fn many_at_once_are_accepted_together_and_a_failed_one_takes_none_with_it() {
    let (tdb, _dir) = open().await;
    let accepts = (0..200).map(|_| {
        let tdb = tdb.clone();
        tokio::spawn(async move { tdb.accept(new_call()).await.unwrap() })
    });
    let half_done = |tdb: Tdb| async move {
        let failing = tdb.writer.write(|connection| {
            Box::pin(async move {
                let half = "UPDATE calls SET state = 'completed'";
                sqlx::query(half).execute(&mut *connection).await?;
                sqlx::query("INSERT INTO nowhere VALUES (1)")
                    .execute(connection)
                    .await?;
                Ok(())
            })
        });
        failing.await
    };
    let panicking = |tdb: Tdb| async move {
        let broken = tdb
            .writer
            .write(|_| Box::pin(async { panic!("a fault of one write") }));
        let result: Result<(), TdbError> = broken.await;
        result
    };
    let (accepted, failed, broken) = tokio::join!(
        futures::future::join_all(accepts),
        half_done(tdb.clone()),
        panicking(tdb.clone())
    );
    assert!(matches!(failed, Err(TdbError::Sql(_))), "{failed:?}");
    assert!(matches!(broken, Err(TdbError::Stopped)), "{broken:?}");
    assert!(
        accepted
            .into_iter()
            .all(|accepted| accepted.unwrap() == Accepted::New)
    );
    assert_eq!(tdb.queue_length(1_000).await.unwrap(), 200);
    assert_eq!(tdb.queue_length(50).await.unwrap(), 50);
}

#[tokio::test]
async fn the_list_goes_on_where_it_stopped() {
    let (tdb, _dir) = open().await;
    for age in 0..5 {
        tdb.accept(NewCall {
            created_ms: NOW - age / 2,
            ..new_call()
        })
        .await
        .unwrap();
    }
    let mut filter = CallFilter {
        limit: 2,
        ..CallFilter::default()
    };
    let mut seen = std::collections::HashSet::new();
    loop {
        let page = tdb.calls(&tenant(), &filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.after = Some((last.created_ms, last.call_uuid));
        assert!(page.iter().all(|call| seen.insert(call.call_uuid)));
    }
    assert_eq!(seen.len(), 5);
    let none = CallFilter {
        state: Some(CallState::Busy),
        limit: 9,
        ..CallFilter::default()
    };
    assert!(tdb.calls(&tenant(), &none).await.unwrap().is_empty());
}

#[tokio::test]
async fn tokens_are_kept_as_hashes() {
    let (tdb, dir) = open().await;
    let spec = TokenSpec::of_tenant(tenant(), "ci");
    let (token, info) = tdb.create_token(spec, author(), NOW).await.unwrap();
    assert_eq!(token.len(), "ira_".len() + 43);
    assert_eq!(
        tdb.token(&hash_token(&token)).await.unwrap(),
        Some(info.clone())
    );
    assert_eq!(tdb.token(&hash_token("ira_guess")).await.unwrap(), None);
    let again = tdb.revoke_token(&info.token_id, author(), NOW + 1);
    assert!(again.await.unwrap());
    let again = tdb.revoke_token(&info.token_id, author(), NOW + 2);
    assert!(!again.await.unwrap());
    assert_eq!(tdb.tokens().await.unwrap()[0].revoked_ms, Some(NOW + 1));
    tdb.close().await;
    let mut connection = connected(&dir).await;
    let kept =
        sqlx::query("SELECT token_hash || token_id || tenant_id || name AS kept FROM tokens");
    let row = kept.fetch_one(&mut connection).await.unwrap();
    let kept: String = row::get(&row, "kept").unwrap();
    assert!(kept.contains("acme") && !kept.contains(&token), "{kept}");
    if let DatabaseUrl::File(file) = url_of(&dir) {
        let file = std::fs::read(file).unwrap();
        let mut parts = file.windows(token.len());
        assert!(!parts.any(|part| part == token.as_bytes()));
    }
}

#[tokio::test]
async fn tokens_of_before_there_were_roles_may_what_they_could() {
    let (tdb, dir) = open().await;
    let mut connection = connected(&dir).await;
    sqlx::raw_sql(
        "INSERT INTO tokens (token_hash, token_id, tenant_id, name, created_ms)
         VALUES ('hash', 'id', 'acme', 'old', 7)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let old = tdb.token("hash").await.unwrap().unwrap();
    assert_eq!(old.spec, TokenSpec::of_tenant(tenant(), "old"));
    assert!(!old.has_expired(u64::MAX));
}

#[tokio::test]
async fn a_token_is_read_as_it_was_made_and_its_last_use_never_goes_back() {
    let (tdb, _dir) = open().await;
    let spec = TokenSpec {
        role: TokenRole::ReadOnly,
        scopes: Scopes::parse("scopes", ["calls:read", "flows:write"]).unwrap(),
        expires_ms: Some(NOW + 5),
        requests_per_s: Some(0),
        burst: Some(7),
        ..TokenSpec::of_tenant(tenant(), "")
    };
    let (token, made) = tdb.create_token(spec.clone(), author(), NOW).await.unwrap();
    assert_eq!(made.spec, spec);
    assert!(!made.has_expired(NOW + 4) && made.has_expired(NOW + 5));
    let read = async || tdb.token(&hash_token(&token)).await.unwrap().unwrap();
    assert_eq!(read().await, made);
    for (used_ms, shown_ms) in [(NOW + 2, NOW + 2), (NOW + 1, NOW + 2), (NOW + 3, NOW + 3)] {
        tdb.touch_token(&made.token_id, used_ms).await.unwrap();
        assert_eq!(read().await.last_used_ms, Some(shown_ms));
    }
}

#[tokio::test]
async fn what_was_answered_survives_reopening_and_a_closed_database_says_so() {
    let (tdb, dir) = open().await;
    let call_uuid = queued(&tdb).await;
    tdb.close().await;
    assert!(matches!(
        tdb.accept(new_call()).await,
        Err(TdbError::Stopped)
    ));
    let tdb = Tdb::open(&url_of(&dir)).await.unwrap();
    tdb.check().await.unwrap();
    assert!(tdb.call(&tenant(), call_uuid).await.unwrap().is_some());
}

#[tokio::test]
async fn keys_are_forgotten_oldest_first_and_a_few_at_a_time() {
    let (tdb, _dir) = open().await;
    let mut calls = Vec::new();
    for age in 0..4 {
        let mut call = new_call();
        // What the clock shows is nothing to it.
        call.created_ms = NOW - age * 1_000_000;
        call.idempotency_key = Some(format!("key {age}"));
        assert_eq!(tdb.accept(call.clone()).await.unwrap(), Accepted::New);
        calls.push(call);
        if age < 3 {
            // Two gateways have seen it end.
            tdb.end_key_hour(age).await.unwrap();
            tdb.end_key_hour(age).await.unwrap();
        }
    }
    let known = async |at: usize| {
        let key = calls[at].idempotency_key.as_deref();
        let earlier = tdb.accepted_before(&tenant(), key, None, "hash").await;
        earlier.unwrap().is_some()
    };
    assert_eq!(tdb.key_hour().await.unwrap(), 3);
    assert_eq!(tdb.forget_keys(3, 2).await.unwrap(), 2);
    assert!(!known(0).await && !known(1).await, "the oldest two");
    assert!(known(2).await, "above the limit");
    assert_eq!(tdb.forget_keys(3, 2).await.unwrap(), 1);
    assert_eq!(tdb.forget_keys(3, 2).await.unwrap(), 0);
    assert!(known(3).await, "of the hour that has not ended");
}
