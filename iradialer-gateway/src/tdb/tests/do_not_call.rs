//! The do-not-call list: filled by what switches report, asked before a call is accepted and before it is
//! given to a switch.

use super::stored;
use crate::tdb::test_support::*;
use crate::tdb::*;
use iradialer_core::call::CallState;
use iradialer_core::flow::DncScope;
use iradialer_core::value::{CampaignName, DialNumber, TenantId};
use iradialer_core::wire::EventBody;

const NUMBER: &str = "+15005550006";

fn opted_out(scope: DncScope) -> EventBody {
    EventBody::OptedOut {
        node: "stop".to_owned(),
        scope,
        number: NUMBER.to_owned(),
    }
}

/// Has the person of a call opt out, in its third event, and returns the call.
async fn with_opted_out(tdb: &Tdb, scope: DncScope) -> Assignment {
    let try1 = assignment(queued(tdb).await, 1);
    assert!(
        tdb.assign(REGION, try1.clone(), NOW)
            .await
            .unwrap()
            .is_yes()
    );
    for (seq, body) in (1..).zip([started(), answered(), opted_out(scope)]) {
        let applied = stored(tdb, event(&try1, seq, body)).await;
        assert!(
            matches!(applied, Applied::Stored { ended: false, .. }),
            "{applied:?}"
        );
    }
    try1
}

async fn scope_of(tdb: &Tdb, tenant: &str, campaign: &str, number: &str) -> Option<DncScope> {
    let tenant = TenantId::parse("tenant_id", tenant).unwrap();
    let campaign = CampaignName::parse("campaign_name", campaign).unwrap();
    let number = DialNumber::parse("to_number", number).unwrap();
    let listed = tdb
        .do_not_call(&tenant, Some(&campaign), &number)
        .await
        .unwrap();
    listed.map(|listed| listed.scope)
}

#[tokio::test]
async fn whoever_opts_out_of_a_campaign_is_called_by_others() {
    let (tdb, _dir) = open().await;
    let call = with_opted_out(&tdb, DncScope::Campaign).await;
    let own = Some(DncScope::Campaign);
    assert_eq!(scope_of(&tdb, "acme", "reminders", NUMBER).await, own);
    assert_eq!(
        scope_of(&tdb, "acme", "reminders", "15005550006").await,
        own
    );
    assert_eq!(scope_of(&tdb, "acme", "surveys", NUMBER).await, None);
    assert_eq!(
        scope_of(&tdb, "acme", "reminders", "+15005550007").await,
        None
    );
    // The same event once more changes nothing.
    let again = event(&call, 3, opted_out(DncScope::Campaign));
    assert_eq!(stored(&tdb, again).await, Applied::Duplicate);
}

#[tokio::test]
async fn whoever_opts_out_of_all_is_called_by_another_tenant_only() {
    let (tdb, _dir) = open().await;
    let call = with_opted_out(&tdb, DncScope::Tenant).await;
    let all = Some(DncScope::Tenant);
    assert_eq!(scope_of(&tdb, "acme", "reminders", NUMBER).await, all);
    assert_eq!(scope_of(&tdb, "acme", "surveys", NUMBER).await, all);
    assert_eq!(scope_of(&tdb, "other", "reminders", NUMBER).await, None);
    let called = tdb.call(&tenant(), call.call_uuid).await.unwrap().unwrap();
    let listed = tdb.do_not_call_of(&called).await.unwrap().unwrap();
    assert_eq!(
        (listed.reason.as_str(), listed.added_ms, listed.call_uuid),
        ("opted_out", NOW + 3_000, Some(call.call_uuid)),
        "when it was said, and in which call"
    );
}

#[tokio::test]
async fn a_queued_call_ends_before_it_is_given_to_a_switch() {
    let (tdb, _dir) = open().await;
    let waiting = queued(&tdb).await;
    with_opted_out(&tdb, DncScope::Tenant).await;
    let try1 = assignment(waiting, 1);
    let elsewhere = tdb.assign("elsewhere", try1.clone(), NOW).await.unwrap();
    assert_eq!(
        elsewhere,
        Assigned::No,
        "whoever does not lead ends nothing"
    );
    let assigned = tdb.assign(REGION, try1.clone(), NOW).await.unwrap();
    assert_eq!(assigned, Assigned::DoNotCall);
    assert_eq!(tdb.assign(REGION, try1, NOW).await.unwrap(), Assigned::No);

    let call = tdb.call(&tenant(), waiting).await.unwrap().unwrap();
    assert_eq!((call.state, &call.trunk), (CallState::Rejected, &None));
    let events = tdb.events(waiting, 0, 10).await.unwrap();
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["queued", "rejected"]);
    assert!(events[1].is_final);
    assert_eq!(tdb.attempts(waiting).await.unwrap(), [], "no switch had it");
    let decisions = tdb.decisions(waiting).await.unwrap();
    assert_eq!(decisions.len(), 1);
    assert_eq!(decisions[0].what, "do_not_call");
    assert_eq!(decisions[0].data["scope"], "tenant");
}
