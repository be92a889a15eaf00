//! `/metrics`, as Prometheus asks for it.

use crate::gateway::{CONFIG, Site};
use serde_json::json;

/// The value of a series, as it is written.
fn value<'t>(text: &'t str, series: &str) -> Option<&'t str> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_for_those_of_the_cluster() {
    let site = Site::new(CONFIG);
    let tenant = site.token("acme").await;
    let made = site
        .run(&["token", "create", "--tenant", "acme", "--role", "operator"])
        .await;
    let operator = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let gateway = site.start().await;
    let refused = gateway.get(&tenant, "/metrics").await;
    assert_eq!(refused.status, 403, "{refused:?}");

    let call = json!({"campaign_name": "reminders", "to_number": "+15005550006"});
    gateway.make_call(&tenant, &call).await;
    let request = gateway.client.get(format!("{}/metrics", gateway.url));
    let answer = request.bearer_auth(&operator).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = answer.text().await.unwrap();
    for (series, expected) in [
        ("iradialer_calls_queued", "1.0"),
        ("iradialer_bus_up", "1.0"),
        ("iradialer_trunk_calls_max{trunk=\"chime\"}", "100.0"),
        ("iradialer_trunk_rate{trunk=\"chime\"}", "100.0"),
        ("iradialer_trunk_open{trunk=\"chime\"}", "1.0"),
        ("iradialer_webhooks_waiting", "0.0"),
        ("iradialer_http_requests_total{status=\"2xx\"}", "1"),
        ("iradialer_http_requests_total{status=\"4xx\"}", "1"),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}
