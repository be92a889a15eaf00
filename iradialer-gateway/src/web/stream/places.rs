//! How many streams there may be: each holds a connection, and looks for new events four times a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The most streams of one token.
const MAX_OF_TOKEN: u32 = 8;
/// The most of all of them, in one process.
const MAX: u32 = 128;

/// The streams that there are.
#[derive(Default)]
pub(in crate::web) struct Places {
    taken: Mutex<HashMap<String, u32>>,
}

/// The place of a stream, free again when it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    token_id: String,
}

impl Places {
    /// A place for a stream of that token, if there is one.
    pub(super) fn take(self: &Arc<Self>, token_id: &str) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: u32 = taken.values().sum();
        let own = taken.get(token_id).copied().unwrap_or(0);
        if all >= MAX || own >= MAX_OF_TOKEN {
            return None;
        }
        taken.insert(token_id.to_owned(), own + 1);
        Some(Place {
            places: Arc::clone(self),
            token_id: token_id.to_owned(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &self.places.taken;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.token_id) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.token_id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let places = Arc::new(Places::default());
        let mut held: Vec<Place> = (0..MAX_OF_TOKEN)
            .map(|_| places.take("a").unwrap())
            .collect();
        assert!(places.take("a").is_none());
        for token in 0..MAX / MAX_OF_TOKEN - 1 {
            for _ in 0..MAX_OF_TOKEN {
                held.push(places.take(&token.to_string()).unwrap());
            }
        }
        assert!(places.take("another").is_none(), "of all");
        held.clear();
        assert!(places.taken.lock().unwrap().is_empty());
        assert!(places.take("a").is_some());
    }
}
