//! Where the line breaks of a text are.

use memchr::memchr2;

/// As many bytes as are looked at in one go.
const WINDOW: usize = 64;

/// The place of each CR and each LF, in order.
///
/// To begin a search anew at each line costs as much as a short line itself. So a window of bytes is looked at in one go,
/// and all breaks in it are kept as bits. Only a window without one goes on to `memchr`, which reads a long line faster.
#[derive(Debug)]
pub(crate) struct Breaks<'t> {
    text: &'t [u8],
    /// Where the window begins, and where it ends.
    window: usize,
    end: usize,
    /// The breaks in the window that are still to be told: the lowest bit is its first byte.
    bits: u64,
}

impl<'t> Breaks<'t> {
    #[inline]
    pub(crate) const fn of(text: &'t [u8]) -> Self {
        Self { text, window: 0, end: 0, bits: 0 }
    }

    /// Looks at the window that begins `at`; false if that is no whole one.
    #[inline]
    fn look(&mut self, at: usize) -> bool {
        let window = self.text.get(at..).and_then(|rest| rest.first_chunk());
        if let Some(window) = window {
            (self.window, self.end) = (at, at + WINDOW);
            self.bits = bits(window);
        }
        window.is_some()
    }

    /// Goes on after a window without a break, or less than a window before the end of the text.
    #[cold]
    fn search(&mut self) {
        let Some(found) = self.text.get(self.end..).and_then(|rest| memchr2(b'\r', b'\n', rest)) else {
            self.end = self.text.len();
            return;
        };
        let at = self.end + found;
        if !self.look(at) {
            // Too near the end for a window: this break alone.
            (self.window, self.end, self.bits) = (at, at + 1, 1);
        }
    }
}

impl Iterator for Breaks<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.bits == 0 {
            self.look(self.end);
            if self.bits == 0 {
                self.search();
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

/// A bit for each byte that is a break; the first byte's is the lowest.
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
            // One load, once compiled.
            let bytes: __m128i = _mm_set_epi64x((both >> 64) as i64, both as i64);
            let breaks = _mm_or_si128(_mm_cmpeq_epi8(bytes, cr), _mm_cmpeq_epi8(bytes, lf));
            u64::from(_mm_movemask_epi8(breaks) as u16)
        };
        let (quarters, _) = window.as_chunks();
        quarters.iter().zip(0..).fold(0, |bits, (quarter, at)| bits | of(quarter) << (16 * at))
    }

    // SAFETY: what it needs is what this whole function is compiled for.
    #[expect(unsafe_code, reason = "twice as fast as what the compiler makes of `portable`")]
    unsafe {
        bits(window)
    }
}

#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
use portable as bits;

/// The same, written so that a compiler sees vectors in it: a mark for each byte, then eight marks at a time gathered
/// into the highest byte of a product.
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
        // Under miri, which looks at the one `unsafe` call, a case takes a second.
        #![proptest_config(Config {
            cases: if cfg!(miri) { 3 } else { 256 },
            failure_persistence: None,
            ..Config::default()
        })]

        #[test]
        fn every_break_is_told_once_and_in_order(text in "(\r|\n|[a-c]{0,9}|[a-c\u{8a}\u{8d}]{50,90}){0,40}") {
            let expected: Vec<_> = text.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'\r' | b'\n')).collect();
            let told: Vec<_> = Breaks::of(text.as_bytes()).collect();
            prop_assert_eq!(told, expected.into_iter().map(|(at, _)| at).collect::<Vec<_>>());
        }

        #[test]
        fn both_ways_to_look_see_the_same(window in prop::collection::vec(prop_oneof![0..16u8, any::<u8>()], WINDOW)) {
            let window = window.try_into().expect("a window");
            prop_assert_eq!(bits(&window), portable(&window));
        }
    }
}
