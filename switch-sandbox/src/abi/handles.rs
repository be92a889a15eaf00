//! Tables of what is alive, by the address that the module knows it by.

use super::die;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// All living handles of one kind.
pub struct Handles<T> {
    what: &'static str,
    alive: LazyLock<RwLock<HashMap<usize, Arc<T>>>>,
}

impl<T> Handles<T> {
    /// An empty table; `what` names one handle in a complaint.
    pub const fn of(what: &'static str) -> Self {
        Self {
            what,
            alive: LazyLock::new(RwLock::default),
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
        self.alive.write().insert(address.addr(), value);
    }

    /// What lives under `address`. The process dies if nothing does.
    pub fn get<H>(&self, address: *mut H, function: &str) -> Arc<T> {
        match self.alive.read().get(&address.addr()) {
            Some(value) => value.clone(),
            None => self.complain(address.addr(), function),
        }
    }

    /// Takes out what lives under `address`. The process dies if nothing does.
    pub fn remove<H>(&self, address: *mut H, function: &str) -> Arc<T> {
        match self.alive.write().remove(&address.addr()) {
            Some(value) => value,
            None => self.complain(address.addr(), function),
        }
    }

    /// All that live.
    pub fn all(&self) -> Vec<Arc<T>> {
        self.alive.read().values().cloned().collect()
    }

    /// How many live.
    pub fn len(&self) -> usize {
        self.alive.read().len()
    }

    fn complain(&self, address: usize, function: &str) -> ! {
        die(format_args!(
            "{function}: {address:#x} is no living {}",
            self.what
        ))
    }
}
