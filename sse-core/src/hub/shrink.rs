//! Gives back the room that a crowd needed and its remainder does not.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

/// A table with less room than this keeps it.
pub(crate) const SMALL: usize = 64;

/// Whether a table of this size has four times the room that it needs.
pub(crate) const fn is_sparse(len: usize, capacity: usize) -> bool {
    capacity > SMALL && len < capacity / 4
}

/// To be called after each removal. It moves all entries, but only after at least as many were removed.
pub(crate) fn shrink<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>) {
    if is_sparse(map.len(), map.capacity()) {
        map.shrink_to(2 * map.len());
    }
}
