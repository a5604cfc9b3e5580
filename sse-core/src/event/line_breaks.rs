//! Finds the line breaks of a text.

use memchr::memchr2;

/// Bytes that one search step covers.
const WINDOW: usize = 64;

/// Iterates over the offsets of all CR and LF bytes, in order.
///
/// A new search for each line would cost as much as encoding a short line. So one step searches a window of 64 bytes and
/// keeps all breaks of the window as bits. If a window has no break, `memchr` searches the rest, because `memchr` is
/// faster on long lines.
#[derive(Debug)]
pub(crate) struct LineBreaks<'t> {
    text: &'t [u8],
    /// Offset of the window.
    window: usize,
    /// Offset after the window.
    end: usize,
    /// The breaks that `next` has not returned yet. The lowest bit stands for the first byte of the window.
    bits: u64,
}

impl<'t> LineBreaks<'t> {
    #[inline]
    pub(crate) const fn of(text: &'t [u8]) -> Self {
        Self { text, window: 0, end: 0, bits: 0 }
    }

    /// Searches the window at `at`. False if fewer than 64 bytes remain.
    #[inline]
    fn search_window(&mut self, at: usize) -> bool {
        let window = self.text.get(at..).and_then(|rest| rest.first_chunk());
        if let Some(window) = window {
            (self.window, self.end) = (at, at + WINDOW);
            self.bits = bits(window);
        }
        window.is_some()
    }

    /// Searches the rest of the text, after a window without a break or where less than a window remains.
    #[cold]
    fn search_rest(&mut self) {
        let Some(found) = self.text.get(self.end..).and_then(|rest| memchr2(b'\r', b'\n', rest)) else {
            self.end = self.text.len();
            return;
        };
        let at = self.end + found;
        if !self.search_window(at) {
            // Less than a window remains. The new window holds this break alone.
            (self.window, self.end, self.bits) = (at, at + 1, 1);
        }
    }
}

impl Iterator for LineBreaks<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.bits == 0 {
            self.search_window(self.end);
            if self.bits == 0 {
                self.search_rest();
                if self.bits == 0 {
                    return None;
                }
            }
        }
        let at = self.window + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits.wrapping_sub(1);
        Some(at)
    }
}

/// Returns one bit per byte of the window: 1 for CR and LF. The lowest bit stands for the first byte.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[inline]
fn bits(window: &[u8; WINDOW]) -> u64 {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8};

    #[inline]
    #[target_feature(enable = "sse2")]
    fn bits(window: &[u8; WINDOW]) -> u64 {
        let (cr, lf) = (_mm_set1_epi8(b'\r' as i8), _mm_set1_epi8(b'\n' as i8));
        let of = |quarter: &[u8; 16]| {
            let both = u128::from_le_bytes(*quarter);
            // The compiler turns this into one load.
            let bytes: __m128i = _mm_set_epi64x((both >> 64) as i64, both as i64);
            let breaks = _mm_or_si128(_mm_cmpeq_epi8(bytes, cr), _mm_cmpeq_epi8(bytes, lf));
            u64::from(_mm_movemask_epi8(breaks) as u16)
        };
        let (quarters, _) = window.as_chunks();
        quarters.iter().zip(0..).fold(0, |bits, (quarter, at)| bits | of(quarter) << (16 * at))
    }

    // SAFETY: the inner function requires SSE2. This function exists only under `cfg(target_feature = "sse2")`, so the
    // compiler may assume SSE2 everywhere in this program, and every CPU that runs the program must have SSE2.
    #[expect(unsafe_code, reason = "twice as fast as the code that the compiler generates for `portable`")]
    unsafe {
        bits(window)
    }
}

#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
use portable as bits;

/// The same result in safe code that the compiler can vectorise. Each byte becomes a mark of 0 or 1. A multiplication
/// then gathers eight marks into the highest byte of the product.
#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "sse2"))))]
#[inline]
fn portable(window: &[u8; WINDOW]) -> u64 {
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut marks = [0; WINDOW];
    marks.iter_mut().zip(window).for_each(|(mark, byte)| *mark = u8::from(*byte == b'\r' || *byte == b'\n'));
    let (words, _) = marks.as_chunks();
    words.iter().zip(0..).fold(0, |bits, (word, at)| {
        let gathered = u64::from_le_bytes(*word).wrapping_mul(GATHER) >> 56;
        bits | gathered << (8 * at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::Config;

    proptest! {
        // Miri checks the `unsafe` call, and needs a second per case.
        #![proptest_config(Config {
            cases: if cfg!(miri) { 3 } else { 256 },
            failure_persistence: None,
            ..Config::default()
        })]

        #[test]
        fn each_break_is_returned_once_and_in_order(text in "(\r|\n|[a-c]{0,9}|[a-c\u{8a}\u{8d}]{50,90}){0,40}") {
            let expected: Vec<_> = text.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'\r' | b'\n')).collect();
            let found: Vec<_> = LineBreaks::of(text.as_bytes()).collect();
            prop_assert_eq!(found, expected.into_iter().map(|(at, _)| at).collect::<Vec<_>>());
        }

        #[test]
        fn sse2_and_portable_code_give_the_same_bits(window in prop::collection::vec(prop_oneof![0..16u8, any::<u8>()], WINDOW)) {
            let window = window.try_into().expect("a window");
            prop_assert_eq!(bits(&window), portable(&window));
        }
    }
}
