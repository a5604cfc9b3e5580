//! The claims at a Redis server, in the slot of the log.

use super::ledger::{
    CLAIM_AGE, ClaimCall, ClaimState, LAST_WRITE, LEASE, Ledger, LedgerCall, LedgerError, LedgerFuture, LedgerReply,
    Member, OUTAGE, REPAIRED, RequestCall, SWEEP_RUNS, WriteCall, control_topic,
};
use super::scripts;
use sse_core::Frame;
use sse_core::hub::EventId;
use sse_core::{Runtime, Tokio};
use sse_redis::{NotStored, Redis, RedisPublishError, ScriptEntry};
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct RedisLedger {
    redis: Redis,
    pub(super) node: String,
    control: String,
    /// The keys of the claims and of the nodes, without the topic and the name.
    claims: String,
    sets: String,
    pub(super) leases: String,
}

fn flag(flag: bool) -> Vec<u8> {
    if flag { b"1".to_vec() } else { b"0".to_vec() }
}

fn text(text: impl ToString) -> Vec<u8> {
    text.to_string().into_bytes()
}

impl RedisLedger {
    pub(crate) fn new(redis: &Redis, prefix: &str) -> Self {
        Self {
            node: Tokio.random().uuid().simple().to_string(),
            control: control_topic(prefix),
            claims: redis.script_key("run:"),
            sets: redis.script_key("run-node:"),
            leases: redis.script_key(&format!("run-nodes:{prefix}")),
            redis: redis.clone(),
        }
    }

    pub(super) fn claim_key(&self, topic: &str) -> String {
        format!("{}{topic}", self.claims)
    }

    fn set_key(&self) -> String {
        format!("{}{}", self.sets, self.node)
    }

    async fn run(&self, script: &str, keys: &[String], arguments: Vec<Vec<u8>>) -> Result<Vec<String>, LedgerError> {
        self.redis.run_script(script, keys, arguments).await.map_err(failed)
    }

    /// Runs a script that must not wait for publishes, because a node without a beat is taken for dead.
    async fn run_now(
        &self,
        script: &str,
        keys: &[String],
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<String>, LedgerError> {
        self.redis.run_reserved_script(script, keys, arguments).await.map_err(failed)
    }

    async fn claim(&self, call: ClaimCall) -> Result<LedgerReply, LedgerError> {
        let removal = self.redis.script_removal(&call.topic);
        let mut arguments = vec![
            text(&call.token),
            text(&self.node),
            text(&call.topic),
            text(LEASE.as_millis()),
            flag(call.is_fresh),
            flag(call.is_kept),
            flag(call.replaces_ended),
        ];
        push_entry(&mut arguments, removal);
        let keys = [self.claim_key(&call.topic), self.leases.clone(), self.set_key()];
        let reply = self.run(scripts::CLAIM, &keys, arguments).await?;
        let id = reply.get(1).and_then(|id| stored_id(id));
        match word(&reply) {
            "ok" => Ok(LedgerReply::Changed(id)),
            other => Ok(LedgerReply::Taken(state(other), id)),
        }
    }

    async fn write(&self, call: WriteCall) -> Result<LedgerReply, LedgerError> {
        let mut arguments = vec![
            text(&call.token),
            text(call.number),
            flag(call.number != LAST_WRITE),
            flag(call.end.is_some()),
            text(CLAIM_AGE.as_millis()),
            text(&call.topic),
        ];
        let events = call.events.iter().map(|event| self.redis.script_entry(&call.topic, event, false));
        let end = call.end.iter().map(|end| self.redis.script_entry(&call.topic, end, true));
        for entry in events.chain(end) {
            arguments.push(text(entry.fields.len()));
            push_entry(&mut arguments, entry);
        }
        let reply = self.run(scripts::WRITE, &[self.claim_key(&call.topic), self.set_key()], arguments).await?;
        match word(&reply) {
            "ok" => Ok(LedgerReply::Written),
            other => Ok(LedgerReply::Refused(state(other))),
        }
    }

    async fn repair(&self, topic: &str, end: &Frame) -> Result<LedgerReply, LedgerError> {
        let entry = self.redis.script_entry(topic, end, true);
        let mut arguments = vec![text(REPAIRED), text(CLAIM_AGE.as_millis())];
        push_entry(&mut arguments, entry);
        changed(&self.run(scripts::REPAIR, &[self.claim_key(topic)], arguments).await?)
    }

    /// The first arguments of a request.
    fn request(&self, call: &RequestCall) -> Vec<Vec<u8>> {
        let publish = self.redis.script_removal(&call.topic).publish_id;
        vec![text(&call.nonce), text(&call.id), text(&self.control), text(publish)]
    }

    async fn stop(&self, call: RequestCall) -> Result<LedgerReply, LedgerError> {
        let mut arguments = self.request(&call);
        arguments.push(text(&call.token));
        changed(&self.run(scripts::STOP, &[self.claim_key(&call.topic)], arguments).await?)
    }

    async fn remove(&self, call: RequestCall, is_kept: bool) -> Result<LedgerReply, LedgerError> {
        let mut arguments = self.request(&call);
        arguments.extend([flag(is_kept), text(CLAIM_AGE.as_millis()), text(&self.sets)]);
        arguments.extend([text(&call.topic), text(&call.token)]);
        push_entry(&mut arguments, self.redis.script_removal(&call.topic));
        changed(&self.run(scripts::REMOVE, &[self.claim_key(&call.topic)], arguments).await?)
    }

    async fn look(&self, topic: &str) -> Result<LedgerReply, LedgerError> {
        let reply = self.run(scripts::LOOK, &[self.claim_key(topic)], Vec::new()).await?;
        let at = |index: usize| reply.get(index).map_or("", String::as_str);
        let idle = at(2).parse().ok().map(Duration::from_millis);
        Ok(LedgerReply::Looked { state: state(at(0)), token: at(3).into(), id: stored_id(at(1)), idle })
    }

    async fn beat(&self, attached: &[Arc<str>], end: &Frame) -> Result<LedgerReply, LedgerError> {
        // The script adds the topic and the publish ID, which are the first two fields.
        let fields = self.redis.script_entry("", end, true).fields;
        let fields = fields.get(4..).unwrap_or_default();
        let mut arguments = vec![
            text(&self.node),
            text(LEASE.as_millis()),
            text(OUTAGE.as_millis()),
            text(&self.claims),
            text(&self.sets),
            text(SWEEP_RUNS),
            text(CLAIM_AGE.as_millis()),
            text(fields.len()),
        ];
        arguments.extend_from_slice(fields);
        arguments.extend(attached.iter().map(text));
        let reply = self.run_now(scripts::BEAT, &[self.leases.clone(), self.set_key()], arguments).await?;
        let mut reply = reply.into_iter();
        let members = reply.next().and_then(|members| members.parse().ok()).unwrap_or(0);
        let more = reply.next().is_some_and(|more| more == "1");
        Ok(LedgerReply::Beaten { members, more, unclaimed: reply.map(Arc::from).collect() })
    }

    async fn members(&self) -> Result<LedgerReply, LedgerError> {
        let reply = self.run(scripts::MEMBERS, &[self.set_key()], vec![text(&self.claims), text(&self.node)]).await?;
        let (members, _) = reply.get(1..).unwrap_or_default().as_chunks::<3>();
        let member = |[topic, token, known]: &[String; 3]| Member {
            topic: topic.as_str().into(),
            token: token.as_str().into(),
            state: state(known),
        };
        Ok(LedgerReply::Members(members.iter().map(member).collect()))
    }
}

impl Ledger for RedisLedger {
    fn call(&self, call: LedgerCall) -> LedgerFuture<'_, Result<LedgerReply, LedgerError>> {
        Box::pin(async move {
            match call {
                LedgerCall::Claim(call) => self.claim(call).await,
                LedgerCall::Write(call) => self.write(call).await,
                LedgerCall::Repair { topic, end } => self.repair(&topic, &end).await,
                LedgerCall::Look { topic } => self.look(&topic).await,
                LedgerCall::Stop(call) => self.stop(call).await,
                LedgerCall::Remove { request, is_kept } => self.remove(request, is_kept).await,
                LedgerCall::Beat { attached, end } => self.beat(&attached, &end).await,
                LedgerCall::Members => self.members().await,
            }
        })
    }

