//! FreeSWITCH: the only code of the module that is unsafe. The rules of the host that it leans on
//! are numbered in SAFETY.md.
#![allow(unsafe_code)]

mod api;
mod config_file;
mod entry;
mod guard;
mod handlers;
mod inbound;
mod leg;
mod media;
mod names;
mod playback;
mod record;
mod session;
mod speech;
mod switch;
mod tap;
mod text;
mod transfer;
