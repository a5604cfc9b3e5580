//! Text that could break out of a field: each of six payloads in each of four fields.

use super::framing::CANNOT_BE_SENT;
use crate::failure::same;
use crate::{Case, Group};
use sse_test_support::reader::Reader;

const PAYLOADS: [(&str, &str); 6] =
    [("cr", "\r"), ("lf", "\n"), ("crlf", "\r\n"), ("lf_lf", "\n\n"), ("nul", "\0"), ("bom", "\u{feff}")];

pub(super) fn cases() -> Vec<Case> {
    let fields = ["event", "id", "comment", "data"];
    let pairs = fields.into_iter().flat_map(|field| PAYLOADS.map(|payload| (field, payload)));
    pairs.map(|(field, (name, payload))| case(field, name, payload)).collect()
}

fn case(field: &'static str, name: &str, payload: &'static str) -> Case {
    let (promise, source) = match (field, name) {
        // Such an ID forges nothing: every client ignores it.
        ("id", "nul") => ("an ID that no client keeps is rejected", CANNOT_BE_SENT),
        _ => (
            "no text of an application becomes a field or an event that the application did not mean",
            "No text of an application becomes a field, an event or an ID that the application did not mean.",
        ),
    };
    Case::on(Group::Injection, format!("{name}_in_{field}"), promise, source, move |target| {
        let text = format!("a{payload}data: injected{payload}{payload}b");
        let mut fields = serde_json::Map::new();
        fields.insert("data".into(), "meant".into());
        fields.insert(field.into(), text.clone().into());
        let steps = serde_json::json!([{ "send": fields }, { "close": true }]);
        same("the events", expected(field, payload, &text), decoded(&target.run(&steps.to_string())?))
    })
}

/// The dispatched events, one line each, with the last event ID.
fn expected(field: &str, payload: &str, text: &str) -> String {
    let breaks = payload.contains(['\r', '\n']);
    match field {
        "event" if breaks => "refused \"id\" \"\"\n".replace("id", "event"),
        "id" if breaks || payload == "\0" => "refused \"id\" \"\"\n".to_owned(),
        "event" => format!("{text} \"meant\" \"\"\n"),
        "id" => format!("message \"meant\" {text:?}\n"),
        "comment" => "message \"meant\" \"\"\n".to_owned(),
        _ => format!("message {:?} \"\"\n", text.replace("\r\n", "\n").replace('\r', "\n")),
    }
}

fn decoded(bytes: &[u8]) -> String {
    let mut reader = Reader::new();
    reader.read(bytes);
    reader.events().map(|event| format!("{} {:?} {:?}\n", event.event_type, event.data, event.id)).collect()
}