    fn wait_for(&self, id: EventId) -> LedgerFuture<'_, ()> {
        Box::pin(self.redis.wait_for(id))
    }
}

fn push_entry(arguments: &mut Vec<Vec<u8>>, entry: ScriptEntry) {
    arguments.push(text(entry.publish_id));
    arguments.extend(entry.fields);
}

fn failed(error: RedisPublishError) -> LedgerError {
    match error {
        RedisPublishError::NotStored(NotStored::Stopped) => LedgerError::Stopped,
        error => LedgerError::Retry(error.to_string().into()),
    }
}

fn word(reply: &[String]) -> &str {
    reply.first().map_or("", String::as_str)
}

fn changed(reply: &[String]) -> Result<LedgerReply, LedgerError> {
    let id = reply.get(1).and_then(|id| stored_id(id));
    Ok(if word(reply) == "ok" { LedgerReply::Changed(id) } else { LedgerReply::Unchanged })
}

fn state(word: &str) -> ClaimState {
    match word {
        "active" => ClaimState::Active,
        "stopping" => ClaimState::Stopping,
        "ended" => ClaimState::Ended,
        "removed" => ClaimState::Removed,
        "other" => ClaimState::Other,
        "behind" => ClaimState::Behind,
        _ => ClaimState::None,
    }
}

/// Reads `MILLISECONDS-NUMBER/PUBLISH-ID`.
fn stored_id(text: &str) -> Option<EventId> {
    let (position, publish) = text.split_once('/')?;
    let (milliseconds, number) = position.split_once('-')?;
    let tag = u32::from_str_radix(publish.get(..8)?, 16).ok()?;
    Some(EventId::new((milliseconds.parse().ok()?, number.parse().ok()?), tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_id_of_a_claim_is_an_event_id() {
        let id = stored_id("1692632086370-2/00009f3a0000000000000000");
        assert_eq!(id, Some(EventId::new((1_692_632_086_370, 2), 0x9f3a)));
        for text in ["", "1-2", "1/00009f3a0000000000000000", "1-2/x", "a-2/00009f3a0000000000000000"] {
            assert_eq!(stored_id(text), None);
        }
    }
}
