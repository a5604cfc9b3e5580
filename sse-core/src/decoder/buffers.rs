//! The buffers of WHATWG HTML 9.2.6, and what a field does to them.

use super::limits::{DecodeError, Limits};
use crate::event::error::Field;
use std::mem;

/// What the block being read has said so far, and what the stream has said for good.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers {
    pub(super) limits: Limits,
    /// Bytes, because a character may be cut in two; they become text once, at dispatch.
    data: Vec<u8>,
    /// Whether the block has a `data` line, which may be empty.
    has_data: bool,
    /// The last event type. The next block often has the same, which is then neither read nor copied again.
    event_type: String,
    /// Whether it is this block's.
    has_type: bool,
    /// The block's id, until its blank line commits it.
    id: String,
    has_id: bool,
    last_event_id: String,
    reconnection_time: Option<u64>,
    /// The value of the open line, unless it is data, which goes to its own buffer at once.
    value: Vec<u8>,
    /// Where the open line's value begins in `data`.
    line_start: usize,
    /// The block was dispatched: its buffers are read until the next one begins.
    spent: bool,
    /// The block was given up: it is skipped up to its blank line.
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

    /// Lets go of the block that was dispatched.
    pub(super) fn begin(&mut self) {
        if self.spent {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.data.clear();
        self.line_start = 0;
        self.has_type = false;
        self.has_data = false;
        self.has_id = false;
        self.spent = false;
    }

    /// Gives the block up after an error.
    pub(super) fn abandon(&mut self) {
        self.clear();
        self.skipping = true;
    }

    /// The blank line: commits the id and tells whether there is an event to dispatch. `held` says that the block has data
    /// which was left in the input.
    pub(super) fn end_block(&mut self, held: bool) -> bool {
        if mem::take(&mut self.has_id) {
            mem::swap(&mut self.last_event_id, &mut self.id);
        }
        self.skipping = false;
        self.spent = self.has_data || held;
        if !self.spent {
            self.clear();
        }
        self.spent
    }

    /// A whole line.
    #[inline]
    pub(super) fn line(&mut self, field: Field, value: &[u8]) -> Result<(), DecodeError> {
        if field == Field::Data && self.has_data {
            return self.another(value);
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

    /// A whole line of data which is not the block's first.
    #[inline]
    pub(super) fn another(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        self.line_start = self.data.len() + 1;
        self.check(Field::Data, value.len())?;
        make_room(&mut self.data, value.len() + 1, self.limits.event);
        self.data.push(b'\n');
        self.data.extend_from_slice(value);
        Ok(())
    }

    /// The beginning of a line that comes in pieces: then `extend` for each of them, and `close`.
    pub(super) fn open(&mut self, field: Field) -> Result<(), DecodeError> {
        self.value.clear();
        if field == Field::Data { self.line(field, &[]) } else { Ok(()) }
    }

    pub(super) fn extend(&mut self, field: Field, piece: &[u8]) -> Result<(), DecodeError> {
        if field == Field::Data {
            self.check(field, self.data.len() - self.line_start + piece.len())?;
            append(&mut self.data, piece, self.limits.event);
        } else {
            self.check(field, self.value.len() + piece.len())?;
            append(&mut self.value, piece, self.limits.line);
        }
        Ok(())
    }

    pub(super) fn close(&mut self, field: Field) {
        let value = mem::take(&mut self.value);
        self.set(field, &value);
        self.value = value;
    }

    /// Whether a line of this field may have a value of `len` bytes.
    pub(super) const fn check(&self, field: Field, len: usize) -> Result<(), DecodeError> {
        let held = match field {
            Field::Data => self.event_type().len() + self.line_start,
            // It replaces the type that was there.
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

/// Grows by doubling, but not past `limit` unless it must, so that a limit of 1 MiB costs 1 MiB.
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

/// Only ASCII digits are a time. Where the standard is silent, no digits and more than a `u64` are none.
fn milliseconds(value: &[u8]) -> Option<u64> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(value).ok()?.parse().ok()
}
