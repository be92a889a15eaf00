//! What switches ask for calls that they hold: to dial somebody, who is then connected with them.

use super::shared::Shared;
use crate::catalogue::Campaign;
use crate::tdb::{CancelOutcome, NewTransfer, Pin, Placed, TdbError};
use async_nats::Message;
use futures::StreamExt;
use iradialer_core::call::CallState;
use iradialer_core::subject;
use iradialer_core::value::{CampaignName, DialNumber, NodeId, TenantId};
use iradialer_core::wire::{TransferAsk, TransferOrder, TransferReply, TransferRequest, VERSION};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How long to wait before subscribing again.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// A call that somebody waits for is given up if no trunk has had room for it by then, ms.
const PLACED_WITHIN_MS: u64 = 10_000;

/// Answers what switches ask until the router stops. Every router hears each request, and the one that
/// gives out the calls of the campaign answers.
pub(super) async fn serve(shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    stop.run_until_cancelled(serve_for_ever(shared)).await;
}

async fn serve_for_ever(shared: Arc<Shared>) {
    let subject = subject::all_transfers(&shared.app.config.cluster);
    loop {
        match shared.client.subscribe(subject.clone()).await {
            Ok(mut requests) => {
                while let Some(message) = requests.next().await {
                    // None waits for another's commit.
                    let answering = Arc::clone(&shared);
                    shared
                        .tasks
                        .spawn(async move { answer(&answering, message).await });
                }
            }
            Err(error) => tracing::error!(%error, "requests for transfers can't be listened to"),
        }
        sleep(RETRY_DELAY).await;
    }
}

async fn answer(shared: &Shared, message: Message) {
    let Some(inbox) = message.reply.clone() else {
        return;
    };
    let reply = match read(shared, &message) {
        Ok((node, request)) => match decide(shared, node, request).await {
            Ok(Some(reply)) => reply,
            // Another router's to answer.
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, "a transfer could not be placed");
                TransferReply::NotNow
            }
        },
        Err(detail) => TransferReply::Refused { detail },
    };
    let payload = serde_json::to_vec(&reply).unwrap_or_default();
    if let Err(error) = shared.client.publish(inbox, payload.into()).await {
        tracing::warn!(%error, "a switch was not told about its transfer");
    }
}

/// The switch that asks, which NATS lets publish on its own subject only, and what it asks.
fn read(shared: &Shared, message: &Message) -> Result<(NodeId, TransferRequest), String> {
    let node = message.subject.rsplit('.').next().unwrap_or_default();
    let node = NodeId::parse("subject", node).map_err(|error| error.to_string())?;
    debug_assert_eq!(
        message.subject.as_str(),
        subject::transfer(&shared.app.config.cluster, &node)
    );
    let request: TransferRequest =
        serde_json::from_slice(&message.payload).map_err(|error| error.to_string())?;
    if request.v != VERSION {
        return Err(format!("v: expected {VERSION}, got {}", request.v));
    }
    Ok((node, request))
}

/// The answer, or none where it is another router's to give.
async fn decide(
    shared: &Shared,
    node: NodeId,
    request: TransferRequest,
) -> Result<Option<TransferReply>, TdbError> {
    if !shared.leads() {
        return Ok(None);
    }
    let refused = |detail: String| Ok(Some(TransferReply::Refused { detail }));
    let tdb = &shared.app.tdb;
    let Some((tenant, name)) = tdb.campaign_of(request.parent_uuid).await? else {
        // The first event of a call that came in at the switch, or was begun there, is on its way.
        return Ok(Some(TransferReply::NotNow));
    };
    let Some(name) = name else {
        return match &request.ask {
            TransferAsk::Refer(number) => refer(shared, &tenant, None, number).await,
            _ => refused("parent_uuid: expected a call of a campaign".to_owned()),
        };
    };
    let catalogue = shared.app.catalogue();
    let Some(campaign) = catalogue.campaign(&tenant, &name) else {
        return refused(format!("there is no campaign {name} any more"));
    };
    if campaign.region != shared.app.config.router.region {
        return Ok(None);
    }
    match request.ask {
        TransferAsk::Cancel => cancel(shared, &tenant, &request).await,
        TransferAsk::Refer(ref number) => refer(shared, &tenant, Some(&name), number).await,
        TransferAsk::Dial(ref order) => {
            let mut order = order.clone();
            let destinations = &shared.app.config.destinations;
            order.to_number = destinations.dialled(&order.to_number);
            if let Some(why) = objection(campaign, &order) {
                return refused(why);
            }
            if let Some(number) = &order.from_number
                && !catalogue.may_call_from(campaign, number)
            {
                let expected = "the campaign's, or one of the tenant's from_numbers";
                return refused(format!("from_number: expected {expected}, got {number}"));
            }
            if let Err(why) = destinations.check(&tenant, &order.to_number) {
                return refused(format!("to_number: {why}"));
            }
            place(shared, node, &request, order).await.map(Some)
        }
    }
}

