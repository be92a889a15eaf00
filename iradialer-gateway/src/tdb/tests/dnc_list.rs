//! The do-not-call list as its owner sees it.

use crate::tdb::test_support::*;
use crate::tdb::{DncFilter, DncSource, NewDnc, Tdb};
use iradialer_core::value::{CampaignName, DialNumber, TenantId};

fn number(text: &str) -> DialNumber {
    DialNumber::parse("number", text).unwrap()
}

fn entry(text: &str, campaign: Option<&str>) -> NewDnc {
    NewDnc {
        number: number(text),
        campaign_name: campaign.map(|name| CampaignName::parse("campaign", name).unwrap()),
        reason: "asked by post".to_owned(),
        source: DncSource::Api,
        added_ms: NOW,
    }
}

/// So many numbers, in order.
fn many(count: u32) -> Vec<NewDnc> {
    let number = |n: u32| entry(&format!("+1500555{n:04}"), None);
    (0..count).map(number).collect()
}

async fn listed(tdb: &Tdb, filter: &DncFilter) -> Vec<(String, Option<String>)> {
    let entries = tdb.dnc_entries(&tenant(), filter).await.unwrap();
    let shown = entries.into_iter();
    shown
        .map(|entry| (entry.number, entry.campaign_name.map(String::from)))
        .collect()
}

fn all() -> DncFilter {
    DncFilter {
        limit: 1_000,
        ..DncFilter::default()
    }
}

#[tokio::test]
async fn numbers_are_added_once_and_removed_in_bulk() {
    let (tdb, _dir) = open().await;
    for count in [1, 2, 100, 101, 250] {
        let added = tdb
            .add_dnc(&tenant(), many(count), author(), NOW)
            .await
            .unwrap();
        let removed = || many(count).into_iter().map(|entry| entry.number).collect();
        assert_eq!(added, u64::from(count));
        assert_eq!(
            tdb.add_dnc(&tenant(), many(count), author(), NOW)
                .await
                .unwrap(),
            0
        );
        assert_eq!(listed(&tdb, &all()).await.len(), count as usize);
        let taken = tdb
            .remove_dnc(&tenant(), None, removed(), author(), NOW)
            .await
            .unwrap();
        assert_eq!(taken, u64::from(count));
        let taken = tdb
            .remove_dnc(&tenant(), None, removed(), author(), NOW)
            .await
            .unwrap();
        assert_eq!((taken, listed(&tdb, &all()).await.len()), (0, 0));
    }
    assert_eq!(
        tdb.add_dnc(&tenant(), Vec::new(), author(), NOW)
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn an_entry_keeps_what_it_was_first_listed_for() {
    let (tdb, _dir) = open().await;
    let entries = vec![entry("+15005550006", None)];
    tdb.add_dnc(&tenant(), entries, author(), NOW)
        .await
        .unwrap();
    let again = NewDnc {
        number: number("15005550006"),
        reason: "another".to_owned(),
        source: DncSource::Import,
        added_ms: NOW + 1,
        ..entry("+15005550006", None)
    };
    assert_eq!(
        tdb.add_dnc(&tenant(), vec![again], author(), NOW)
            .await
            .unwrap(),
        0
    );
    let kept = tdb.dnc_entries(&tenant(), &all()).await.unwrap();
    assert_eq!(kept[0].reason, "asked by post");
    assert_eq!((kept[0].source, kept[0].added_ms), (DncSource::Api, NOW));
    let called = tdb
        .do_not_call(&tenant(), Some(&campaign()), &number("+15005550006"))
        .await;
    assert_eq!(called.unwrap().unwrap().reason, "asked by post");
}

#[tokio::test]
async fn a_list_is_read_by_number_campaign_and_page() {
    let (tdb, _dir) = open().await;
    let surveys = Some("surveys");
    let entries = vec![
        entry("+15005550007", surveys),
        entry("+15005550006", None),
        entry("+15005550006", surveys),
        entry("+15005550006", Some("reminders")),
    ];
    assert_eq!(
        tdb.add_dnc(&tenant(), entries, author(), NOW)
            .await
            .unwrap(),
        4
    );
    let of =
        |number: &str, campaign: Option<&str>| (number.to_owned(), campaign.map(str::to_owned));
    let expected = [
        of("15005550006", None),
        of("15005550006", Some("reminders")),
        of("15005550006", surveys),
        of("15005550007", surveys),
    ];
    assert_eq!(listed(&tdb, &all()).await, expected);
    for (index, entry) in expected.iter().enumerate() {
        let page = DncFilter {
            after: match index {
                0 => Default::default(),
                _ => {
                    let (number, campaign) = expected[index - 1].clone();
                    (number, campaign.unwrap_or_default())
                }
            },
            limit: 1,
            ..DncFilter::default()
        };
        assert_eq!(listed(&tdb, &page).await, std::slice::from_ref(entry));
    }
    let by_campaign = DncFilter {
        campaign_name: Some(CampaignName::parse("campaign", "surveys").unwrap()),
        ..all()
    };
    assert_eq!(listed(&tdb, &by_campaign).await, expected[2..]);
    let by_number = DncFilter {
        number: Some(number("+15005550006")),
        ..all()
    };
    assert_eq!(listed(&tdb, &by_number).await, expected[..3]);
    let by_both = DncFilter {
        campaign_name: by_campaign.campaign_name.clone(),
        ..by_number
    };
    assert_eq!(listed(&tdb, &by_both).await, expected[2..3]);
    // What is taken off one list stays on the others.
    let surveys = by_campaign.campaign_name.as_ref();
    let numbers = vec![number("+15005550006")];
    let taken = tdb
        .remove_dnc(&tenant(), surveys, numbers, author(), NOW)
        .await;
    assert_eq!(taken.unwrap(), 1);
    assert_eq!(listed(&tdb, &all()).await.len(), 3);
}

#[tokio::test]
async fn another_tenants_list_is_out_of_reach() {
    let (tdb, _dir) = open().await;
    let other = TenantId::parse("tenant_id", "other").unwrap();
    tdb.add_dnc(&tenant(), many(3), author(), NOW)
        .await
        .unwrap();
    let seen = tdb.dnc_entries(&other, &all()).await.unwrap();
    assert_eq!(seen, []);
    let numbers = many(3).into_iter().map(|entry| entry.number).collect();
    assert_eq!(
        tdb.remove_dnc(&other, None, numbers, author(), NOW)
            .await
            .unwrap(),
        0
    );
    assert_eq!(listed(&tdb, &all()).await.len(), 3);
}
