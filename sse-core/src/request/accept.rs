//! What the `Accept` header says about event streams.

use crate::request::grammar::{is_token, parts, trim};

/// How a route reads the `Accept` header of a request.
///
/// The media ranges of all its lines are one list, in which the most specific range that covers `text/event-stream`
/// decides: `text/event-stream`, then `text/*`, then `*/*`; of several equal ones the highest q-value. `q=0` refuses.
/// Parameters other than `q` are ignored, an element that is no media range is skipped, and a `q` that is no q-value is 1.
///
/// # Examples
/// ```
/// use sse_core::{AcceptMode, Policy, Request};
///
/// let page = Request::new("GET", None, [("accept", &b"text/html,*/*;q=0.8"[..])]);
/// assert!(Policy::default().check(&page).is_ok());
/// assert!(Policy::default().accept(AcceptMode::Named).check(&page).is_err());
/// ```
///
/// Source: RFC 9110 12.4.2 and 12.5.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcceptMode {
    /// Whatever covers the type will do, `*/*` and `text/*` too. A header that is absent, empty, or without a single
    /// media range accepts.
    #[default]
    Negotiated,
    /// The request must name `text/event-stream` or `text/*`. For routes that are a page as well, because a browser that
    /// opens a page says `*/*;q=0.8`.
    Named,
    /// The header is not looked at. For routes that decide by the body, as model APIs do whose clients ask for JSON.
    Any,
}

/// Of the ranges that cover `text/event-stream`, whether each kind accepts; filled line by line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Accept {
    exact: Option<bool>,
    text: Option<bool>,
    any: Option<bool>,
    /// There was a media range at all.
    readable: bool,
}

impl Accept {
    /// Reads one more line of the header.
    pub(crate) fn read(&mut self, line: &[u8]) {
        parts(line, b',').for_each(|element| self.element(element));
    }

    pub(crate) fn allows(self, mode: AcceptMode) -> bool {
        let named = self.exact.or(self.text);
        match mode {
            AcceptMode::Negotiated => named.or(self.any).unwrap_or(!self.readable),
            AcceptMode::Named => named.unwrap_or(false),
            AcceptMode::Any => true,
        }
    }

    fn element(&mut self, element: &[u8]) {
        let mut parts = parts(element, b';');
        let Some((main, sub)) = parts.next().and_then(media_range) else { return };
        self.readable = true;
        let kind = match (main, sub) {
            (b"*", b"*") => &mut self.any,
            (main, b"*") if main.eq_ignore_ascii_case(b"text") => &mut self.text,
            (main, sub) if main.eq_ignore_ascii_case(b"text") && sub.eq_ignore_ascii_case(b"event-stream") => {
                &mut self.exact
            }
            _ => return,
        };
        let accepts = !parts.find_map(q).is_some_and(is_zero);
        // Of equal ranges the highest q-value decides, and all that counts of that is whether it is zero.
        *kind = Some(kind.unwrap_or(false) || accepts);
    }
}

/// Type and subtype. `*` is a token, but a type may be left open only together with its subtype.
fn media_range(range: &[u8]) -> Option<(&[u8], &[u8])> {
    let (main, sub) = split_at_byte(range, b'/')?;
    (is_token(main) && is_token(sub) && (main != b"*" || sub == b"*")).then_some((main, sub))
}

/// The value of this parameter, if it is `q`.
fn q(parameter: &[u8]) -> Option<&[u8]> {
    let (name, value) = split_at_byte(parameter, b'=')?;
    trim(name).eq_ignore_ascii_case(b"q").then(|| trim(value))
}

/// At most three digits follow the point; more are no q-value, and that is 1.
fn is_zero(q: &[u8]) -> bool {
    matches!(q, b"0" | b"0." | b"0.0" | b"0.00" | b"0.000")
}

fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (before, after) = bytes.split_at(memchr::memchr(byte, bytes)?);
    Some((before, after.get(1..)?))
}