/// Whether a carrier may be asked to connect a call with the number.
async fn refer(
    shared: &Shared,
    tenant: &TenantId,
    campaign: Option<&CampaignName>,
    number: &DialNumber,
) -> Result<Option<TransferReply>, TdbError> {
    let app = &shared.app;
    let destinations = &app.config.destinations;
    let to_number = destinations.dialled(number);
    if let Err(why) = destinations.check(tenant, &to_number) {
        let detail = format!("to_number: {why}");
        return Ok(Some(TransferReply::Refused { detail }));
    }
    let listed = app.tdb.do_not_call(tenant, campaign, &to_number).await?;
    Ok(Some(match listed {
        Some(_) => TransferReply::Refused {
            detail: "to_number: it is on the do-not-call list".to_owned(),
        },
        None => TransferReply::Permitted { to_number },
    }))
}

/// The checks of an accept that make sense for somebody who is on the line: not its hours.
fn objection(campaign: &Campaign, order: &TransferOrder) -> Option<String> {
    if campaign.trunks.is_empty() {
        return Some(format!("the campaign {} has no trunks", campaign.name));
    }
    if let Some(trunk) = &order.trunk
        && !campaign.trunks.contains(trunk)
    {
        return Some(format!(
            "trunk: expected one of the campaign {}, got {trunk}",
            campaign.name
        ));
    }
    let timeout_s = order.dial_timeout_s;
    (!(5..=600).contains(&timeout_s))
        .then(|| format!("dial_timeout_s: expected 5 to 600, got {timeout_s}"))
}

async fn place(
    shared: &Shared,
    node: NodeId,
    request: &TransferRequest,
    order: TransferOrder,
) -> Result<TransferReply, TdbError> {
    let app = &shared.app;
    let refuse_above = app.catalogue().queue.refuse_above;
    if app.tdb.queue_length(refuse_above).await? >= refuse_above {
        let detail = format!("{refuse_above} calls are queued, as many as may be");
        return Ok(TransferReply::Refused { detail });
    }
    let now_ms = shared.now_ms();
    let transfer = NewTransfer {
        call_uuid: request.call_uuid,
        parent_uuid: request.parent_uuid,
        asked_by: Pin {
            node_id: node,
            incarnation: request.incarnation,
        },
        order,
        now_ms,
        expires_ms: now_ms + PLACED_WITHIN_MS,
    };
    Ok(match app.tdb.place_transfer(transfer).await? {
        Placed::At(state) => {
            app.wake.router.notify_one();
            app.wake.dispatcher.notify_one();
            TransferReply::Taken { state }
        }
        Placed::Refused(detail) => TransferReply::Refused { detail },
        Placed::NotYet => TransferReply::NotNow,
    })
}

/// Nobody waits for the call any more. One that is on its way to the switch is refused there.
async fn cancel(
    shared: &Shared,
    tenant: &TenantId,
    request: &TransferRequest,
) -> Result<Option<TransferReply>, TdbError> {
    let app = &shared.app;
    let now_ms = shared.now_ms();
    let is_its_own = app.tdb.parent_of(request.call_uuid).await? == Some(request.parent_uuid);
    let state = match is_its_own {
        false => CallState::Canceled,
        true => match app
            .tdb
            .request_cancel(tenant, request.call_uuid, None, now_ms)
            .await?
        {
            CancelOutcome::Canceled | CancelOutcome::NotFound => CallState::Canceled,
            CancelOutcome::Live { state, .. } | CancelOutcome::Ended(state) => state,
        },
    };
    app.wake.dispatcher.notify_one();
    Ok(Some(TransferReply::Taken { state }))
}
