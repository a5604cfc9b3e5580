//! One poll of a stream: the model predicts each chunk.

use crate::history::{Next, TOPICS};
use crate::world::World;
use sse_core::CloseReason;
use std::task::Poll;

impl World {
    /// Polls once. The result must be the one that the model predicts.
    pub(crate) fn poll(&mut self, at: usize) {
        let (client, Some(stream)) = &mut self.clients[at] else { return };
        let polled = stream.reader.poll();
        if stream.ended {
            assert_eq!(polled, Poll::Ready(None));
            return;
        }
        let Some(cursor) = &mut stream.cursor else {
            // Retry later: the wait, and the end.
            match polled {
                Poll::Ready(Some(chunk)) => {
                    assert!(is_retry_later(std::str::from_utf8(&chunk).unwrap()));
                    assert_eq!(stream.ending.replace(CloseReason::Drained), None);
                    stream.wire.extend_from_slice(&chunk);
                }
                polled => {
                    assert_eq!((polled, stream.ending), (Poll::Ready(None), Some(CloseReason::Drained)));
                    stream.ended = true;
                }
            }
            return;
        };
        if let Some(reason) = stream.ending {
            assert_eq!(polled, Poll::Ready(None));
            stream.ended = true;
            match reason {
                CloseReason::Lagged => self.counts.lagged_streams += 1,
                CloseReason::Finished => self.counts.finished_streams += 1,
                _ => self.counts.drained_or_closed_streams += 1,
            }
            return;
        }
        let chunk = match &polled {
            Poll::Ready(Some(chunk)) => std::str::from_utf8(chunk).unwrap(),
            _ => "",
        };
        stream.wire.extend_from_slice(chunk.as_bytes());
        // After data a keep-alive may come from half an interval on, and after a keep-alive at one interval.
        let since = stream.last_write.map(|at| self.now - at);
        let keep_alive_due = stream.keep_alive && since.is_some_and(|since| since >= 15);
        let keep_alive_may_come = stream.keep_alive && since.is_some_and(|since| 2 * since >= 15 && !stream.kept_alive);
        if !chunk.is_empty() {
            stream.last_write = Some(self.now);
            stream.kept_alive = false;
        }
        let pending = std::mem::take(&mut stream.pending);
        let history = &self.history;
        if let Some((began, _)) = self.drain
            && let Some(rest) = chunk.strip_prefix(&*pending)
            && is_drains_retry(rest)
        {
            assert!(self.now >= began);
            // A stream may lag before the drain ends it. Its end is then spread over the window too.
            let lagged = self.hub.stats().lagged > self.counts.lagged;
            if lagged {
                let next = history.next(&client.topics, cursor.position);
                assert!(self.lag_ends && matches!(next, Next::Gaps(..)));
                self.counts.lagged += 1;
            }
            stream.ending = Some(if lagged { CloseReason::Lagged } else { CloseReason::Drained });
            return;
        }
        if let Some((began, window)) = self.drain {
            assert!(self.now < began + window, "a stream that is open after the drain window");
        }
        if !pending.is_empty() {
            assert_eq!(chunk, pending);
            return;
        }
        if !cursor.removed.is_empty() {
            assert_eq!(polled, Poll::Ready(None), "a stream of a removed topic ends");
            stream.ended = true;
            self.counts.drained_or_closed_streams += 1;
            return;
        }
        // A delivered event may have been truncated.
        let mut moved = false;
        for truncation in &history.truncations[std::mem::replace(&mut cursor.truncations, history.truncations.len())..]
        {
            if truncation.kept < cursor.position && cursor.position <= truncation.last {
                cursor.position = truncation.last;
                moved = true;
            }
        }
        if moved {
            assert_eq!(chunk, "event: gap\ndata: {\"reason\":\"unknown\"}\n\n");
            cursor.announced = cursor.position;
            self.counts.gaps += 1;
            return;
        }
        let mut rest = chunk;
        let mut blocks = 0;
        let lag_ends = self.lag_ends;
        let mut lags = false;
        loop {
            let next = history.next(&client.topics, cursor.position);
            let block = match &next {
                Next::Nothing => break,
                Next::Event(at) => history.event(*at).block.clone(),
                Next::Gaps(position, topics) => {
                    let subscribed_late = |topic: &usize| {
                        let at = client.topics.iter().position(|known| known == topic).unwrap();
                        cursor.position < cursor.trimmed[at].max(*history.resets.last().unwrap_or(&0))
                    };
                    lags = !topics.iter().all(subscribed_late);
                    if lags && lag_ends {
                        break;
                    }
                    let mut truncations = history.truncations.iter();
                    let is_truncated =
                        truncations.any(|truncation| truncation.kept < *position && truncation.last == *position);
                    let id = if is_truncated { String::new() } else { format!("id: {}\n", history.id_of(*position)) };
                    let gap = |(at, topic): (usize, &usize)| {
                        let id = if at + 1 == topics.len() { &*id } else { "" };
                        format!("event: gap\ndata: {{\"reason\":\"trimmed\",\"topic\":{}}}\n{id}\n", TOPICS[*topic].1)
                    };
                    topics.iter().enumerate().map(gap).collect()
                }
            };
            if rest.is_empty() {
                break;
            }
            let Some(after) = rest.strip_prefix(&*block) else {
                panic!("{next:?} is expected after {}, not:\n{rest:.300}", cursor.position)
            };
            rest = after;
            blocks += 1;
            match next {
                Next::Event(at) => {
                    cursor.position = history.event(at).position;
                    self.counts.delivered += 1;
                }
                Next::Gaps(position, topics) => {
                    cursor.position = position;
                    self.counts.gaps += topics.len() as u64;
                    self.counts.lagged += u64::from(std::mem::take(&mut lags));
                }
                Next::Nothing => {}
            }
            cursor.announced = cursor.position;
        }
        if blocks > 0 {
            assert_eq!(rest, "", "more bytes than the model predicts");
            assert!(chunk.len() <= 64 * 1024 + 4096 || blocks == 1, "a chunk of {} bytes", chunk.len());
            return;
        }
        match history.next(&client.topics, cursor.position) {
            Next::Gaps(..) if lags && lag_ends => {
                assert_eq!(polled, Poll::Ready(None), "a stream that lags ends");
                stream.ended = true;
                self.counts.lagged += 1;
                self.counts.lagged_streams += 1;
            }
            Next::Nothing if !client.topics.is_empty() && history.are_over(&client.topics, cursor.position) => {
                assert_eq!(chunk, "event: sse-end\nid: end\ndata: {}\n\n");
                stream.ending = Some(CloseReason::Finished);
            }
            Next::Nothing if keep_alive_due || keep_alive_may_come && polled.is_ready() => {
                stream.kept_alive = true;
                let mut block = ":\n".to_owned();
                if self.position_updates {
                    let before = cursor.position;
                    cursor.position = before.max(history.head());
                    // A truncation gives the head the ID of an earlier position.
                    if cursor.announced == before && history.id_at(before) == history.id_at(cursor.position) {
                        cursor.announced = cursor.position;
                    }
                    if cursor.position != cursor.announced {
                        cursor.announced = cursor.position;
                        let id = history.id_at(cursor.position).unwrap();
                        block = format!("event: sse-position\nid: {id}\ndata: {{}}\n\n");
                    }
                }
                assert_eq!(chunk, block);
            }
            Next::Nothing => assert_eq!(polled, Poll::Pending),
            next => panic!("{next:?} did not come: {polled:?}"),
        }
    }
}

/// Whether this is the whole "retry later" answer. The answer repeats the ID that the client brought.
fn is_retry_later(text: &str) -> bool {
    let text: String = text.split_inclusive('\n').filter(|line| !line.starts_with("id: ")).collect();
    let blocks = text.strip_prefix(":\nevent: sse-open\n").and_then(|blocks| blocks.split_once("event: sse-later\n"));
    blocks.is_some_and(|(retry, reason)| is_drains_retry(retry) && reason.starts_with("data: {\"reason\":\""))
}

/// Whether this is a `retry:` of 1,000 to 5,000 ms, and nothing else.
fn is_drains_retry(text: &str) -> bool {
    let time = text.strip_prefix("retry: ").and_then(|text| text.strip_suffix("\n\n"));
    time.and_then(|time| time.parse().ok()).is_some_and(|time: u64| (1_000..=5_000).contains(&time))
}
