//! Tables of what is alive, by the address that the module knows it by.

use super::die;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// How many tables the handles of one kind are spread over: each frame of each of thousands of sessions asks for
/// a few, from every processor.
const SHARDS: usize = 64;

/// All living handles of one kind.
pub struct Handles<T> {
    what: &'static str,
    alive: LazyLock<[Shard<T>; SHARDS]>,
}

type Shard<T> = RwLock<HashMap<usize, Arc<T>>>;

impl<T> Handles<T> {
    /// An empty table; `what` names one handle in a complaint.
    pub const fn of(what: &'static str) -> Self {
        Self {
            what,
            alive: LazyLock::new(|| std::array::from_fn(|_| RwLock::default())),
        }
    }

    /// Takes `value` in under its own address, and returns that.
    pub fn insert<H>(&self, value: Arc<T>) -> *mut H {
        let address = Arc::as_ptr(&value).cast::<H>().cast_mut();
        self.insert_at(address, value);
        address
    }

    /// Takes `value` in under `address`.
    pub fn insert_at<H>(&self, address: *mut H, value: Arc<T>) {
        self.shard(address.addr())
            .write()
            .insert(address.addr(), value);
    }

    /// What lives under `address`. The process dies if nothing does.
    pub fn get<H>(&self, address: *mut H, function: &str) -> Arc<T> {
        match self.shard(address.addr()).read().get(&address.addr()) {
            Some(value) => value.clone(),
            None => self.complain(address.addr(), function),
        }
    }

    /// Takes out what lives under `address`. The process dies if nothing does.
    pub fn remove<H>(&self, address: *mut H, function: &str) -> Arc<T> {
        match self.shard(address.addr()).write().remove(&address.addr()) {
            Some(value) => value,
            None => self.complain(address.addr(), function),
        }
    }

    /// All that live.
    pub fn all(&self) -> Vec<Arc<T>> {
        let values = |shard: &Shard<T>| shard.read().values().cloned().collect::<Vec<_>>();
        self.alive.iter().flat_map(values).collect()
    }

    /// How many live.
    pub fn len(&self) -> usize {
        self.alive.iter().map(|shard| shard.read().len()).sum()
    }

    /// Where an address is looked for. Addresses are multiples of their kind's size, so their bits are mixed.
    fn shard(&self, address: usize) -> &Shard<T> {
        let mixed = (address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        &self.alive[(mixed >> 58) as usize]
    }

    fn complain(&self, address: usize, function: &str) -> ! {
        die(format_args!(
            "{function}: {address:#x} is no living {}",
            self.what
        ))
    }
}
