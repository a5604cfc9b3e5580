//! The buffers of the decoder (WHATWG HTML 9.2.6), and the effect of each field on them.

use super::limits::{DecodeError, DecodeLimits};
use crate::event::error::Field;
use std::mem;

/// The fields of the current block, and the state that the stream keeps between blocks.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers {
    pub(super) limits: DecodeLimits,
    /// The data as bytes, because a chunk may end inside a character. Dispatch converts the data to text.
    data: Vec<u8>,
    /// Whether the block has a `data` line, possibly an empty one.
    has_data: bool,
    /// The newest event type of the stream. If the next block has the same type, the decoder does not copy it again.
    event_type: String,
    /// Whether `event_type` belongs to this block.
    has_type: bool,
    /// The ID of the block. The blank line makes it the last event ID.
    id: String,
    has_id: bool,
    last_event_id: String,
    reconnection_time: Option<u64>,
    /// The value of an unfinished line, except a line of data, which goes into `data` at once.
    value: Vec<u8>,
    /// Offset in `data` of the current line of data.
    line_start: usize,
    /// The block was dispatched. The event borrows the buffers until the next block starts.
    dispatched: bool,
    /// The block is over a limit, so the decoder skips the rest of the block.
    skipping: bool,
}

impl Buffers {
    pub(super) fn with_last_event_id(id: &str) -> Self {
        Self { last_event_id: id.to_owned(), ..Self::default() }
    }

    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    #[inline]
    pub(super) const fn event_type(&self) -> &str {
        if self.has_type { self.event_type.as_str() } else { "" }
    }

    pub(super) fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    pub(super) const fn reconnection_time(&self) -> Option<u64> {
        self.reconnection_time
    }

    pub(super) const fn is_skipping(&self) -> bool {
        self.skipping
    }

    pub(super) const fn has_data(&self) -> bool {
        self.has_data
    }

    /// Clears the fields of a dispatched block.
    pub(super) fn start_block(&mut self) {
        if self.dispatched {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.data.clear();
        self.line_start = 0;
        self.has_type = false;
        self.has_data = false;
        self.has_id = false;
        self.dispatched = false;
    }

    /// Skips the rest of the block after an error.
    pub(super) fn skip_block(&mut self) {
        self.clear();
        self.skipping = true;
    }

    /// Handles the blank line: stores the ID, and returns whether there is an event to dispatch. `data_in_input` is true if
    /// the block's data is in the input and not in the buffer.
    pub(super) fn end_block(&mut self, data_in_input: bool) -> bool {
        if mem::take(&mut self.has_id) {
            mem::swap(&mut self.last_event_id, &mut self.id);
        }
        self.skipping = false;
        self.dispatched = self.has_data || data_in_input;
        if !self.dispatched {
            self.clear();
        }
        self.dispatched
    }

    /// Handles a whole line.
    #[inline]
    pub(super) fn line(&mut self, field: Field, value: &[u8]) -> Result<(), DecodeError> {
        if field == Field::Data && self.has_data {
            return self.next_data_line(value);
        }
        self.check(field, value.len())?;
        if field == Field::Data {
            self.has_data = true;
            append(&mut self.data, value, self.limits.event);
        } else {
            self.set(field, value);
        }
        Ok(())
    }

    /// Handles a whole line of data after the block's first one.
    #[inline]
    pub(super) fn next_data_line(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        self.line_start = self.data.len() + 1;
        self.check(Field::Data, value.len())?;
        make_room(&mut self.data, value.len() + 1, self.limits.event);
        self.data.push(b'\n');
        self.data.extend_from_slice(value);
        Ok(())
    }

    /// Starts a line that is spread over several chunks. `extend_line` adds each piece, and `end_line` ends the line.
    pub(super) fn start_line(&mut self, field: Field) -> Result<(), DecodeError> {
        self.value.clear();
        if field == Field::Data { self.line(field, &[]) } else { Ok(()) }
    }

    pub(super) fn extend_line(&mut self, field: Field, piece: &[u8]) -> Result<(), DecodeError> {
        if field == Field::Data {
            self.check(field, self.data.len() - self.line_start + piece.len())?;
            append(&mut self.data, piece, self.limits.event);
        } else {
            self.check(field, self.value.len() + piece.len())?;
            append(&mut self.value, piece, self.limits.line);
        }
        Ok(())
    }

    pub(super) fn end_line(&mut self, field: Field) {
        let value = mem::take(&mut self.value);
        self.set(field, &value);
        self.value = value;
    }

    /// Checks the limits for a line of this field with a value of `len` bytes.
    pub(super) const fn check(&self, field: Field, len: usize) -> Result<(), DecodeError> {
        let held = match field {
            Field::Data => self.event_type().len() + self.line_start,
            // The value replaces the current type, so the current type does not count.
            Field::Event => self.data.len(),
            Field::Id | Field::Retry => return self.limits.check_line(len),
        };
        self.limits.check(held, len)
    }

    fn set(&mut self, field: Field, value: &[u8]) {
        match field {
            Field::Data => {}
            Field::Event => {
                set_text(&mut self.event_type, value);
                self.has_type = true;
            }
            Field::Id if value.contains(&0) => {}
            Field::Id => {
                set_text(&mut self.id, value);
                self.has_id = true;
            }
            Field::Retry => self.reconnection_time = milliseconds(value).or(self.reconnection_time),
        }
    }
}

#[inline]
fn append(buffer: &mut Vec<u8>, bytes: &[u8], limit: usize) {
    make_room(buffer, bytes.len(), limit);
    buffer.extend_from_slice(bytes);
}

/// Grows the buffer by doubling, but not beyond `limit` unless necessary. So a limit of 1 MiB needs 1 MiB of memory.
#[inline]
fn make_room(buffer: &mut Vec<u8>, more: usize, limit: usize) {
    let len = buffer.len() + more;
    if len > buffer.capacity() {
        grow(buffer, len, limit);
    }
}

#[cold]
fn grow(buffer: &mut Vec<u8>, len: usize, limit: usize) {
    let capacity = buffer.capacity().saturating_mul(2).min(limit).max(len);
    buffer.reserve_exact(capacity - buffer.len());
}

#[inline]
fn set_text(text: &mut String, value: &[u8]) {
    if text.as_bytes() == value {
        return;
    }
    text.clear();
    match str::from_utf8(value) {
        Ok(value) => text.push_str(value),
        Err(_) => text.push_str(&String::from_utf8_lossy(value)),
    }
}

/// Parses ASCII digits. The standard does not define an empty value or a number beyond `u64`; both are ignored.
fn milliseconds(value: &[u8]) -> Option<u64> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(value).ok()?.parse().ok()
}
