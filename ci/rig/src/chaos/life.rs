//! What runs as a node: a program of ours, or a FreeSWITCH with our module in it.

use crate::freeswitch::FreeSwitch;
use crate::process::Process;

/// A life of a node. Dropping it ends it.
pub enum Life {
    /// The gateway or the sandbox.
    Program(Process),
    /// A FreeSWITCH.
    FreeSwitch(Box<FreeSwitch>),
}

impl Life {
    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        match self {
            Life::Program(process) => process,
            Life::FreeSwitch(switch) => switch.process_mut(),
        }
    }
}
