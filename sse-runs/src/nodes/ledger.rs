//! The commands that change the claims of runs together with the log, and their replies. No socket and no clock, so that the
//! simulation can answer them too.
//!
//! A claim belongs to one attempt of a run: it has the token of the attempt, the node, and a state. Every entry of a run is stored
//! by a command that compares the token and the state in the same step. So the log has no entry of an attempt after its end, and
//! no entry of an old attempt in a new one, whatever the network delays.

use sse_core::Frame;
use sse_core::hub::EventId;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The time between two beats of a node.
pub(crate) const BEAT: Duration = Duration::from_secs(1);

/// A node without a beat for this time is taken for dead, and the next beat of any node ends its runs.
pub(crate) const LEASE: Duration = Duration::from_secs(3);

/// After this time without a beat of any node the leases of all nodes start again, because the server was unreachable for all.
pub(crate) const OUTAGE: Duration = Duration::from_millis(2_500);

/// The time for which the claim of a run is kept after its end or removal.
pub(crate) const CLAIM_AGE: Duration = Duration::from_secs(3_600);

/// The largest number of runs of dead nodes that one beat ends.
pub(crate) const SWEEP_RUNS: usize = 256;

/// The largest number of entries and bytes of one write. A single event may be larger.
pub(crate) const WRITE_EVENTS: usize = 512;
pub(crate) const WRITE_BYTES: usize = 256 * 1024;

/// The number of a write that ends a run whose writer does not. Larger than every number of the writer.
pub(crate) const LAST_WRITE: u64 = 1 << 52;

/// The token of a run whose claim was lost. No attempt has it.
pub(crate) const REPAIRED: &str = "repaired";

pub(crate) type LedgerFuture<'l, T> = Pin<Box<dyn Future<Output = T> + Send + 'l>>;

/// The log with its claims, as one node uses it.
pub(crate) trait Ledger: Send + Sync + 'static {
    fn call(&self, call: LedgerCall) -> LedgerFuture<'_, Result<LedgerReply, LedgerError>>;

    /// Returns when the hub of this node has read this entry, or never will.
    fn wait_for(&self, id: EventId) -> LedgerFuture<'_, ()>;
}

/// A command without a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LedgerError {
    /// The command may have been executed or not. Repeating it is safe.
    Retry(Box<str>),
    /// The node was stopped. No command is executed any more.
    Stopped,
}

/// A command. Each of them can be repeated: the second execution changes nothing.
#[derive(Debug, Clone)]
pub(crate) enum LedgerCall {
    Claim(ClaimCall),
    Write(WriteCall),
    /// Ends a run whose claim does not exist, because the server lost it.
    Repair {
        topic: Arc<str>,
        end: Frame,
    },
    Look {
        topic: Arc<str>,
    },
    Stop(RequestCall),
    Remove {
        request: RequestCall,
        /// This node has events of the topic.
        is_kept: bool,
    },
    /// Renews the lease of this node, and ends the runs of dead nodes with this event.
    Beat {
        /// Runs with subscribers at this node.
        attached: Vec<Arc<str>>,
        end: Frame,
    },
    /// Reads the runs of this node.
    Members,
}

/// A request to stop or to remove a run.
#[derive(Debug, Clone)]
pub(crate) struct RequestCall {
    pub(crate) topic: Arc<str>,
    pub(crate) id: Arc<str>,
    /// The attempt, so that a request that arrives late does not concern the next one. Empty for a run without a claim.
    pub(crate) token: Arc<str>,
    /// Differs for each request.
    pub(crate) nonce: Arc<str>,
}

#[derive(Debug, Clone)]
pub(crate) struct ClaimCall {
    pub(crate) topic: Arc<str>,
    pub(crate) token: Arc<str>,
    /// No run had this ID before, so the log needs no removal of its topic.
    pub(crate) is_fresh: bool,
    /// This node has events of the topic.
    pub(crate) is_kept: bool,
    /// Replaces a run that has ended.
    pub(crate) replaces_ended: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct WriteCall {
    pub(crate) topic: Arc<str>,
    pub(crate) token: Arc<str>,
    /// 1 more than that of the last write, or `LAST_WRITE`. The second execution of a number does nothing.
    pub(crate) number: u64,
    pub(crate) events: Arc<[Frame]>,
    pub(crate) end: Option<Frame>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimState {
    None,
    Active,
    /// A stop was requested, and the run has not ended yet.
    Stopping,
    Ended,
    Removed,
    /// Another attempt has the claim.
    Other,
    /// The server lost a write that it had acknowledged.
    Behind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LedgerReply {
    /// The claim, the stop, the removal or the repair was made. The entry that every node must have read, if there is one.
    Changed(Option<EventId>),
    /// Nothing was changed.
    Unchanged,
    /// Another run has the ID: its state, and the entry that every node must have read.
    Taken(ClaimState, Option<EventId>),
    Written,
    /// The write was refused, because the claim has this state.
    Refused(ClaimState),
    Looked {
        state: ClaimState,
        /// Empty without a claim.
        token: Arc<str>,
        id: Option<EventId>,
        /// The time since a node had subscribers of the run.
        idle: Option<Duration>,
    },
    Beaten {
        /// The number of runs that this node has at the server.
        members: usize,
        /// Runs of dead nodes are left.
        more: bool,
        /// The attached runs without a claim.
        unclaimed: Vec<Arc<str>>,
    },
    Members(Vec<Member>),
}

/// A run that this node has at the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) topic: Arc<str>,
    pub(crate) token: Arc<str>,
    pub(crate) state: ClaimState,
}

/// The topic of the requests to stop and to remove runs.
pub(crate) fn control_topic(prefix: &str) -> String {
    format!("sse-runs:{prefix}")
}
