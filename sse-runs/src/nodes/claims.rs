//! Starting, finding, stopping and removing runs on several nodes.

use super::ledger::{ClaimCall, ClaimState, LedgerCall, LedgerError, LedgerReply, RequestCall};
use super::{CALL_LIMIT, Nodes};
use crate::RunLogError;
use crate::StartRunError;
use crate::active::{ActiveRun, Claim};
use crate::inner::RunsInner;
use crate::start::Earlier;
use sse_core::hub::{EventId, Topic};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The longest wait for an entry that another node has written.
const READ_LIMIT: Duration = Duration::from_secs(2);

/// The time limit of a search for a run whose events this node holds.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

impl Nodes {
    /// Waits until this node has read an entry.
    async fn read(&self, id: Option<EventId>) -> Result<(), RunLogError> {
        let Some(id) = id else { return Ok(()) };
        let read = timeout(READ_LIMIT, self.ledger.wait_for(id)).await;
        read.map_err(|_| RunLogError(format!("this node did not read the entry {id} within {READ_LIMIT:?}").into()))
    }

    /// Waits until the log has the end of a run of this node whose work has ended.
    pub(crate) async fn ended(&self, run: &ActiveRun) {
        if let Some(claim) = &run.claim {
            let _ = timeout(CALL_LIMIT, claim.queue.ended()).await;
        }
    }

    /// Claims the ID of a run for this attempt.
    pub(crate) async fn claim(
        &self,
        runs: &RunsInner,
        topic: &Arc<str>,
        claim: &Claim,
        earlier: Earlier,
    ) -> Result<(), StartRunError> {
        let mut call = ClaimCall {
            topic: topic.clone(),
            token: claim.token.clone(),
            is_fresh: earlier == Earlier::None,
            is_kept: runs.is_kept(topic),
            replaces_ended: earlier == Earlier::Replaced,
        };
        loop {
            match self.call(LedgerCall::Claim(call.clone())).await? {
                LedgerReply::Changed(id) => {
                    claim.is_made.store(true, Ordering::Release);
                    // Later subscribers of this node follow this attempt, and not a removed one. If the node reads too slowly, their
                    // streams are closed when the node reads the removal, and they return.
                    let _ = self.read(id).await;
                    return Ok(());
                }
                LedgerReply::Taken(ClaimState::Ended, id) if !call.replaces_ended => {
                    self.read(id).await.map_err(StartRunError::Log)?;
                    call.is_kept = runs.is_kept(topic);
                    if call.is_kept {
                        return Err(StartRunError::Exists);
                    }
                    // The hub has forgotten the run, so the ID is free as in one process.
                    call.replaces_ended = true;
                }
                _ => return Err(StartRunError::Exists),
            }
        }
    }

    /// Whether a run goes on or is kept. Afterwards this node has read the start of the run, or its end.
    pub(crate) async fn find(&self, runs: &RunsInner, topic: &Arc<str>) -> Result<bool, RunLogError> {
        if self.attached.is_fresh(topic) {
            return Ok(true);
        }
        let limit = if runs.is_kept(topic) { LOOK_LIMIT } else { CALL_LIMIT };
        let (state, id) = match self.call_until(LedgerCall::Look { topic: topic.clone() }, Instant::now() + limit).await
        {
            Ok(LedgerReply::Looked { state, id, .. }) => (state, id),
            // Streams go on without the server, so clients that return find the events that this node holds.
            Err(_) if runs.is_kept(topic) => return Ok(true),
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(false),
        };
        match state {
            ClaimState::Active | ClaimState::Stopping => self.read(id).await.map(|()| true),
            ClaimState::Ended => self.read(id).await.map(|()| runs.is_kept(topic)),
            // A claim is forgotten some time after the end, and the hub may keep the run longer.
            ClaimState::None => Ok(runs.is_kept(topic)),
            ClaimState::Removed | ClaimState::Other | ClaimState::Behind => Ok(false),
        }
    }

    /// Remembers that clients of this node may follow the run.
    pub(crate) fn attach(&self, runs: &RunsInner, topic: &Arc<str>) -> Option<Topic> {
        self.attached.add(&runs.settings.hub, topic, runs.settings.bounds)
    }

    pub(crate) async fn stop(&self, topic: Arc<str>, id: Arc<str>) -> Result<bool, RunLogError> {
        match self.call(LedgerCall::Look { topic: topic.clone() }).await? {
            LedgerReply::Looked { state: ClaimState::Active, token, .. } => {
                let request = RequestCall { topic, id, token, nonce: new_token() };
                Ok(matches!(self.call(LedgerCall::Stop(request)).await?, LedgerReply::Changed(_)))
            }
            _ => Ok(false),
        }
    }

    pub(crate) async fn remove(&self, topic: Arc<str>, id: Arc<str>, is_kept: bool) -> Result<bool, RunLogError> {
        let looked = self.call(LedgerCall::Look { topic: topic.clone() }).await?;
        let LedgerReply::Looked { token, .. } = looked else { return Ok(false) };
        let request = RequestCall { topic: topic.clone(), id, token, nonce: new_token() };
        let LedgerReply::Changed(id) = self.call(LedgerCall::Remove { request, is_kept }).await? else {
            return Ok(false);
        };
        self.attached.forget(&topic);
        // The run is removed also if this node has not read that yet.
        let _ = self.read(id).await;
        Ok(true)
    }

    /// Returns when no node has had a subscriber of the run for this long.
    pub(crate) async fn abandoned(&self, topic: &Topic, after: Duration) {
        let name: Arc<str> = topic.name().into();
        let mut wait = after;
        loop {
            sleep(wait).await;
            wait = after;
            if topic.subscribers() > 0 {
                continue;
            }
            match self.call(LedgerCall::Look { topic: name.clone() }).await {
                Ok(LedgerReply::Looked { idle: Some(idle), .. }) if idle < after => wait = after - idle,
                Ok(_) => return,
                // Other nodes may have clients.
                Err(_) => {}
            }
        }
    }
}

pub(crate) fn new_token() -> Arc<str> {
    use sse_core::{Runtime, Tokio};
    Tokio.random().uuid().simple().to_string().into()
}

impl From<LedgerError> for RunLogError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Retry(text) => Self(text),
            LedgerError::Stopped => Self("the node is stopped".into()),
        }
    }
}

impl From<LedgerError> for StartRunError {
    fn from(error: LedgerError) -> Self {
        Self::Log(error.into())
    }
}
