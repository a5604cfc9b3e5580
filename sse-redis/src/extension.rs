//! The part of a node that sse-runs uses: scripts that change the log and further keys in one step. Not part of the public API.

use crate::Redis;
use crate::entry::{Record, RecordKind};
use crate::publish::RedisPublishError;
use crate::publish_id::PublishId;
use crate::writer::Stored;
use redis::{Cmd, Value, cmd};
use sse_core::Frame;

/// The first word of a script's reply if the log does not exist. A node then creates the log.
const NO_LOG: &str = "no log";

/// One entry for a script: its publish ID, and the names and values of its fields.
#[doc(hidden)]
#[derive(Debug)]
pub struct ScriptEntry {
    pub publish_id: PublishId,
    pub fields: Vec<Vec<u8>>,
}

#[doc(hidden)]
impl Redis {
    /// A key in the slot of the log, within the key pattern that the user of the log needs.
    #[must_use]
    pub fn script_key(&self, suffix: &str) -> String {
        let log = &self.inner.writer.keys.log;
        format!("{}{suffix}", log.strip_suffix("log").unwrap_or(log))
    }

    /// The entry of an event that the hub has checked, or of the last event of its topic.
    #[must_use]
    pub fn script_entry(&self, topic: &str, frame: &Frame, ends: bool) -> ScriptEntry {
        let kind = if ends { RecordKind::End } else { RecordKind::Event };
        self.entry(Record { kind, ..Record::of_frame(topic, frame) })
    }

    /// The entry that removes a topic.
    #[must_use]
    pub fn script_removal(&self, topic: &str) -> ScriptEntry {
        self.entry(Record::removal(topic))
    }

    fn entry(&self, mut record: Record) -> ScriptEntry {
        let publish_id = PublishId::draw(&self.inner.writer.random);
        record.publish = Some(publish_id);
        let fields = record.fields().into_iter().flat_map(|(name, value)| [name.as_bytes().to_vec(), value]);
        ScriptEntry { publish_id, fields: fields.collect() }
    }

    /// Runs a script with the log as the first key, and the number of entries that the log keeps as the first argument. The
    /// script returns an array of texts and numbers. Its first text is `no log` if the log does not exist.
    ///
    /// # Errors
    /// [`RedisPublishError`]. The script ran only after [`RedisPublishError::MaybeStored`], perhaps.
    pub async fn run_script(
        &self,
        script: &str,
        keys: &[String],
        arguments: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Vec<String>, RedisPublishError> {
        let id = PublishId::draw(&self.inner.writer.random);
        let stored = self.inner.writer.append(&self.script(script, keys, arguments), id, 0).await?;
        self.script_reply(stored, id)
    }

    /// Runs a script as [`run_script`](Self::run_script), also while publishes are at the limit
    /// [`in_flight`](crate::RedisBuilder::in_flight). One such script runs at a time.
    ///
    /// # Errors
    /// As [`run_script`](Self::run_script).
    pub async fn run_reserved_script(
        &self,
        script: &str,
        keys: &[String],
        arguments: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Vec<String>, RedisPublishError> {
        let id = PublishId::draw(&self.inner.writer.random);
        let stored = self.inner.writer.append_reserved(&self.script(script, keys, arguments), id).await?;
        self.script_reply(stored, id)
    }

    fn script(&self, script: &str, keys: &[String], arguments: impl IntoIterator<Item = Vec<u8>>) -> Cmd {
        let writer = &self.inner.writer;
        let mut eval = cmd("EVAL");
        eval.arg(script).arg(keys.len() + 1).arg(&writer.keys.log).arg(keys).arg(writer.limits.max_entries);
        for argument in arguments {
            eval.arg(argument);
        }
        eval
    }

    fn script_reply(&self, stored: Stored, id: PublishId) -> Result<Vec<String>, RedisPublishError> {
        let Value::Array(reply) = stored.reply else { return Err(RedisPublishError::MaybeStored(id)) };
        let text = |value| match value {
            Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Value::SimpleString(text) => text,
            Value::Int(number) => number.to_string(),
            _ => String::new(),
        };
        let reply: Vec<String> = reply.into_iter().map(text).collect();
        if reply.first().is_some_and(|first| first == NO_LOG) { Err(self.inner.writer.no_log()) } else { Ok(reply) }
    }
}
