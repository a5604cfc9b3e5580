//! The pieces of HTTP's grammar that requests are read with (RFC 9110 5.6), over bytes, because a header may hold any.

use memchr::memchr2;

/// Whether this is a token: what a method, a media type and a parameter's name are made of (RFC 9110 5.6.2).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Without the spaces and tabs at its edges (RFC 9110 5.6.3).
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The trimmed parts of a list, split at a separator that stands outside quoted strings (RFC 9110 5.6.4).
///
/// A quote that is never closed is a byte like any other, so that it cannot hide the parts after it. It is sought once,
/// which keeps this linear.
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

/// The length of a quoted string after its opening quote, the closing one included.
fn quoted(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let found = memchr2(b'"', b'\\', rest)?;
        if rest.get(found) == Some(&b'"') {
            return Some(at + found + 1);
        }
        // A backslash takes the byte after it along.
        at += found + 2;
    }
}
