//! Releases the memory of tables that had many more entries before.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

/// A table with at most this capacity is never shrunk.
pub(crate) const SMALL: usize = 64;

/// Whether a table uses less than a quarter of its capacity.
pub(crate) const fn is_sparse(len: usize, capacity: usize) -> bool {
    capacity > SMALL && len < capacity / 4
}

/// Shrinks a sparse map. Call this after each removal. A shrink moves all entries, but at least as many entries were
/// removed before.
pub(crate) fn shrink<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>) {
    if is_sparse(map.len(), map.capacity()) {
        map.shrink_to(2 * map.len());
    }
}
