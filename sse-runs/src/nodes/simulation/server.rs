//! A Redis server as the scripts of `scripts.rs` see it: the log, the claims and the leases. Each command is one step.

use crate::nodes::ledger::{
    CLAIM_AGE, ClaimState, LAST_WRITE, LEASE, LedgerCall, LedgerReply, Member, OUTAGE, REPAIRED, RequestCall,
    SWEEP_RUNS, WriteCall, control_topic,
};
use sse_core::hub::EventId;
use sse_core::{Event, Frame};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// What an entry does.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Event(Frame),
    End(Frame),
    Remove,
}

impl Change {
    pub(super) const fn is_end(&self) -> bool {
        matches!(self, Self::End(_))
    }
}

#[derive(Debug, Clone)]
struct ModelClaim {
    token: Arc<str>,
    node: u64,
    state: ClaimState,
    number: u64,
    entry: Option<EventId>,
    request: Option<Arc<str>>,
    attached: Option<u64>,
    expires: Option<u64>,
}

#[derive(Default)]
pub(super) struct Server {
    pub(super) is_down: bool,
    pub(super) log: Vec<(EventId, Arc<str>, Change)>,
    claims: HashMap<Arc<str>, ModelClaim>,
    /// The end of each node's lease, in milliseconds.
    leases: BTreeMap<u64, u64>,
    last_beat: u64,
    members: BTreeMap<u64, BTreeSet<Arc<str>>>,
    pub(super) commands: u64,
}

const PREFIX: &str = "run/";

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

impl Server {
    /// The position of the entry that a node must have read before it serves the run.
    pub(super) fn entry_of(&self, topic: &str) -> u64 {
        self.claims.get(topic).and_then(|claim| claim.entry).map_or(0, |entry| entry.position().0)
    }

    fn add(&mut self, topic: &Arc<str>, change: Change) -> EventId {
        let position = self.log.last().map_or(1, |(id, ..)| id.position().0 + 1);
        let id = EventId::new((position, 0), 0x5eed ^ position as u32);
        self.log.push((id, topic.clone(), change));
        id
    }

    fn request(&mut self, kind: &'static str, token: &str, id: &str) {
        let event = Event::data(format!("{token} {id}")).event(kind).frame().unwrap();
        self.add(&control_topic(PREFIX).into(), Change::Event(event));
    }

    /// Loses everything, as a server without persistence that was restarted.
    pub(super) fn wipe(&mut self) {
        self.claims.clear();
        self.leases.clear();
        self.members.clear();
        self.last_beat = 0;
    }

    /// Loses the claim of one run.
    #[cfg(feature = "redis")]
    pub(super) fn lose(&mut self, topic: &str) {
        self.claims.remove(topic);
    }

    /// Loses the last write of a run.
    pub(super) fn lose_write(&mut self, topic: &str) {
        self.claims.entry(topic.into()).and_modify(|claim| claim.number -= 1);
    }

    /// The number of the next write of a run.
    #[cfg(feature = "redis")]
    pub(super) fn next_number(&self, topic: &str) -> u64 {
        self.claims.get(topic).map_or(1, |claim| claim.number + 1)
    }

    /// The token of the attempt that has the claim.
    #[cfg(feature = "redis")]
    pub(super) fn token_of(&self, topic: &str) -> Option<Arc<str>> {
        self.claims.get(topic).map(|claim| claim.token.clone())
    }

    /// Ends the lease of a node.
    #[cfg(feature = "redis")]
    pub(super) fn expire(&mut self, node: u64) {
        self.leases.entry(node).and_modify(|lease| *lease = 1);
    }

