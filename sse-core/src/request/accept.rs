//! Reads the `Accept` header: whether a request accepts an event stream.

use crate::request::grammar::{is_token, parts, trim};

/// How a route reads the `Accept` header of a request.
///
/// The media ranges of all `Accept` lines form one list. The most specific range that covers `text/event-stream` decides:
/// `text/event-stream`, then `text/*`, then `*/*`. Of several equal ranges the one with the highest q-value decides.
/// `q=0` excludes event streams.
///
/// Parameters other than `q` are ignored, invalid media ranges are skipped, and an invalid q-value counts as 1.
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
    /// Any range that covers the type is accepted, also `*/*` and `text/*`. An absent or empty header, or one without a
    /// valid media range, accepts event streams too. The default.
    #[default]
    Negotiated,
    /// The request must name `text/event-stream` or `text/*`. For a route that also returns a page, because a browser
    /// requests a page with `*/*;q=0.8`.
    Named,
    /// The header is ignored. For a route that decides by the request's body, for example the API of a language model,
    /// whose clients send `accept: application/json`.
    Any,
}

/// For each kind of range that covers `text/event-stream`, whether the header accepts the kind.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Accept {
    exact: Option<bool>,
    text: Option<bool>,
    any: Option<bool>,
    /// The header has a valid media range.
    has_range: bool,
}

impl Accept {
    /// Adds one line of the header.
    pub(crate) fn add_line(&mut self, line: &[u8]) {
        parts(line, b',').for_each(|element| self.element(element));
    }

    pub(crate) fn allows(self, mode: AcceptMode) -> bool {
        let named = self.exact.or(self.text);
        match mode {
            AcceptMode::Negotiated => named.or(self.any).unwrap_or(!self.has_range),
            AcceptMode::Named => named.unwrap_or(false),
            AcceptMode::Any => true,
        }
    }

    fn element(&mut self, element: &[u8]) {
        let mut parts = parts(element, b';');
        let Some((main, sub)) = parts.next().and_then(media_range) else { return };
        self.has_range = true;
        let kind = match (main, sub) {
            (b"*", b"*") => &mut self.any,
            (main, b"*") if main.eq_ignore_ascii_case(b"text") => &mut self.text,
            (main, sub) if main.eq_ignore_ascii_case(b"text") && sub.eq_ignore_ascii_case(b"event-stream") => {
                &mut self.exact
            }
            _ => return,
        };
        let accepts = !parts.find_map(q).is_some_and(is_zero);
        // Of equal ranges the highest q-value decides. Only zero or not zero matters.
        *kind = Some(kind.unwrap_or(false) || accepts);
    }
}

/// Splits a media range into type and subtype. `*` as the type requires `*` as the subtype.
fn media_range(range: &[u8]) -> Option<(&[u8], &[u8])> {
    let (main, sub) = split_at_byte(range, b'/')?;
    (is_token(main) && is_token(sub) && (main != b"*" || sub == b"*")).then_some((main, sub))
}

/// Returns the value of the parameter if its name is `q`.
pub(crate) fn q(parameter: &[u8]) -> Option<&[u8]> {
    let (name, value) = split_at_byte(parameter, b'=')?;
    trim(name).eq_ignore_ascii_case(b"q").then(|| trim(value))
}

/// Whether the q-value is zero. A q-value has at most three digits after the point; others are invalid and count as 1.
fn is_zero(q: &[u8]) -> bool {
    matches!(q, b"0" | b"0." | b"0.0" | b"0.00" | b"0.000")
}

/// The q-value in thousandths. `None` if it is invalid (RFC 9110 12.4.2).
pub(crate) fn weight(q: &[u8]) -> Option<u16> {
    let (whole, digits) = match q {
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', digits @ ..] if digits.len() <= 3 => (whole, digits),
        _ => return None,
    };
    let mut weight = u16::from(whole - b'0') * 1000;
    for (digit, unit) in digits.iter().zip([100, 10, 1]) {
        weight += u16::from(char::from(*digit).to_digit(10)? as u8) * unit;
    }
    (weight <= 1000).then_some(weight)
}

fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (before, after) = bytes.split_at(memchr::memchr(byte, bytes)?);
    Some((before, after.get(1..)?))
}
