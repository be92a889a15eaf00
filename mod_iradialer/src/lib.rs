//! `mod_iradialer`: the outbound voice engine inside FreeSWITCH.
//!
//! Reads top down: [`engine`] takes a dial command through [`admission`], has [`dialer`] promise it to
//! the [`journal`] and make the channel, and follows the [`call`] to its last event; [`link`] is the way in and out over NATS;
//! [`commands`] is what `fs_cli` sees. Only `fs/` knows FreeSWITCH, and only it is unsafe; the rest
//! sees the host through [`host::Host`] and is tested without one.
#![deny(unsafe_code)]
// The unit tests leave out `fs/`, and with it the entry points that all of this is for.
#![cfg_attr(test, allow(dead_code, unused_imports))]

mod admission;
mod asking;
mod audio;
mod call;
mod commands;
mod config;
mod copies;
mod desk;
mod dialer;
mod engine;
mod flows;
mod host;
mod http;
mod journal;
mod keys;
mod lease;
mod link;
mod live;
mod outbox;
mod pace;
mod pairing;
mod preparation;
mod prompts;
mod recordings;
mod registry;
mod taping;
mod timers;
mod transfer;

// The unit tests' executable has no host to link with.
#[cfg(not(test))]
mod fs;
