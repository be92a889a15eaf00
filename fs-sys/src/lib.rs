//! The raw C ABI of the FreeSWITCH functions and structures that mod_iradialer uses.
//!
//! The API is always the hand-declared subset in [`declared`], so that one module file serves
//! every supported FreeSWITCH (1.10.12 and 1.11.0 declare this subset alike). Where the build
//! finds installed headers it also runs bindgen over them, and `tests/abi.rs` compares the
//! two: signatures, sizes, offsets, constants.
//!
//! Nothing here is safe to use without the host rules that stand on each function.

#![no_std]
#![allow(non_camel_case_types)]

mod declared;
mod symbols;

pub use declared::*;
pub use symbols::SYMBOLS;
