//! The newest pieces that were compressed alone, for other clients that need the same bytes.

use crate::runtime::sync::atomic::{AtomicUsize, Ordering};
use crate::runtime::sync::{Arc, Mutex};
use bytes::Bytes;
use std::collections::VecDeque;

/// The number of pieces in memory, if they are small.
const PIECES: usize = 8;

/// The bytes of all pieces in memory, except that the newest piece may be larger.
const PIECES_BYTES: usize = 1024 * 1024;

/// All pieces have at most this part of `hub_bytes`, and a larger piece is not kept. The hub trims events to make room and not
/// pieces, so without this bound the pieces would take the room of all events of a small hub.
const PART_OF_HUB: usize = 8;

#[derive(Debug)]
pub(super) struct Pieces {
    max_bytes: usize,
    held: Arc<AtomicUsize>,
    newest: Mutex<VecDeque<Piece>>,
}

/// A piece and the bytes that it decodes to. Equal bytes are the same piece, wherever they are from.
#[derive(Debug)]
struct Piece {
    plain: Bytes,
    piece: Bytes,
}

impl Piece {
    const fn len(&self) -> usize {
        self.plain.len() + self.piece.len()
    }

    fn decodes_to(&self, plain: &[u8]) -> bool {
        self.plain.len() == plain.len() && (std::ptr::eq(&*self.plain, plain) || self.plain == plain)
    }
}

impl Pieces {
    pub(super) fn new(held: Arc<AtomicUsize>, hub_bytes: usize) -> Self {
        Self { max_bytes: hub_bytes / PART_OF_HUB, held, newest: Mutex::new(VecDeque::new()) }
    }

    pub(super) fn get(&self, plain: &Bytes, compress: impl FnOnce() -> Bytes) -> Bytes {
        let found =
            self.newest.lock().iter().rev().find(|piece| piece.decodes_to(plain)).map(|piece| piece.piece.clone());
        if let Some(found) = found {
            return found;
        }
        let piece = compress();
        let new = Piece { plain: plain.clone(), piece: piece.clone() };
        if new.len() > self.max_bytes {
            return piece;
        }
        self.held.fetch_add(new.len(), Ordering::Relaxed);
        let mut old = Vec::new();
        {
            let mut newest = self.newest.lock();
            newest.push_back(new);
            let mut bytes = newest.iter().map(Piece::len).sum::<usize>();
            while newest.len() > PIECES || (bytes > self.max_bytes.min(PIECES_BYTES) && newest.len() > 1) {
                let Some(oldest) = newest.pop_front() else { break };
                bytes -= oldest.len();
                old.push(oldest);
            }
        }
        self.drop_all(old);
        piece
    }

    pub(super) fn clear(&self) {
        let all = std::mem::take(&mut *self.newest.lock());
        self.drop_all(all);
    }

    fn drop_all(&self, pieces: impl IntoIterator<Item = Piece>) {
        let bytes = pieces.into_iter().map(|piece| piece.len()).sum();
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}
