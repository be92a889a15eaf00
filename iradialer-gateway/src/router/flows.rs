//! Gives switches the flows they ask for: a document by its hash, and what a name or a called number stands
//! for. Every router of the cluster does, whether it leads or waits, for switches of every region.

use super::shared::Shared;
use crate::flows::{Flows, Unresolved};
use async_nats::Message;
use futures::StreamExt;
use iradialer_core::subject;
use iradialer_core::value::{CampaignName, DialNumber, FlowName, TenantId};
use iradialer_core::wire::{self, FlowOf, FlowQuery, FlowReply};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// One of the routers answers.
const QUEUE_GROUP: &str = "router.flow";
/// How long to wait before subscribing again.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How many questions are answered at once.
const AT_ONCE: usize = 16;

/// Answers until the router stops.
pub(super) async fn serve(shared: Arc<Shared>) {
    let app = &shared.app;
    let flows = Flows::new(app.tdb.clone(), Arc::clone(&app.config));
    tokio::select! {
        () = answer_for_ever(&shared, &flows) => {}
        () = shared.stop.cancelled() => {}
    }
}

async fn answer_for_ever(shared: &Shared, flows: &Flows) {
    let subject = subject::flow(&shared.app.config.cluster);
    loop {
        let group = QUEUE_GROUP.to_owned();
        match shared.client.queue_subscribe(subject.clone(), group).await {
            Ok(questions) => {
                let answer = async |question| answer(shared, flows, question).await;
                questions.for_each_concurrent(AT_ONCE, answer).await;
            }
            Err(error) => tracing::error!(%error, "switches can't be given flows"),
        }
        sleep(RETRY_DELAY).await;
    }
}

async fn answer(shared: &Shared, flows: &Flows, question: Message) {
    let Some(reply_to) = question.reply else {
        return;
    };
    let reply = match read(&question.payload) {
        Ok(of) => find(shared, flows, of).await,
        Err(error) => {
            tracing::error!(error, "a switch's question for a flow can't be read");
            Ok(FlowReply::Unknown(error))
        }
    };
    let reply = match reply {
        Ok(reply) => reply,
        // No answer: the switch asks again.
        Err(error) => {
            tracing::error!(%error, "a flow can't be read");
            return;
        }
    };
    let Ok(payload) = serde_json::to_vec(&reply) else {
        return;
    };
    if let Err(error) = shared.client.publish(reply_to, payload.into()).await {
        tracing::debug!(%error, "a switch could not be given a flow");
    }
}

fn read(payload: &[u8]) -> Result<FlowOf, String> {
    let query: FlowQuery = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    match query.v {
        wire::VERSION => Ok(query.of),
        other => Err(format!("v: expected {}, got {other}", wire::VERSION)),
    }
}

async fn find(shared: &Shared, flows: &Flows, of: FlowOf) -> Result<FlowReply, Unresolved> {
    match of {
        FlowOf::Hash { tenant_id, hash } => {
            let document = shared.app.tdb.flow_document(&tenant_id, &hash).await?;
            Ok(match document {
                Some(document) => FlowReply::Document(document.text.to_string()),
                None => FlowReply::Unknown(format!("{tenant_id} has no flow {hash}")),
            })
        }
        FlowOf::Name { tenant_id, name } => match tenant_id.or_else(|| only_tenant(shared)) {
            Some(tenant) => resolved(shared, flows, tenant, None, &name).await,
            None => Ok(FlowReply::Unknown(
                "tenant_id: expected one, as several tenants have campaigns".to_owned(),
            )),
        },
        FlowOf::Did { number } => called(shared, flows, &number).await,
    }
}

/// What a call to that number does.
async fn called(
    shared: &Shared,
    flows: &Flows,
    number: &DialNumber,
) -> Result<FlowReply, Unresolved> {
    let Some(did) = shared.app.config.did(number) else {
        let nobodys = format!("the number {number} is not among the [[dids]]");
        return Ok(FlowReply::Unknown(nobodys));
    };
    let (tenant, campaign) = (did.tenant_id.clone(), did.campaign_name.clone());
    resolved(shared, flows, tenant, Some(campaign), &did.flow).await
}

/// What a name stands for now. Its documents are stored before the switch hears of them.
async fn resolved(
    shared: &Shared,
    flows: &Flows,
    tenant_id: TenantId,
    campaign_name: Option<CampaignName>,
    name: &FlowName,
) -> Result<FlowReply, Unresolved> {
    let resolved = match flows.named(&tenant_id, name).await {
        Ok(resolved) => resolved,
        Err(Unresolved::Tdb(error)) => return Err(error.into()),
        Err(other) => return Ok(FlowReply::Unknown(other.to_string())),
    };
    let now_ms = shared.now_ms();
    let tdb = &shared.app.tdb;
    tdb.keep_documents(&tenant_id, resolved.brings, now_ms)
        .await?;
    Ok(FlowReply::Found {
        tenant_id,
        campaign_name,
        flow: resolved.flow,
    })
}

fn only_tenant(shared: &Shared) -> Option<TenantId> {
    let catalogue = shared.app.catalogue();
    let mut tenants = catalogue.campaigns.keys().map(|(tenant, _)| tenant);
    let first = tenants.next()?;
    tenants.all(|tenant| tenant == first).then(|| first.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_refused_by_its_field() {
        let did = r#"{"did":{"number":"+15005550100"}}"#;
        assert!(read(format!(r#"{{"v":1,"of":{did}}}"#).as_bytes()).is_ok());
        let other = read(format!(r#"{{"v":2,"of":{did}}}"#).as_bytes()).unwrap_err();
        assert_eq!(other, "v: expected 1, got 2");
        assert!(read(br#"{"v":1}"#).unwrap_err().contains("of"));
    }
}
