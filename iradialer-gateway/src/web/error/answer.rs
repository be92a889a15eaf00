//! What a refusal looks like on the wire. Fields are in the order of their names, as everywhere in this API.

use crate::destinations::Refused;
use iradialer_core::flow::{Finding, Severity};
use iradialer_core::value::FieldError;
use serde::Serialize;
use utoipa::ToSchema;

/// A refusal. `status` is for a person, `error.name` for a program.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::web) struct ErrorAnswer {
    /// Every mistake of the request, in the published API's form; where fields or the JSON are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<Detail>,
    pub error: ErrorFacts,
    /// Everything that was found in the flow, errors first; where a flow is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FlowFinding>,
    /// The request's id, as in the header `x-request-id`.
    pub request_id: String,
    /// True: ask less often. Where there are too many requests or calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool)]
    pub slowdown: Option<bool>,
    /// What is wrong, in a sentence.
    pub status: String,
    /// 2: there is no service; 3: outside the campaign's hours; else 1.
    #[schema(minimum = 1, maximum = 3)]
    pub status_code: u8,
}

/// What a program can tell refusals apart by.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::web) struct ErrorFacts {
    /// What was expected there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub expected: Option<String>,
    /// The first field that is wrong; `query.NAME`, `path.NAME` and `header.NAME` are not of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub field: Option<String>,
    /// What came instead, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub got: Option<String>,
    /// What kind of number it is, where a destination is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub kind: Option<String>,
    /// Which refusal this is.
    pub name: String,
    /// Why a licence does not allow it, or is not installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub reason: Option<String>,
    /// When the request may be made again, s; as in `Retry-After`. Where `retryable` is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32)]
    pub retry_after_s: Option<u32>,
    /// Whether the same request may be taken later.
    pub retryable: bool,
    /// The rule that a destination is refused by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub rule: Option<String>,
}

/// One mistake in the form that the published API gives.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::web) struct Detail {
    /// Where it is: `body`, `query`, `path` or `header`, and the names that lead to it.
    pub loc: Vec<String>,
    /// What was expected, and what came.
    pub msg: String,
    /// `missing` or `value_error`.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// Something that was found in a flow.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FlowFinding {
    /// What, and what to do about it, in a sentence.
    pub message: String,
    /// The node it is in, where it is in one.
    pub node: Option<String>,
    /// Where in the document, such as `nodes.menu.menu.choices.9`; empty for the document as a whole.
    pub path: String,
    #[schema(value_type = String)]
    /// `error`: the flow can't be run; `warning`: it can, but a caller will suffer.
    pub severity: Severity,
}

impl Detail {
    /// Of a mistake.
    pub fn of(mistake: &FieldError) -> Self {
        let is_elsewhere = ["query.", "path.", "header."]
            .iter()
            .any(|place| mistake.field.starts_with(place) || mistake.field == "path");
        let body = (!is_elsewhere && mistake.field != "body").then_some("body");
        let loc = body.into_iter().chain(mistake.field.split('.'));
        Detail {
            loc: loc.map(str::to_owned).collect(),
            msg: format!("expected {}, got {}", mistake.expected, mistake.got),
            kind: match mistake.got.as_str() {
                "nothing" => "missing",
                _ => "value_error",
            },
        }
    }
}

impl FlowFinding {
    /// Each with its node, where it is of one.
    pub fn of_all(findings: &[Finding]) -> Vec<Self> {
        let shown = findings.iter().map(|finding| {
            let node = finding.path.strip_prefix("nodes.");
            let node = node.and_then(|rest| rest.split(['.', '[']).next());
            FlowFinding {
                message: finding.message.clone(),
                node: node.map(str::to_owned),
                path: finding.path.clone(),
                severity: finding.severity,
            }
        });
        shown.collect()
    }
}

impl ErrorFacts {
    /// By its name alone.
    pub fn named(name: String) -> Self {
        ErrorFacts {
            expected: None,
            field: None,
            got: None,
            kind: None,
            name,
            reason: None,
            retry_after_s: None,
            retryable: false,
            rule: None,
        }
    }

    /// The same with what a licence says to it.
    pub fn because(self, reason: &str) -> Self {
        ErrorFacts {
            reason: Some(reason.to_owned()),
            ..self
        }
    }

    /// The same with what a destination is refused by.
    pub fn by(self, refused: &Refused) -> Self {
        ErrorFacts {
            rule: Some(refused.rule.as_str().to_owned()),
            kind: Some(refused.kind.as_str().to_owned()),
            ..self
        }
    }
}
