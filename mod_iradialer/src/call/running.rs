//! A call's flow on its leg, and what the flow does as events of the call.

use super::Call;
use crate::host::HangupCause;
use iradialer_core::call::EndedBy;
use iradialer_core::flow::{self, CallFacts, Flow, FlowEndWhy, Leg, Report, Reporter, Transferred};
use iradialer_core::wire::{DialCommand, EventBody, TransferResult};

impl Call {
    /// Runs the flow on the answered leg and says why to hang up, or `None` if it is hung up already.
    pub(super) fn run(&self, flow: &Flow, leg: &mut dyn Leg) -> Option<HangupCause> {
        let end = flow::run(
            flow,
            &facts(&self.command),
            self.other_flows(),
            leg,
            &mut Told(self),
        );
        {
            let mut progress = self.progress.lock();
            progress.node = Some(end.node);
            progress.variables.extend(end.variables);
        }
        match end.why {
            FlowEndWhy::Done => {
                self.end_by(EndedBy::Flow);
                Some(HangupCause::Flow(end.cause))
            }
            FlowEndWhy::HungUp | FlowEndWhy::Stopped => None,
            FlowEndWhy::Fault(what) => self.fail(what),
        }
    }

    pub(super) fn fail(&self, what: String) -> Option<HangupCause> {
        self.end_by(EndedBy::Switch);
        self.fault(what);
        Some(HangupCause::Fault)
    }

    /// A transfer of a flow's is over.
    pub fn transferred(&self, node: String, destination: String, outcome: Transferred) {
        self.tell(transferred(Some(node), destination, outcome));
    }
}

/// The event that tells what came of a transfer.
pub(super) fn transferred(
    node: Option<String>,
    destination: String,
    outcome: Transferred,
) -> EventBody {
    let (result, ms, error) = match outcome {
        Transferred::Done { ms } => (TransferResult::Done, ms, None),
        Transferred::Busy => (TransferResult::Busy, 0, None),
        Transferred::NoAnswer => (TransferResult::NoAnswer, 0, None),
        Transferred::Failed(why) => (TransferResult::Failed, 0, Some(why)),
    };
    EventBody::Transferred {
        node,
        destination,
        result,
        ms,
        error,
    }
}

/// What the flow is told of the call.
pub fn facts(command: &DialCommand) -> CallFacts {
    CallFacts {
        to_number: command.to_number.as_str().to_owned(),
        from_number: command.from_number.as_str().to_owned(),
        call_uuid: command.call_uuid.to_string(),
        campaign_name: command.campaign_name.as_str().to_owned(),
        timezone: command.given.timezone.clone(),
        metadata: command.given.metadata.clone(),
        vars: command.given.vars.clone(),
    }
}

/// Turns what the flow does into the call's events.
struct Told<'a>(&'a Call);

impl Reporter for Told<'_> {
    fn report(&mut self, report: Report) {
        if let Report::Transferred {
            node,
            destination,
            outcome,
        } = report
        {
            return self.0.transferred(node, destination, outcome);
        }
        let mut progress = self.0.progress.lock();
        let body = match report {
            Report::PlayDone {
                node,
                prompt,
                played_ms,
                interrupted_by,
            } => EventBody::PlayDone {
                node: Some(node),
                prompt,
                played_ms,
                interrupted_by,
            },
            Report::DtmfCollected {
                node,
                var_name,
                digits,
                valid,
                tries,
            } => EventBody::DtmfCollected {
                node: Some(node),
                var_name,
                digits,
                valid,
                tries,
            },
            Report::OptedOut { node, scope } => EventBody::OptedOut {
                node,
                scope,
                number: self.0.persons_number().to_owned(),
            },
            Report::WentTo { node, flow } => EventBody::WentTo { node, flow },
            Report::Requested {
                node,
                status,
                ms,
                error,
                ..
            } => EventBody::Requested {
                node,
                status,
                ms,
                error,
            },
            // A prompt that could not be made out of its template, a value that could not be said: the
            // first is told in the last event.
            Report::Failed { node, what } => {
                progress.fault.get_or_insert(format!("node {node}: {what}"));
                return;
            }
            // Told of when it is on the disk.
            Report::Recorded { .. } => return,
            // A flow that needs these is refused before it is dialled.
            Report::Transferred { .. } => return,
        };
        self.0.emit(&mut progress, body);
    }

    fn at_node(&mut self, node: &str) {
        self.0.progress.lock().node = Some(node.to_owned());
    }

    fn set(&mut self, name: &str, value: &str) {
        let variables = &mut self.0.progress.lock().variables;
        variables.insert(name.to_owned(), value.to_owned());
    }
}
