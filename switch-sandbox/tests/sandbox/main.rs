//! The sandbox as a process, with a module that writes down what the host does with it.

#![forbid(unsafe_code)]

mod calls;
mod harness;
mod host;
