//! Parts of the grammar of HTTP headers (RFC 9110 5.6). They work on bytes, because a header can contain any bytes.

use memchr::memchr2;

/// Whether the bytes are a token, for example a method or the name of a parameter (RFC 9110 5.6.2).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Removes spaces and tabs at both ends (RFC 9110 5.6.3).
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Splits a list at each separator outside of quoted strings, and trims the parts (RFC 9110 5.6.4).
///
/// A quote without a closing quote is an ordinary byte, so the parts after that quote still count. The search for a
/// missing closing quote runs once, so the time is linear.
pub(crate) fn parts(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(list);
    let mut quotes_close = true;
    std::iter::from_fn(move || {
        let bytes = rest?;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if byte == separator {
                let (part, tail) = bytes.split_at(at);
                rest = tail.get(1..);
                return Some(trim(part));
            }
            at += 1;
            if byte == b'"' && quotes_close {
                match quoted(bytes.get(at..).unwrap_or_default()) {
                    Some(len) => at += len,
                    None => quotes_close = false,
                }
            }
        }
        rest = None;
        Some(trim(bytes))
    })
}

/// The length of a quoted string after its opening quote, including the closing quote.
fn quoted(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let found = memchr2(b'"', b'\\', rest)?;
        if rest.get(found) == Some(&b'"') {
            return Some(at + found + 1);
        }
        // A backslash escapes the next byte.
        at += found + 2;
    }
}