    /// Executes the command of a node.
    pub(super) fn execute(&mut self, node: u64, call: LedgerCall, now: u64) -> LedgerReply {
        self.commands += 1;
        self.claims.retain(|_, claim| claim.expires.is_none_or(|expires| expires > now));
        match call {
            LedgerCall::Claim(call) => {
                let known = self.claims.get(&call.topic).map(|claim| (claim.token.clone(), claim.state, claim.entry));
                let entry = match known {
                    Some((token, _, entry)) if token == call.token => return LedgerReply::Changed(entry),
                    Some((_, ClaimState::Removed, entry)) => entry,
                    Some((_, state, entry)) if state != ClaimState::Ended || !call.replaces_ended => {
                        return LedgerReply::Taken(state, entry);
                    }
                    None if call.is_kept && !call.replaces_ended => return LedgerReply::Taken(ClaimState::Ended, None),
                    _ if call.is_fresh => None,
                    _ => Some(self.add(&call.topic, Change::Remove)),
                };
                let claim = ModelClaim {
                    token: call.token,
                    node,
                    state: ClaimState::Active,
                    number: 0,
                    entry,
                    request: None,
                    attached: None,
                    expires: None,
                };
                self.claims.insert(call.topic.clone(), claim);
                self.members.entry(node).or_default().insert(call.topic);
                self.leases.insert(node, now + millis(LEASE));
                LedgerReply::Changed(entry)
            }
            LedgerCall::Write(call) => self.write(node, call, now),
            LedgerCall::Repair { topic, end } => {
                if self.claims.contains_key(&topic) {
                    return LedgerReply::Unchanged;
                }
                let entry = Some(self.add(&topic, Change::End(end)));
                let claim = ModelClaim {
                    token: REPAIRED.into(),
                    node,
                    state: ClaimState::Ended,
                    number: 0,
                    entry,
                    request: None,
                    attached: None,
                    expires: Some(now + millis(CLAIM_AGE)),
                };
                self.claims.insert(topic, claim);
                LedgerReply::Changed(entry)
            }
            LedgerCall::Look { topic } => {
                let claim = self.claims.get(&topic);
                LedgerReply::Looked {
                    state: claim.map_or(ClaimState::None, |claim| claim.state),
                    token: claim.map_or_else(|| "".into(), |claim| claim.token.clone()),
                    id: claim.and_then(|claim| claim.entry),
                    idle: claim.and_then(|claim| claim.attached).map(|at| Duration::from_millis(now - at)),
                }
            }
            LedgerCall::Stop(call) => {
                let Some(claim) = self.claims.get_mut(&call.topic) else { return LedgerReply::Unchanged };
                match claim.state {
                    ClaimState::Stopping if claim.request.as_ref() == Some(&call.nonce) => {}
                    ClaimState::Active if claim.token == call.token => {
                        (claim.state, claim.request) = (ClaimState::Stopping, Some(call.nonce));
                        self.request("stop", &call.token, &call.id);
                    }
                    _ => return LedgerReply::Unchanged,
                }
                LedgerReply::Changed(None)
            }
            LedgerCall::Remove { request, is_kept } => self.remove(request, is_kept, now),
            LedgerCall::Beat { attached, end } => self.beat(node, &attached, &end, now),
            LedgerCall::Members => {
                let claims = &self.claims;
                let members = self.members.entry(node).or_default();
                let is_open = |claim: &&ModelClaim| matches!(claim.state, ClaimState::Active | ClaimState::Stopping);
                let claim = |topic: &Arc<str>| claims.get(topic).filter(is_open).filter(|claim| claim.node == node);
                members.retain(|topic| claim(topic).is_some());
                let member = |topic: &Arc<str>| {
                    let claim = claim(topic)?;
                    Some(Member { topic: topic.clone(), token: claim.token.clone(), state: claim.state })
                };
                LedgerReply::Members(members.iter().filter_map(member).collect())
            }
        }
    }

