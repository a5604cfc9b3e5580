//! Which requests open a stream, with which last event ID, and the answers to the others.

use proptest::prelude::*;
use sse_core::AcceptMode::{self, Any, Named, Negotiated};
use sse_core::{Accepted, LastEventId, MAX_ID_BYTES, Policy, Rejection, Request};

type Lines<'a> = &'a [&'a [u8]];

fn get<'a>(name: &'a str, lines: Lines<'a>) -> Request<'a> {
    Request::new("GET", None, lines.iter().map(|line| (name, *line)))
}

fn accepts(mode: AcceptMode, lines: Lines<'_>) -> bool {
    match Policy::default().accept(mode).check(&get("accept", lines)) {
        Ok(_) => true,
        Err(Rejection::NotAcceptable { mode: told }) if told == mode => false,
        Err(other) => panic!("{other}"),
    }
}

const CHROME_NAVIGATION: &[u8] =
    b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
const FIREFOX_NAVIGATION: &[u8] = b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const JAVA: &[u8] = b"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2";
const MCP: &[u8] = b"application/json, text/event-stream";

/// The lines of a request's `Accept` header, and whether they accept in the modes Negotiated and Named.
const ACCEPT: &[(Lines<'_>, bool, bool)] = &[
    // Common clients.
    (&[b"text/event-stream"], true, true),
    (&[CHROME_NAVIGATION], true, false),
    (&[FIREFOX_NAVIGATION], true, false),
    (&[JAVA], true, false),
    (&[MCP], true, true),
    (&[b"application/json"], false, false),
    (&[b"text/html"], false, false),
    // Absent, empty and invalid headers.
    (&[], true, false),
    (&[b""], true, false),
    (&[b" \t "], true, false),
    (&[b",, ,"], true, false),
    (&[b"garbage"], true, false),
    (&[b"\xff\xfe\x00, \x80/\x80"], true, false),
    (&[b"*"], true, false),
    (&[b"*/html"], true, false),
    (&[b"/"], true, false),
    (&[b"text/"], true, false),
    (&[b";q=0"], true, false),
    (&[b"text /event-stream"], true, false),
    (&[b"text/event-stream/x"], true, false),
    // Ranges.
    (&[b"*/*"], true, false),
    (&[b"text/*"], true, true),
    (&[b"application/*"], false, false),
    (&[b"text/event-streams"], false, false),
    (&[b"xtext/event-stream"], false, false),
    (&[b"text/event"], false, false),
    (&[b"text/ev*"], false, false),
    (&[b"application/x; what=text/event-stream"], false, false),
    // An element that is no range is skipped; the others count.
    (&[b"garbage, text/event-stream"], true, true),
    (&[b"garbage, text/html"], false, false),
    (&[b"\xff, */*"], true, false),
    (&[b"text/html,,text/event-stream,"], true, true),
    // q-values.
    (&[b"text/event-stream;q=0"], false, false),
    (&[b"text/event-stream;q=0."], false, false),
    (&[b"text/event-stream;q=0.0"], false, false),
    (&[b"text/event-stream;q=0.000"], false, false),
    (&[b"text/event-stream;q=0.001"], true, true),
    (&[b"text/event-stream;q=1.000"], true, true),
    (&[b"*/*;q=0"], false, false),
    (&[b"text/*;q=0"], false, false),
    (&[b"text/html, */*;q=0"], false, false),
    // An invalid q-value is 1.
    (&[b"text/event-stream;q=0.0000"], true, true),
    (&[b"text/event-stream;q="], true, true),
    (&[b"text/event-stream;q"], true, true),
    (&[b"text/event-stream;q=-1"], true, true),
    (&[b"text/event-stream;q=\"0\""], true, true),
    (&[b"text/event-stream;q=\xff"], true, true),
    (&[b"text/event-stream;q=1e9"], true, true),
    // The first parameter with the exact name `q` counts.
    (&[b"text/event-stream;q=0;q=1"], false, false),
    (&[b"text/event-stream;q=1;q=0"], true, true),
    (&[b"text/event-stream;qs=0"], true, true),
    (&[b"text/event-stream;x;q=0"], false, false),
    // The most specific range decides, at any place.
    (&[b"text/event-stream;q=0, */*;q=1"], false, false),
    (&[b"*/*;q=1, text/event-stream;q=0"], false, false),
    (&[b"text/event-stream;q=0, text/*;q=1"], false, false),
    (&[b"text/*;q=0, */*"], false, false),
    (&[b"text/*;q=0, text/event-stream;q=0.1"], true, true),
    (&[b"*/*;q=0, text/*"], true, true),
    (&[b"*/*;q=0, text/event-stream"], true, true),
    // The highest q-value of equal ranges decides.
    (&[b"text/event-stream;q=0, text/event-stream"], true, true),
    (&[b"text/event-stream, text/event-stream;q=0"], true, true),
    (&[b"*/*;q=0, */*;q=0.1"], true, false),
    (&[b"text/event-stream;q=0, text/event-stream;q=0"], false, false),
    // Upper case and white space.
    (&[b"TEXT/Event-Stream"], true, true),
    (&[b"Text/*"], true, true),
    (&[b"text/event-stream;Q=0"], false, false),
    (&[b" \ttext/event-stream \t;\t q=0 "], false, false),
    (&[b"text/html ,\ttext/event-stream"], true, true),
    (&[b"text/event-stream; q = 0"], false, false),
    // Parameters.
    (&[b"text/event-stream;charset=utf-8"], true, true),
    (&[b"text/event-stream;charset=utf-8;q=0"], false, false),
    (&[b"text/event-stream;;q=0"], false, false),
    (&[b"text/event-stream;x=\"a,b;q=0\""], true, true),
    (&[b"text/event-stream;x=\"a,b;q=1\";q=0"], false, false),
    (&[b"text/html;x=\", text/event-stream, \""], false, false),
    (&[b"text/html;x=\"\\\", text/event-stream, \""], false, false),
    (&[b"text/html;x=\"\\\\\", text/event-stream"], true, true),
    // A quote without an end hides no later element.
    (&[b"text/html;x=\", text/event-stream"], true, true),
    (&[b"\"garbage, text/event-stream;q=0, */*"], false, false),
    (&[b"text/html;x=\"\\"], false, false),
    // Several lines are one list, and a quote ends with its line.
    (&[b"text/html", b"text/event-stream"], true, true),
    (&[b"text/html", b"application/json"], false, false),
    (&[b"*/*", b"text/event-stream;q=0"], false, false),
    (&[b"text/html;x=\"", b"text/event-stream", b"\""], true, true),
    (&[b"", b"text/html"], false, false),
];

/// Hazard E9.
#[test]
fn accept_is_read_by_range_q_value_and_specificity() {
    for (lines, negotiated, named) in ACCEPT {
        let shown: Vec<_> = lines.iter().map(|line| line.escape_ascii().to_string()).collect();
        assert_eq!(accepts(Negotiated, lines), *negotiated, "negotiated {shown:?}");
        assert_eq!(accepts(Named, lines), *named, "named {shown:?}");
        assert!(accepts(Any, lines), "any {shown:?}");
    }
}

/// Hazard E9.
#[test]
fn a_header_of_8_kib_is_read_to_its_end() {
    let mut header = b"application/x-a;v=\"1,2\", ".repeat(8 * 1024 / 25);
    assert!(!accepts(Negotiated, &[&header]));
    header.extend_from_slice(b"text/event-stream");
    assert!(accepts(Named, &[&header]));
    header.extend_from_slice(&b", text/event-stream;q=0.5".repeat(100));
    assert!(accepts(Named, &[&header]));
}

#[test]
fn reading_any_accept_header_takes_linear_time() {
    // Quadratic time would take minutes for one mebibyte.
    for unit in ["\\\"", ";\\\"", "\"", "\\", "\"\\\"", "\"\\\",", ",", ";", " ", ",\"", "a/b;\"\\", "a/b;x=\"\\\","] {
        let mut header = unit.repeat(1024 * 1024 / unit.len());
        accepts(Negotiated, &[header.as_bytes()]);
        header.insert(0, '"');
        accepts(Named, &[header.as_bytes()]);
    }
}

fn brought(lines: Lines<'_>) -> LastEventId {
    Policy::default().check(&get("Last-Event-ID", lines)).unwrap().last_event_id
}

fn text(id: &str) -> LastEventId {
    LastEventId::Text(id.into())
}

/// Hazard B8.
#[test]
fn each_form_of_the_last_event_id_header_has_its_variant() {
    let longest = "x".repeat(MAX_ID_BYTES);
    let googol = format!("1{}", "0".repeat(30));
    let wide = "…".repeat(43); // 129 bytes
    let (spaced, too_long) = (format!(" {longest} "), format!("{longest}x"));
    let table: &[(Lines<'_>, LastEventId)] = &[
        (&[], LastEventId::Absent),
        (&[b""], LastEventId::Empty),
        (&[b"\t"], LastEventId::Empty),
        (&[b" \t "], LastEventId::Empty),
        (&[b"41"], text("41")),
        (&[b" \t41\t "], text("41")),
        (&[b"a\tb c"], text("a\tb c")),
        (&[b"a, b"], text("a, b")),
        (&["…".as_bytes()], text("…")),
        (&[b"%E2%80%A6"], text("%E2%80%A6")),
        (&["\u{FFFD}".as_bytes()], text("\u{FFFD}")),
        (&[googol.as_bytes()], text(&googol)),
        (&[b"End"], text("End")),
        (&[longest.as_bytes()], text(&longest)),
        (&[spaced.as_bytes()], text(&longest)),
        (&[too_long.as_bytes()], LastEventId::TooLong),
        (&[wide.as_bytes()], LastEventId::TooLong),
        (&[&[b'x'; 8192]], LastEventId::TooLong),
        (&[&[0xFF; 8192]], LastEventId::TooLong),
        (&[&[0xFF]], LastEventId::NotUtf8),
        (&[b"\xE2\x80"], LastEventId::NotUtf8),
        (&[b"1", b"2"], LastEventId::Repeated),
        (&[b"1", b"2", b"1"], LastEventId::Repeated),
        (&[b"", b"1"], LastEventId::Repeated),
        (&[b"end", b"1"], LastEventId::Repeated),
        (&[b"1", b"1"], text("1")),
        (&[b"1", b" 1\t"], text("1")),
        (&[b"", b""], LastEventId::Empty),
        (&[b"\xFF", b"\xFF"], LastEventId::NotUtf8),
    ];
    for (lines, expected) in table {
        let outcome = brought(lines);
        assert_eq!(outcome, *expected, "{lines:?}");
        assert_eq!(outcome.as_str().is_some(), matches!(outcome, LastEventId::Text(_)));
        assert!(!outcome.is_end());
    }
}

/// Hazard H3.
#[test]
fn the_id_end_is_answered_204_on_get_alone() {
    let both = Policy::default().methods(["GET", "POST"]);
    let request = |method| Request::new(method, None, [("last-event-id", &b" end "[..])]);
    assert_eq!(both.check(&request("GET")), Err(Rejection::Finished));
    let posted = both.check(&request("POST")).unwrap();
    assert!(posted.last_event_id.is_end() && !posted.is_get);
    assert_eq!(both.check(&Request::new("GET", None, [("last-event-id", &b"end"[..]); 2])), Err(Rejection::Finished));
}

#[test]
fn on_get_a_parameter_of_the_query_stands_in_for_a_header_that_is_absent_or_empty() {
    let long = format!("id={}", "x".repeat(129));
    let table: &[(&str, LastEventId)] = &[
        ("", LastEventId::Absent),
        ("room=1", LastEventId::Absent),
        ("ID=1", LastEventId::Absent),
        ("id", LastEventId::Empty),
        ("id=", LastEventId::Empty),
        ("room=1&id=41&x", text("41")),
        ("id=%E2%80%A6", text("…")),
        ("%69d=a+b%26c", text("a b&c")),
        ("id=%00", text("\0")),
        ("id=%", text("%")),
        ("id=1&id=1", text("1")),
        ("id=1&id=%31", text("1")),
        ("id=1&id=2", LastEventId::Repeated),
        ("id=%FF", LastEventId::NotUtf8),
        ("id=%EF%BF%BD", LastEventId::NotUtf8),
        (&long, LastEventId::TooLong),
    ];
    let policy = Policy::default().last_event_id_query("id");
    for (query, expected) in table {
        let request = Request::new("GET", Some(query), []);
        assert_eq!(policy.check(&request).unwrap().last_event_id, *expected, "{query}");
        assert_eq!(Policy::default().check(&request).unwrap().last_event_id, LastEventId::Absent, "another name");
        let by_default = query.replacen("%69d=", "id=", 1).replace("id=", "lastEventId=");
        let by_default = if *query == "id" { "lastEventId".to_owned() } else { by_default };
        for header in [&[][..], &[("last-event-id", &b" "[..])]] {
            let request = |method| Request::new(method, Some(&by_default), header.iter().copied());
            let brought = |policy: Policy, method| policy.check(&request(method)).unwrap().last_event_id;
            let without = if header.is_empty() { LastEventId::Absent } else { LastEventId::Empty };
            let expected = if *expected == LastEventId::Absent { &without } else { expected };
            assert_eq!(brought(Policy::default(), "GET"), *expected, "{by_default}");
            assert_eq!(brought(Policy::default().last_event_id_query(None), "GET"), without, "{by_default}");
            let post = || Policy::default().methods(["POST"]);
            assert_eq!(brought(post(), "POST"), without, "{by_default}");
            assert_eq!(brought(post().last_event_id_query("lastEventId"), "POST"), *expected, "{by_default}");
        }
    }
    assert_eq!(policy.check(&Request::new("GET", None, [])).unwrap().last_event_id, LastEventId::Absent);
    assert_eq!(policy.check(&Request::new("GET", Some("id=end"), [])), Err(Rejection::Finished));
    // A header that is not empty comes first.
    for (header, expected) in [(&b"7"[..], text("7")), (b"\xFF", LastEventId::NotUtf8)] {
        let request = Request::new("GET", Some("id=end"), [("Last-Event-Id", header)]);
        assert_eq!(policy.check(&request).unwrap().last_event_id, expected);
    }
    let empty = Request::new("GET", Some("id=end"), [("Last-Event-Id", &b""[..])]);
    assert_eq!(policy.check(&empty), Err(Rejection::Finished));
}

#[test]
fn methods_are_case_sensitive() {
    let none: [&str; 0] = [];
    let policies = [
        (Policy::default(), "GET, HEAD"),
        (Policy::default().methods(["GET"]), "GET, HEAD"),
        (Policy::default().methods(["GET", "POST"]), "GET, HEAD, POST"),
        (Policy::default().methods(["POST"]), "POST"),
        (Policy::default().methods(["HEAD", "GET", "GET"]), "HEAD, GET"),
        (Policy::default().methods(["QUERY", "get"]), "QUERY, get"),
        (Policy::default().methods(["", "A B", "GET\r\nx: y", "GET, PUT", "É", "PUT"]), "PUT"),
        (Policy::default().methods(none), ""),
    ];
    for (policy, allow) in &policies {
        for method in ["GET", "get", "Get", "HEAD", "head", "POST", "PUT", "QUERY", "OPTIONS", "", " GET", "GET, HEAD"]
        {
            let expected = match method {
                _ if method.is_empty() || !allow.split(", ").any(|name| name == method) => {
                    Err(Rejection::MethodNotAllowed { allow: (*allow).into() })
                }
                "HEAD" => Err(Rejection::Head),
                _ => Ok((LastEventId::Absent, method == "GET")),
            };
            let verdict = policy.check(&Request::new(method, None, []));
            assert_eq!(verdict.map(|admitted| (admitted.last_event_id, admitted.is_get)), expected, "{method} {allow}");
        }
    }
}

#[test]
fn rejections_have_a_fixed_order() {
    let policy = Policy::default().methods(["GET", "POST"]);
    let request = |method, accept: &'static str| {
        Request::new(method, None, [("ACCEPT", accept.as_bytes()), ("LAST-EVENT-ID", b"end")])
    };
    let status = |method, accept| policy.check(&request(method, accept)).map_err(|refusal| refusal.status());
    assert_eq!(status("PUT", "text/html"), Err(405));
    assert_eq!(status("HEAD", "text/html"), Err(406));
    assert_eq!(status("GET", "text/html"), Err(406));
    assert_eq!(status("HEAD", "*/*"), Err(200));
    assert_eq!(status("GET", "*/*"), Err(204));
    assert!(status("POST", "*/*").is_ok());
}

/// Hazard E9.
#[test]
fn check_optional_requires_the_type_by_name() {
    let policy = Policy::default();
    let request = |method, accept: &'static [u8]| Request::new(method, None, [("accept", accept)]);
    let named = |policy: &Policy, method, accept| policy.check_optional(&request(method, accept));
    let some = |verdict: Result<Option<Accepted>, _>| verdict.map(|admitted| admitted.is_some());
    assert_eq!(some(named(&policy, "GET", b"text/event-stream")), Ok(true));
    assert_eq!(some(named(&policy, "GET", CHROME_NAVIGATION)), Ok(false));
    assert_eq!(some(named(&policy, "GET", b"text/*, text/event-stream;q=0")), Ok(false));
    assert_eq!(some(policy.check_optional(&Request::new("GET", None, []))), Ok(false));
    let not_allowed = Err(Rejection::MethodNotAllowed { allow: "GET, HEAD".into() });
    assert_eq!(some(named(&policy, "POST", b"text/event-stream")), not_allowed);
    assert_eq!(some(named(&policy, "POST", b"application/json, text/event-stream")), not_allowed);
    assert_eq!(some(named(&policy, "POST", b"application/json")), Ok(false), "only Accept decides");
    let posted = Policy::default().methods(["POST"]);
    assert_eq!(some(named(&posted, "POST", b"application/json, text/event-stream")), Ok(true));
    assert_eq!(some(named(&posted, "GET", b"text/html")), Ok(false));
    assert_eq!(named(&policy, "HEAD", b"text/event-stream"), Err(Rejection::Head));
    assert_eq!(some(named(&policy, "HEAD", b"*/*")), Ok(false));
    let any = Policy::default().accept(Any);
    assert_eq!(some(named(&any, "GET", b"application/json")), Ok(true));
    let finished = [("accept", &b"text/event-stream"[..]), ("last-event-id", b"end")];
    assert_eq!(policy.check_optional(&Request::new("GET", None, finished)), Err(Rejection::Finished));
    assert_eq!(some(policy.check_optional(&Request::new("GET", None, [("last-event-id", &b"end"[..])]))), Ok(false));
}

#[test]
fn rejection_has_status_headers_and_body() {
    let answer = |refusal: &Rejection| {
        let headers: Vec<_> = refusal.headers().map(|(name, value)| format!("{name}: {value}")).collect();
        (refusal.status(), headers.join("\n"), refusal.body())
    };
    let text = "content-type: text/plain; charset=utf-8\ncache-control: no-store";
    let methods = |allow: &str| answer(&Rejection::MethodNotAllowed { allow: allow.into() });
    let (status, headers, body) = methods("GET, HEAD");
    assert_eq!((status, headers), (405, format!("allow: GET, HEAD\n{text}")));
    assert!(body.starts_with("this route opens an event stream only for these methods: GET, HEAD\n"), "{body}");
    for (allow, line) in [
        ("GET, HEAD", r#"let policy = Policy::default().methods(["GET", "POST"]);"#),
        ("POST", r#"let policy = Policy::default().methods(["POST", "GET"]);"#),
        ("GET, HEAD, POST", r#"let policy = Policy::default().methods(["GET", "POST", "PUT"]);"#),
        ("", r#"let policy = Policy::default().methods(["POST"]);"#),
    ] {
        let (_, _, body) = methods(allow);
        assert!(body.ends_with(&format!("\n\n    {line}\n")), "{body}");
    }
    for mode in [Negotiated, Named] {
        let (status, headers, body) = answer(&Rejection::NotAcceptable { mode });
        assert_eq!((status, &*headers), (406, text));
        assert!(body.ends_with("\n\n    let policy = Policy::default().accept(AcceptMode::Any);\n"), "{body}");
    }
    for (refusal, call) in [(Rejection::HostNotAllowed, ".hosts(["), (Rejection::OriginNotAllowed, ".origins([")] {
        let (status, headers, body) = answer(&refusal);
        assert_eq!((status, &*headers), (403, text));
        assert!(body.contains(call) && body.ends_with(";\n"), "{body}");
        assert!(refusal.body_with("attach(policy)").ends_with(";\n    attach(policy)\n"));
    }
    assert_eq!(answer(&Rejection::Finished), (204, "cache-control: no-store".into(), String::new()));
    assert_eq!((Rejection::Head.status(), Rejection::Head.body()), (200, String::new()));
    assert!(Rejection::Head.headers().eq([
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store, no-transform"),
        ("x-accel-buffering", "no"),
    ]));
}

/// An element of an `Accept` header, with its kind of range and whether the element accepts.
fn element() -> impl Strategy<Value = (String, usize, bool)> {
    let range = prop::sample::select(vec![("*/*", 1), ("text/*", 2), ("text/event-stream", 3), ("text/html", 0)]);
    let q = prop::sample::select(vec![("", true), (";q=0", false), (";q=0.3", true), (";v=\",\";q=0.00", false)]);
    (range, q).prop_map(|((range, specificity), (q, yes))| (format!("{range}{q}"), specificity, yes))
}

proptest! {
    /// Hazards A3 and B8.
    #[test]
    fn no_bytes_panic(
        method in ".{0,9}",
        query in proptest::option::of(".{0,40}"),
        accept in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..4),
        lookalike in r#"([a-z*/;,=" \t\\0.1q]|text/event-stream|q=0){0,40}"#,
        ids in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..140), 0..3),
        name in ".{0,4}",
    ) {
        let lines = accept.iter().map(|line| ("accept", &line[..])).chain([("accept", lookalike.as_bytes())]);
        let headers = || lines.clone().chain(ids.iter().map(|id| ("last-event-id", &id[..])));
        for mode in [Negotiated, Named, Any] {
            let policy = Policy::default().methods(["GET", &method]).accept(mode).last_event_id_query(&*name);
            for method in ["GET", &method] {
                let request = Request::new(method, query.as_deref(), headers());
                if let Err(refusal) = policy.check(&request) {
                    prop_assert!(refusal.headers().all(|(_, value)| value.is_ascii() && !value.contains(['\r', '\n'])));
                }
                let _ = policy.check_optional(&request);
            }
        }
    }

    #[test]
    fn accept_agrees_with_its_rule_in_one_line_or_many(elements in prop::collection::vec(element(), 1..6)) {
        let best = elements.iter().map(|element| element.1).max().unwrap_or(0);
        let yes = elements.iter().any(|element| element.1 == best && element.2);
        let many: Vec<_> = elements.iter().map(|element| element.0.as_bytes()).collect();
        let one = many.join(&b", "[..]);
        for lines in [&[&one[..]][..], &many] {
            prop_assert_eq!(accepts(Negotiated, lines), best > 0 && yes);
            prop_assert_eq!(accepts(Named, lines), best > 1 && yes);
        }
    }
}

/// Host, Origin, Sec-Fetch-Site, and the result of `Policy::local()` with one more origin.
type From<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>, Result<(), Rejection>);

const FROM: &[From<'_>] = &[
    (Some("localhost:3000"), None, None, Ok(())),
    (Some("LOCALHOST"), None, None, Ok(())),
    (Some("127.0.0.1:80"), None, Some("same-origin"), Ok(())),
    (Some("[::1]:8080"), None, Some("none"), Ok(())),
    (Some("[::1]"), Some("http://[::1]"), None, Ok(())),
    (Some("localhost:3000"), Some("http://localhost:3000"), Some("same-origin"), Ok(())),
    (Some("localhost:3000"), Some("https://app.example"), Some("cross-site"), Ok(())),
    // DNS rebinding: the attacker's name resolves to this server.
    (Some("evil.example"), None, None, Err(Rejection::HostNotAllowed)),
    (Some("evil.example:3000"), Some("http://evil.example:3000"), Some("same-origin"), Err(Rejection::HostNotAllowed)),
    (Some("localhost.evil.example"), None, None, Err(Rejection::HostNotAllowed)),
    (Some("localhost:3000:1"), None, None, Err(Rejection::HostNotAllowed)),
    (Some("[::1].evil"), None, None, Err(Rejection::HostNotAllowed)),
    (Some(""), None, None, Err(Rejection::HostNotAllowed)),
    (None, None, None, Err(Rejection::HostNotAllowed)),
    // A page of another site.
    (Some("localhost:3000"), Some("https://evil.example"), None, Err(Rejection::OriginNotAllowed)),
    (Some("localhost:3000"), Some("http://localhost:4000"), Some("same-site"), Err(Rejection::OriginNotAllowed)),
    (Some("localhost:3000"), Some("null"), None, Err(Rejection::OriginNotAllowed)),
    (Some("localhost:3000"), Some(""), None, Err(Rejection::OriginNotAllowed)),
    (Some("localhost:3000"), Some("localhost:3000"), None, Err(Rejection::OriginNotAllowed)),
    (Some("localhost:3000"), Some("https://app.example.evil"), None, Err(Rejection::OriginNotAllowed)),
    (Some("localhost:3000"), None, Some("cross-site"), Err(Rejection::OriginNotAllowed)),
    (Some("localhost:3000"), None, Some("same-site"), Err(Rejection::OriginNotAllowed)),
];

/// Hazard E11.
#[test]
fn only_listed_hosts_and_origins_are_accepted() {
    let policy = Policy::local().origins(["https://app.example"]).unwrap();
    for (host, origin, site, expected) in FROM {
        let lines = [("Host", host), ("Origin", origin), ("Sec-Fetch-Site", site)];
        let lines = lines.iter().filter_map(|(name, value)| value.map(|value| (*name, value.as_bytes())));
        let judged = policy.check(&Request::new("GET", None, lines)).map(|_| ());
        assert_eq!(judged, *expected, "{host:?} {origin:?} {site:?}");
    }
}

/// Hazard E11.
#[test]
fn second_host_header_is_rejected_if_hosts_are_listed() {
    let twice = [("host", &b"localhost"[..]), ("host", b"evil.example")];
    assert_eq!(Policy::local().check(&Request::new("GET", None, twice)).unwrap_err().status(), 403);
    assert!(Policy::default().check(&Request::new("GET", None, twice)).is_ok());
}

/// Hazard E11.
#[test]
fn the_authority_of_http_2_is_the_host() {
    let request = Request::new("GET", None, []);
    assert_eq!(Policy::local().check(&request).unwrap_err(), Rejection::HostNotAllowed);
    assert!(Policy::local().check(&request.authority(Some("localhost:3000"))).is_ok());
}

/// Hazard E11.
#[test]
fn check_optional_rejects_a_foreign_origin() {
    let lines = [("accept", &b"text/event-stream"[..]), ("host", b"localhost"), ("origin", b"https://evil.example")];
    let judged = Policy::local().check_optional(&Request::new("GET", None, lines));
    assert_eq!(judged, Err(Rejection::OriginNotAllowed));
}
