//! The beats of a node: its lease, the ends of the runs of dead nodes, and the comparison with the server.

use super::Nodes;
use super::ledger::{BEAT, ClaimState, LAST_WRITE, LEASE, LedgerCall, LedgerReply, Member, WriteCall};
use crate::active::StopCause;
use crate::builder::RunEnd;
use crate::inner::RunsInner;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The wait after a beat without a reply.
const AGAIN: Duration = Duration::from_millis(200);

pub(super) async fn keep_beating(runs: Weak<RunsInner>) {
    loop {
        let next = Instant::now() + BEAT;
        let (beaten, must_compare) = {
            let Some(runs) = runs.upgrade() else { return };
            let Some(nodes) = &runs.nodes else { return };
            (nodes.beat(&runs).await, nodes.must_compare.clone())
        };
        // The last user of the runs may drop them meanwhile.
        match beaten {
            None => sleep(AGAIN).await,
            // Runs of dead nodes are left.
            Some(true) => {}
            Some(false) => {
                tokio::select! {
                    () = sleep_until(next) => continue,
                    () = must_compare.notified() => {}
                }
                let Some(runs) = runs.upgrade() else { return };
                let Some(nodes) = &runs.nodes else { return };
                nodes.compare(&runs).await;
            }
        }
    }
}

impl Nodes {
    /// Renews the lease. Returns whether another beat should follow at once, or `None` without a reply.
    async fn beat(&self, runs: &Arc<RunsInner>) -> Option<bool> {
        let attached = self.attached.next(&runs.settings.hub);
        let beat = LedgerCall::Beat { attached, end: runs.last_frame(&RunEnd::Lost)? };
        let reply = timeout(LEASE, self.ledger.call(beat)).await;
        let Ok(Ok(LedgerReply::Beaten { members, more, unclaimed })) = reply else { return None };
        for topic in &unclaimed {
            self.repair(runs, topic).await;
        }
        if members != runs.active.claimed() {
            self.compare(runs).await;
        }
        Some(more)
    }

    /// Ends a run without a claim, if this node has not read its end.
    pub(super) async fn repair(&self, runs: &Arc<RunsInner>, topic: &Arc<str>) {
        if runs.settings.hub.ended(&**topic).is_none()
            && let Some(end) = runs.last_frame(&RunEnd::Lost)
        {
            let _ = self.call(LedgerCall::Repair { topic: topic.clone(), end }).await;
        }
    }

    /// Compares the runs of this node with those that the server has. They differ after the server lost data, after other
    /// nodes have ended the runs of this node, and for a moment while a run starts or ends.
    async fn compare(&self, runs: &Arc<RunsInner>) {
        let Ok(Ok(LedgerReply::Members(members))) = timeout(LEASE, self.ledger.call(LedgerCall::Members)).await else {
            return;
        };
        let mut members: HashMap<_, _> = members.into_iter().map(|member| (member.token.clone(), member)).collect();
        for run in runs.active.all() {
            let Some(claim) = &run.claim else { continue };
            match members.remove(&claim.token) {
                Some(Member { state: ClaimState::Stopping, .. }) => drop(run.stop(StopCause::Requested)),
                Some(_) => {}
                // The writer finds out.
                None => claim.queue.check(),
            }
        }
        for (token, Member { topic, .. }) in members {
            // A run whose start was given up, or whose end the server lost.
            self.end_as_lost(runs, &topic, &token).await;
        }
    }

    /// Ends an attempt whose writer cannot.
    pub(super) async fn end_as_lost(&self, runs: &RunsInner, topic: &Arc<str>, token: &Arc<str>) {
        let end = runs.last_frame(&RunEnd::Lost);
        let (topic, token) = (topic.clone(), token.clone());
        let write = WriteCall { topic, token, number: LAST_WRITE, events: Arc::default(), end };
        let _ = self.call(LedgerCall::Write(write)).await;
    }
}
