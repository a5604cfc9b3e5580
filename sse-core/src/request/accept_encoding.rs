//! Reads the `Accept-Encoding` header: whether a client takes a compressed stream.

use crate::request::accept::{q, weight};
use crate::request::grammar::{is_token, parts};

/// The weights of the codings that decide, from 0 to 1000. The last of several equal codings counts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AcceptEncoding {
    gzip: Option<u16>,
    identity: Option<u16>,
    any: Option<u16>,
}

impl AcceptEncoding {
    /// Adds one line of the header.
    pub(crate) fn add_line(&mut self, line: &[u8]) {
        for element in parts(line, b',') {
            let mut parts = parts(element, b';');
            let Some(coding) = parts.next().filter(|coding| is_token(coding)) else { continue };
            let weight = parts.find_map(q).map_or(Some(1000), weight);
            let kind = match coding {
                b"*" => &mut self.any,
                _ if coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip") => &mut self.gzip,
                _ if coding.eq_ignore_ascii_case(b"identity") => &mut self.identity,
                _ => continue,
            };
            // A client with a weight that cannot be read gets plain bytes, which every client can read.
            *kind = Some(weight.unwrap_or(0));
        }
    }

    /// Whether the client accepts gzip, and does not prefer plain bytes. Without the header a stream is plain: a client that
    /// does not name a coding often cannot decode one.
    pub(crate) fn accepts_gzip(self) -> bool {
        let gzip = self.gzip.or(self.any).unwrap_or(0);
        gzip > 0 && self.identity.is_none_or(|identity| identity <= gzip)
    }
}

#[cfg(test)]
mod tests {
    use super::AcceptEncoding;

    fn accepts(lines: &[&str]) -> bool {
        let mut header = AcceptEncoding::default();
        lines.iter().for_each(|line| header.add_line(line.as_bytes()));
        header.accepts_gzip()
    }

    #[test]
    fn gzip_is_accepted_by_its_name_or_by_a_star_and_not_with_a_weight_of_zero() {
        for line in [
            "gzip",
            "GZIP",
            "x-gzip",
            "*",
            "gzip, deflate, br, zstd",
            "br;q=1.0, gzip;q=0.001",
            "gzip; q=0.5",
            "gzip;q=1.000",
            "identity;q=0.5, *;q=0.5",
            "identity;q=0, gzip;q=0.1",
            "*;q=0, gzip",
            ", gzip ,",
            "gzip;Q=0.8",
        ] {
            assert!(accepts(&[line]), "{line}");
        }
        for line in [
            "",
            "identity",
            "br",
            "gzip;q=0",
            "gzip;q=0.000",
            "*;q=0",
            "*, gzip;q=0",
            "identity, gzip;q=0.5",
            "identity;q=0.5, gzip;q=0.4",
            "gzipped",
            "gzip x",
            "gzip;q=2",
            "gzip;q=-1",
            "gzip;q=0.0001",
            "gzip;q=",
            "\"gzip\"",
        ] {
            assert!(!accepts(&[line]), "{line}");
        }
        assert!(accepts(&["br", "gzip"]) && !accepts(&[]));
    }
}
