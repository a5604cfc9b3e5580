//! State topics: the newest event of each key.

mod change;
mod load;
mod topic;

pub(super) use change::Change;
pub(super) use load::Load;
pub use topic::{MAX_STATE_KEY_BYTES, StateChange, StateTopic};
