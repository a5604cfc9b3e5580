//! A literal implementation of WHATWG HTML 9.2.6 for a whole stream: slow, simple, and without code of the decoder.

/// The result of decoding a stream.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Interpreted {
    /// `(event type, data, last event ID)` of each dispatched event.
    pub(crate) events: Vec<(String, String, String)>,
    pub(crate) last_event_id: String,
    pub(crate) retry: Option<u64>,
}

/// "Streams must be decoded using the UTF-8 decode algorithm", which strips one byte order mark.
pub(crate) fn interpret(stream: &[u8], last_event_id: &str) -> Interpreted {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut out = Interpreted { last_event_id: last_event_id.to_owned(), ..Interpreted::default() };
    // The buffer starts with the last event ID string, which a reconnect keeps.
    let (mut data, mut event_type, mut id) = (String::new(), String::new(), last_event_id.to_owned());
    for line in lines(text) {
        if line.is_empty() {
            out.last_event_id.clone_from(&id);
            let event_type = std::mem::take(&mut event_type);
            let data = std::mem::take(&mut data);
            // The buffer is empty without a data line; otherwise its last LF is removed.
            if let Some(data) = data.strip_suffix('\n') {
                let event_type = if event_type.is_empty() { "message".to_owned() } else { event_type };
                out.events.push((event_type, data.to_owned(), id.clone()));
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event_type),
            "data" => data += &format!("{value}\n"),
            "id" if !value.contains('\0') => value.clone_into(&mut id),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => out.retry = value.parse().ok().or(out.retry),
            // A comment has an empty name. Other names are ignored.
            _ => {}
        }
    }
    out
}

/// The complete lines, each ended by CRLF, LF or CR.
fn lines(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\r' {
            chars.next_if_eq(&'\n');
        }
        match (c, lines.last_mut()) {
            ('\r' | '\n', _) => lines.push(String::new()),
            (c, Some(line)) => line.push(c),
            (_, None) => {}
        }
    }
    lines.pop();
    lines
}
