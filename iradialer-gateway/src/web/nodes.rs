//! `/api/nodes`: the switches, and what a person wants of them. For admins and operators.

use super::WebState;
use super::auth::Caller;
use super::error::ApiError;
use crate::catalogue::NodeWish;
use crate::operations::nodes::{self, Node};
use axum::Json;
use axum::extract::{Path, State};
use iradialer_core::value::NodeId;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// The switches, by name.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(NodeList::example())))]
pub(super) struct NodeList {
    nodes: Vec<Node>,
}

/// A switch is to do something.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(NodeOrdered::example())))]
pub(super) struct NodeOrdered {
    node: Node,
    /// What comes of it, or what is left to a person.
    note: &'static str,
    /// `OK`.
    status: &'static str,
    /// 0.
    status_code: u8,
    /// Whether the switch has been told. One that was not is told when it is heard; one that is disabled need not be.
    told: bool,
}

/// The switch that a path is about.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "what stands in the path")]
struct OfNode {
    /// Its node-id.
    #[param(pattern = "^[A-Za-z0-9_-]{1,60}$")]
    node_id: String,
}

/// What it is to do.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "what stands in the path")]
struct Order {
    /// `maintenance`, `resume`, `disable` or `shutdown`.
    #[param(pattern = "^(maintenance|resume|disable|shutdown)$")]
    order: String,
}

impl NodeList {
    fn example() -> Self {
        NodeList {
            nodes: vec![Node::example()],
        }
    }
}

impl NodeOrdered {
    fn example() -> Self {
        NodeOrdered {
            node: Node::example(),
            note: DRAINS,
            status: "OK",
            status_code: 0,
            told: true,
        }
    }
}

const DRAINS: &str =
    "it takes no more calls, also after a restart; those it has go on to their end";
const RESUMES: &str = "it takes calls";
const DISABLED: &str = "it is given no more calls; those it has go on, also with their transfers";
const ENDS: &str = "it takes no more calls, and those it has go on to their end; nothing here ends FreeSWITCH: when its \
    state is drained, `fs_cli -x 'fsctl shutdown elegant'` there does. Once it is back it takes calls again";

/// The switches, by name
#[utoipa::path(
    get, path = "/api/nodes", tag = "nodes",
    responses((status = 200, description = "Those that are configured or were heard", body = NodeList)),
)]
pub(super) async fn list(
    State(state): State<WebState>,
    _of_cluster: Caller,
) -> Result<Json<NodeList>, ApiError> {
    let nodes = all(&state).await?;
    Ok(Json(NodeList { nodes }))
}

/// One switch
#[utoipa::path(
    get, path = "/api/nodes/{node_id}", tag = "nodes",
    params(OfNode),
    responses(
        (status = 200, description = "That switch", body = Node),
        (status = 404, description = "unknown_node"),
    ),
)]
pub(super) async fn one(
    State(state): State<WebState>,
    _of_cluster: Caller,
    Path(node_id): Path<String>,
) -> Result<Json<Node>, ApiError> {
    let node_id = NodeId::parse("path.node_id", &node_id)?;
    find(&state, &node_id).await.map(Json)
}

/// Has a switch drained, resumed, disabled, or drained to be ended
#[utoipa::path(
    post, path = "/api/nodes/{node_id}/{order}", tag = "nodes",
    params(OfNode, Order),
    responses(
        (status = 200, description = "It is to do that", body = NodeOrdered),
        (status = 404, description = "unknown_node, no_such_path"),
    ),
)]
pub(super) async fn order(
    State(state): State<WebState>,
    caller: Caller,
    Path((node_id, order)): Path<(String, String)>,
) -> Result<Json<NodeOrdered>, ApiError> {
    let node_id = NodeId::parse("path.node_id", &node_id)?;
    let (wish, takes_calls, note) = match order.as_str() {
        "maintenance" => (NodeWish::Maintenance, Some(false), DRAINS),
        "resume" => (NodeWish::Resume, Some(true), RESUMES),
        "disable" => (NodeWish::Disabled, None, DISABLED),
        "shutdown" => (NodeWish::Shutdown, Some(false), ENDS),
        other => {
            return Err(ApiError::NoSuchPath(format!(
                "/api/nodes/{node_id}/{other}"
            )));
        }
    };
    let node = find(&state, &node_id).await?;
    let desk = caller.desk(&state);
    desk.wish(&node_id, wish, node.incarnation).await?;
    let told = match takes_calls {
        Some(takes_calls) => {
            let answer = state.app.switches.activate(node_id.clone(), takes_calls);
            answer.await.is_ok()
        }
        None => false,
    };
    state.app.wake.router.notify_one();
    Ok(Json(NodeOrdered {
        node: find(&state, &node_id).await?,
        note,
        status: "OK",
        status_code: 0,
        told,
    }))
}

async fn find(state: &WebState, node_id: &NodeId) -> Result<Node, ApiError> {
    let nodes = all(state).await?;
    let found = nodes.into_iter().find(|node| node.node_id == *node_id);
    found.ok_or_else(|| {
        let message = format!("There is no switch {node_id}: none is configured or was heard");
        ApiError::Unknown("unknown_node", "node_id", message)
    })
}

pub(super) async fn all(state: &WebState) -> Result<Vec<Node>, ApiError> {
    let views = state.app.tdb.switch_views().await?;
    let now_ms = state.app.clock.now_ms();
    Ok(nodes::nodes(&state.app.catalogue(), &views, now_ms))
}
