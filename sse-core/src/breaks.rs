//! Where lines break: each CR and each LF of a text, in order.
//!
//! Lines are short as a rule, and a search that starts anew for each of them spends most of its time on starting. So the
//! text is looked at 64 bytes at a time, in a form that compilers turn into vector instructions, and a long line is left
//! to `memchr`.

use memchr::memchr2;

const BLOCK: usize = 64;

/// The places of the breaks in a text.
#[derive(Debug)]
pub(crate) struct Breaks<'t> {
    /// What was not looked at.
    rest: &'t [u8],
    /// Where the last block begins, and its breaks that were not handed out: bit n is the byte n.
    start: usize,
    breaks: u64,
    /// Where `rest` begins.
    next: usize,
}

impl<'t> Breaks<'t> {
    #[inline]
    pub(crate) const fn of(text: &'t [u8]) -> Self {
        Self { rest: text, start: 0, breaks: 0, next: 0 }
    }

    /// Goes on to the next block with a break; false if there is none.
    #[inline]
    fn advance(&mut self) -> bool {
        let Some((block, rest)) = self.rest.split_first_chunk() else { return self.finish() };
        self.breaks = breaks(block);
        if self.breaks == 0 {
            return self.skip();
        }
        self.rest = rest;
        self.start = self.next;
        self.next += BLOCK;
        true
    }

    /// The end of the text, too short for a block.
    #[inline(never)]
    fn finish(&mut self) -> bool {
        let rest = std::mem::take(&mut self.rest);
        let mut block = [0; BLOCK];
        if let Some(block) = block.get_mut(..rest.len()) {
            block.copy_from_slice(rest);
        }
        self.start = self.next;
        self.breaks = breaks(&block);
        self.breaks != 0
    }

    /// The rest of a long line, up to a block that begins with its break.
    #[inline(never)]
    fn skip(&mut self) -> bool {
        let rest = self.rest.get(BLOCK..).unwrap_or_default();
        let Some(at) = memchr2(b'\r', b'\n', rest) else {
            self.rest = &[];
            return false;
        };
        self.rest = rest.get(at..).unwrap_or_default();
        self.next += BLOCK + at;
        match self.rest.split_first_chunk() {
            None => self.finish(),
            Some((block, rest)) => {
                self.breaks = breaks(block);
                self.rest = rest;
                self.start = self.next;
                self.next += BLOCK;
                true
            }
        }
    }
}

impl Iterator for Breaks<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.breaks == 0 && !self.advance() {
            return None;
        }
        let at = self.start + self.breaks.trailing_zeros() as usize;
        self.breaks &= self.breaks - 1;
        Some(at)
    }
}

#[inline]
fn is_break(byte: u8) -> bool {
    (byte == b'\n') | (byte == b'\r')
}

/// Bit n tells whether byte n is a break.
#[inline]
fn breaks(block: &[u8; BLOCK]) -> u64 {
    let mut ones = [0; BLOCK];
    for (one, &byte) in ones.iter_mut().zip(block) {
        *one = u8::from(is_break(byte));
    }
    let (words, _) = ones.as_chunks();
    let words = || words.iter().map(|word| u64::from_le_bytes(*word));
    if words().fold(0, |any, word| any | word) == 0 {
        return 0;
    }
    // Eight bytes that are 0 or 1 become eight bits: the product moves each to its place in the top byte.
    let bits = words().map(|word| word.wrapping_mul(0x0102_0408_1020_4080) >> 56);
    bits.enumerate().fold(0, |breaks, (at, bits)| breaks | bits << (8 * at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_break_is_found_in_its_place() {
        for line in [0, 1, 7, 62, 63, 64, 65, 127, 255, 256, 257, 300, 1000] {
            for ending in ["\n", "\r", "\r\n"] {
                let text = format!("{}{ending}", "x".repeat(line)).repeat(5) + "tail";
                let expected = text.bytes().enumerate().filter(|(_, byte)| is_break(*byte)).map(|(at, _)| at);
                assert!(Breaks::of(text.as_bytes()).eq(expected), "lines of {line} bytes that end in {ending:?}");
            }
        }
    }
}