    fn write(&mut self, node: u64, call: WriteCall, now: u64) -> LedgerReply {
        let Some(claim) = self.claims.get_mut(&call.topic) else { return LedgerReply::Refused(ClaimState::None) };
        if claim.token != call.token {
            return LedgerReply::Refused(ClaimState::Other);
        }
        if claim.number >= call.number {
            return LedgerReply::Written;
        }
        if matches!(claim.state, ClaimState::Ended | ClaimState::Removed) {
            return LedgerReply::Refused(claim.state);
        }
        if call.number != LAST_WRITE && call.number != claim.number + 1 {
            return LedgerReply::Refused(ClaimState::Behind);
        }
        claim.number = call.number;
        for event in call.events.iter() {
            self.add(&call.topic, Change::Event(event.clone()));
        }
        if let Some(end) = call.end {
            let entry = Some(self.add(&call.topic, Change::End(end)));
            if let Some(claim) = self.claims.get_mut(&call.topic) {
                (claim.state, claim.entry) = (ClaimState::Ended, entry);
                claim.expires = Some(now + millis(CLAIM_AGE));
            }
            self.members.entry(node).or_default().remove(&call.topic);
        }
        LedgerReply::Written
    }

    fn remove(&mut self, call: RequestCall, is_kept: bool, now: u64) -> LedgerReply {
        let RequestCall { topic, id, token, nonce } = call;
        let known = self.claims.get(&topic).cloned();
        match &known {
            Some(claim) if claim.state == ClaimState::Removed => {
                let is_own = claim.request.as_ref() == Some(&nonce);
                return if is_own { LedgerReply::Changed(claim.entry) } else { LedgerReply::Unchanged };
            }
            Some(claim) if claim.token != token => return LedgerReply::Unchanged,
            None if !is_kept || !token.is_empty() => return LedgerReply::Unchanged,
            _ => {}
        }
        let entry = Some(self.add(&topic, Change::Remove));
        if let Some(claim) = known.iter().find(|it| matches!(it.state, ClaimState::Active | ClaimState::Stopping)) {
            self.request("remove", &claim.token, &id);
            self.members.entry(claim.node).or_default().remove(&topic);
        }
        let claim = ModelClaim {
            token: known.as_ref().map_or(nonce.clone(), |claim| claim.token.clone()),
            node: 0,
            state: ClaimState::Removed,
            number: 0,
            entry,
            request: Some(nonce),
            attached: known.as_ref().and_then(|claim| claim.attached),
            expires: Some(now + millis(CLAIM_AGE)),
        };
        self.claims.insert(topic, claim);
        LedgerReply::Changed(entry)
    }

    fn beat(&mut self, node: u64, attached: &[Arc<str>], end: &Frame, now: u64) -> LedgerReply {
        if now - self.last_beat > millis(OUTAGE) {
            self.leases.values_mut().for_each(|lease| *lease = now + millis(LEASE));
        }
        self.last_beat = now;
        self.leases.insert(node, now + millis(LEASE));
        let (mut most, mut more) = (SWEEP_RUNS, false);
        let dead: Vec<u64> = self.leases.iter().filter(|(_, lease)| **lease < now).map(|(node, _)| *node).collect();
        for dead in dead {
            let topics: Vec<_> = self.members.get(&dead).into_iter().flatten().take(most).cloned().collect();
            most -= topics.len();
            for topic in topics {
                self.members.entry(dead).or_default().remove(&topic);
                let Some(claim) = self.claims.get(&topic) else { continue };
                if claim.node != dead || !matches!(claim.state, ClaimState::Active | ClaimState::Stopping) {
                    continue;
                }
                let entry = Some(self.add(&topic, Change::End(end.clone())));
                if let Some(claim) = self.claims.get_mut(&topic) {
                    (claim.state, claim.entry) = (ClaimState::Ended, entry);
                    claim.expires = Some(now + millis(CLAIM_AGE));
                }
            }
            if self.members.get(&dead).is_none_or(BTreeSet::is_empty) {
                self.leases.remove(&dead);
            } else {
                more = true;
            }
        }
        let mut unclaimed = Vec::new();
        for topic in attached {
            match self.claims.get_mut(topic) {
                Some(claim) => claim.attached = Some(now),
                None => unclaimed.push(topic.clone()),
            }
        }
        LedgerReply::Beaten { members: self.members.get(&node).map_or(0, BTreeSet::len), more, unclaimed }
    }
}
