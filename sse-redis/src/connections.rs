//! The two connections of a node, which nodes of several logs can share: one publishes, and one reads.

use crate::endpoint::Endpoint;
use crate::log_queue::LogQueue;
use crate::node::NodeLog;
use crate::publish_connection::PublishConnection;
use crate::reader::LogReader;
use crate::stats::ConnectionCounters;
use crate::writer::PublishLimits;
use sse_core::Random;
use std::sync::Arc;
use tokio::runtime::Handle;

pub(crate) struct Connections {
    pub(crate) publishing: Arc<PublishConnection>,
    pub(crate) logs: LogQueue,
    pub(crate) counters: Arc<ConnectionCounters>,
    /// The hash tag of the log with which these connections were made. In a Cluster they lead to the leader of this hash tag.
    pub(crate) hash_tag: Box<str>,
    endpoint: Endpoint,
}

impl Connections {
    pub(crate) fn new(endpoint: Endpoint, hash_tag: &str, limits: PublishLimits, random: Random) -> Self {
        let counters = Arc::new(ConnectionCounters::default());
        let publishing =
            PublishConnection::new(endpoint.clone(), limits.deadline, limits.in_flight, counters.clone(), random);
        Self {
            publishing: Arc::new(publishing),
            logs: LogQueue::default(),
            counters,
            hash_tag: hash_tag.into(),
            endpoint,
        }
    }

    /// Follows this log, until its node is stopped.
    pub(crate) fn follow(&self, runtime: &Handle, log: NodeLog, random: Random) {
        let Some(source) = self.logs.add(log) else { return };
        let (publishing, counters) = (self.publishing.clone(), self.counters.clone());
        runtime.spawn(LogReader::new(self.endpoint.clone(), publishing, counters, random).run(source));
    }
}
