//! An event source that keeps IDs and half blocks as the engines do, written apart from the library's own decoder.
//!
//! Other packages of this workspace include this file by its path.

/// Which engine it reads as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    /// WHATWG HTML 9.2.6, as Chromium does.
    #[default]
    Exact,
    /// Keeps an ID only if its block has data: Firefox, and most libraries.
    IdWithData,
    /// So does WebKit. After a connection that broke it also puts the rest of that response before the next one: the
    /// unfinished line, the data, the event type and the ID.
    KeepsHalf,
}

/// Every mode.
pub(crate) const MODES: [Mode; 3] = [Mode::Exact, Mode::IdWithData, Mode::KeepsHalf];

/// One event that it dispatched, those of the server's own types included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// The event type; `message` if the block has none.
    pub(crate) event_type: String,
    /// The data.
    pub(crate) data: String,
    /// The last event ID at this moment.
    pub(crate) id: String,
}

impl Event {
    /// Whether a page can have a listener for it.
    pub(crate) fn is_heard(&self) -> bool {
        !matches!(&*self.event_type, "sse-position" | "sse-open" | "sse-end" | "sse-later")
    }
}

/// An event source over all its connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EventSource {
    mode: Mode,
    last_event_id: String,
    retry: Option<u64>,
    line: Vec<u8>,
    after_cr: bool,
    data: Option<Vec<u8>>,
    event_type: Vec<u8>,
    id: Option<Vec<u8>>,
}

impl EventSource {
    /// One that has not connected yet.
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// The ID that a reconnect brings; empty for none.
    pub(crate) fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The reconnection time in milliseconds, once the server sent one.
    pub(crate) const fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// The next connection brings this ID instead.
    pub(crate) fn bring(&mut self, id: &str) {
        id.clone_into(&mut self.last_event_id);
    }

    /// The response ended as it should: an unfinished block is dropped.
    pub(crate) fn end(&mut self) {
        let (mode, retry) = (self.mode, self.retry);
        *self = Self { mode, retry, last_event_id: std::mem::take(&mut self.last_event_id), ..Self::default() };
    }

    /// The connection broke.
    pub(crate) fn break_off(&mut self) {
        if self.mode != Mode::KeepsHalf {
            self.end();
        }
    }

    /// Reads bytes, cut anywhere, and gives what it dispatches.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in bytes {
            let ends_crlf = std::mem::take(&mut self.after_cr) && byte == b'\n';
            match byte {
                _ if ends_crlf => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.take(&line));
                }
                _ => self.line.push(byte),
            }
        }
        events
    }

    fn take(&mut self, line: &[u8]) -> Option<Event> {
        if line.is_empty() {
            return self.dispatch();
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default());
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                let data = self.data.get_or_insert_default();
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            b"event" => self.event_type = value.to_vec(),
            b"id" if !value.contains(&0) => self.id = Some(value.to_vec()),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                self.retry = String::from_utf8_lossy(value).parse().ok().or(self.retry);
            }
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let event_type = String::from_utf8_lossy(&std::mem::take(&mut self.event_type)).into_owned();
        let data = self.data.take();
        let has_data = data.is_some();
        if has_data || self.mode == Mode::Exact {
            if let Some(id) = self.id.take() {
                self.last_event_id = String::from_utf8_lossy(&id).into_owned();
            }
        } else if self.mode == Mode::IdWithData {
            // WebKit keeps it for the next block that has data.
            self.id = None;
        }
        let data = data?;
        Some(Event {
            event_type: if event_type.is_empty() { "message".to_owned() } else { event_type },
            data: String::from_utf8_lossy(&data[..data.len() - 1]).into_owned(),
            id: self.last_event_id.clone(),
        })
    }
}
