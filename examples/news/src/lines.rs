//! Lines out of bytes, whatever pieces they come in and whatever they hold.

use crate::feed::MAX_HEADLINE_BYTES;

/// Cuts bytes into lines. A line keeps its first [`MAX_HEADLINE_BYTES`] and ends in `…` if there was more, so that input
/// without line breaks costs no memory. Blank lines are skipped, and what is not UTF-8 becomes U+FFFD.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    cut: bool,
}

impl Lines {
    /// Reads on, and tells every line that ends in `bytes`.
    pub(crate) fn push(&mut self, bytes: &[u8], tell: &mut impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ended = piece.strip_suffix(b"\n");
            self.extend(ended.unwrap_or(piece));
            if ended.is_some() {
                self.end(tell);
            }
        }
    }

    /// Tells what there is of a line that was not ended.
    pub(crate) fn end(&mut self, tell: &mut impl FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.line);
        let text = text.trim_end();
        if self.cut {
            // The cut may have gone through a character.
            tell(&format!("{}…", text.trim_end_matches(char::REPLACEMENT_CHARACTER)));
        } else if !text.is_empty() {
            tell(text);
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
        let mut told = Vec::new();
        let mut lines = Lines::default();
        pieces.iter().for_each(|piece| lines.push(piece, &mut |line| told.push(line.to_owned())));
        lines.end(&mut |line| told.push(line.to_owned()));
        told
    }

    #[test]
    fn a_line_may_come_in_pieces_and_the_last_one_need_not_end() {
        assert_eq!(lines(&[b"a\nb", b"c\r\n\n", b"d"]), ["a", "bc", "d"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(lines(&[b"caf\xe9\n"]), ["caf\u{fffd}"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let told = lines(&["é".repeat(MAX_HEADLINE_BYTES).as_bytes(), b"x\nnext\n"]);
        assert_eq!(told.len(), 2);
        assert_eq!(told[0], format!("{}…", "é".repeat(MAX_HEADLINE_BYTES / 2)));
        assert_eq!(told[1], "next");
        // One byte off, so that the bound falls into a character.
        let told = lines(&[b"x", "é".repeat(MAX_HEADLINE_BYTES).as_bytes()]);
        assert_eq!(told[0], format!("x{}…", "é".repeat(MAX_HEADLINE_BYTES / 2 - 1)));
    }
}
