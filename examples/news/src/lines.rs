//! Splits bytes into lines.

use crate::feed::MAX_HEADLINE_BYTES;

/// Splits bytes into lines. A line is cut after [`MAX_HEADLINE_BYTES`], and `…` marks the cut, so that input without line breaks
/// takes no memory. Blank lines are skipped, and bytes that are not UTF-8 become U+FFFD.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    cut: bool,
}

impl Lines {
    /// Adds bytes, and calls `on_line` for each complete line.
    pub(crate) fn push(&mut self, bytes: &[u8], on_line: &mut impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ended = piece.strip_suffix(b"\n");
            self.extend(ended.unwrap_or(piece));
            if ended.is_some() {
                self.end(on_line);
            }
        }
    }

    /// Ends the input: calls `on_line` for a last line without a line break.
    pub(crate) fn end(&mut self, on_line: &mut impl FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.line);
        let text = text.trim_end();
        if self.cut {
            // The cut can be inside a character.
            on_line(&format!("{}…", text.trim_end_matches(char::REPLACEMENT_CHARACTER)));
        } else if !text.is_empty() {
            on_line(text);
        }
        self.line.clear();
        self.cut = false;
    }

    fn extend(&mut self, piece: &[u8]) {
        let room = MAX_HEADLINE_BYTES.saturating_sub(self.line.len());
        let kept = piece.get(..room).unwrap_or(piece);
        self.line.extend_from_slice(kept);
        self.cut |= kept.len() < piece.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut all = Vec::new();
        let mut lines = Lines::default();
        pieces.iter().for_each(|piece| lines.push(piece, &mut |line| all.push(line.to_owned())));
        lines.end(&mut |line| all.push(line.to_owned()));
        all
    }

    #[test]
    fn lines_may_arrive_in_pieces_and_the_last_line_needs_no_break() {
        assert_eq!(lines(&[b"a\nb", b"c\r\n\n", b"d"]), ["a", "bc", "d"]);
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        assert_eq!(lines(&[b"caf\xe9\n"]), ["caf\u{fffd}"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let cut = lines(&["é".repeat(MAX_HEADLINE_BYTES).as_bytes(), b"x\nnext\n"]);
        assert_eq!(cut.len(), 2);
        assert_eq!(cut[0], format!("{}…", "é".repeat(MAX_HEADLINE_BYTES / 2)));
        assert_eq!(cut[1], "next");
        // One byte more, so that the cut is inside a character.
        let cut = lines(&[b"x", "é".repeat(MAX_HEADLINE_BYTES).as_bytes()]);
        assert_eq!(cut[0], format!("x{}…", "é".repeat(MAX_HEADLINE_BYTES / 2 - 1)));
    }
}
