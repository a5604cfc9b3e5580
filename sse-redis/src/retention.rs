//! Trimming by age and by size, beside the number of entries.

use crate::builder::MIN_ENTRIES;
use redis::{Cmd, cmd};
use std::time::Duration;

/// The limits of a log beside the number of its entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_bytes: Option<usize>,
}

/// Trims the log, and leaves at least `ARGV[3]` entries: with fewer entries a node can miss trimmed entries without notice.
/// `ARGV[1]` is the largest age in milliseconds, and `ARGV[2]` the largest memory in bytes, or an empty text. A script, so that
/// two nodes that trim at once also leave that many.
const TRIM: &str = "
local least = tonumber(ARGV[3])
if ARGV[2] ~= '' then
  local used = redis.call('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', 0)
  if used and used > tonumber(ARGV[2]) then
    local kept = math.floor(redis.call('XLEN', KEYS[1]) * tonumber(ARGV[2]) / used)
    redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', math.max(kept, least))
  end
end
if ARGV[1] ~= '' then
  local more = redis.call('XLEN', KEYS[1]) - least
  local oldest = tonumber(redis.call('TIME')[1]) * 1000 - tonumber(ARGV[1])
  if more > 0 and oldest > 0 then
    redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', oldest), 'LIMIT', more)
  end
end
return 1";

impl Retention {
    /// The command that trims the log with this key. `None` without limits.
    pub(crate) fn command(&self, log: &str) -> Option<Cmd> {
        if *self == Self::default() {
            return None;
        }
        let age = self.max_age.map_or_else(String::new, |age| age.as_millis().min(1 << 50).to_string());
        let bytes = self.max_bytes.map_or_else(String::new, |bytes| bytes.to_string());
        let mut trim = cmd("EVAL");
        trim.arg(TRIM).arg(1).arg(log).arg(age).arg(bytes).arg(MIN_ENTRIES);
        Some(trim)
    }
}
