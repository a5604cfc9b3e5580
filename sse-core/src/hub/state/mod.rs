//! State topics: the newest event of each key.

mod change;
mod load;
mod topic;

pub(super) use change::{Change, ChangeId, own_bounds};
pub(super) use load::Load;
pub(super) use topic::check_key;
pub use topic::{MAX_STATE_KEY_BYTES, StateChange, StateTopic};
