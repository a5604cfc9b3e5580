//! The event stream vectors (48 from Web Platform Tests, 9 from WHATWG HTML 9.2, 80 of our own), at every split.

use serde::Deserialize;
use sse_core::Decoder;

#[derive(Deserialize)]
struct Case {
    name: String,
    chunks: Vec<String>,
    initial_last_event_id: Option<String>,
    events: Vec<Dispatched>,
    retry: Option<u64>,
    last_event_id: String,
    cumulative: Vec<usize>,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Dispatched {
    r#type: String,
    data: String,
    id: String,
}

impl Case {
    /// Each character stands for the byte of the same value.
    fn chunks(&self) -> Vec<Vec<u8>> {
        self.chunks.iter().map(|chunk| chunk.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()).collect()
    }

    /// Decodes the chunks, compares the final state, and returns the number of events after each chunk.
    fn check(&self, how: &str, chunks: &[&[u8]]) -> Vec<usize> {
        let mut decoder = match &self.initial_last_event_id {
            Some(id) => Decoder::with_last_event_id(id),
            None => Decoder::new(),
        };
        let mut events = Vec::new();
        let mut cumulative = Vec::new();
        for &chunk in chunks {
            let mut input = chunk;
            while let Some(event) = decoder.decode(&mut input) {
                let event = event.unwrap();
                events.push(Dispatched {
                    r#type: event.event_type.into(),
                    data: event.data.into(),
                    id: event.last_event_id.into(),
                });
            }
            assert!(input.is_empty());
            cumulative.push(events.len());
        }
        assert_eq!(events, self.events, "{} {how}", self.name);
        let retry = decoder.reconnection_time().map(|time| u64::try_from(time.as_millis()).unwrap());
        assert_eq!(retry, self.retry, "{} {how}", self.name);
        assert_eq!(decoder.last_event_id(), self.last_event_id, "{} {how}", self.name);
        cumulative
    }
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/vectors/event-stream.json")).unwrap();
    assert_eq!(cases.len(), 137);
    cases
}

#[test]
fn every_vector_decodes_at_its_own_chunks() {
    for case in cases() {
        let chunks = case.chunks();
        let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        assert_eq!(case.check("as given", &chunks), case.cumulative, "{}", case.name);
    }
}

#[test]
fn every_vector_decodes_whole_and_byte_by_byte() {
    for case in cases() {
        let whole = case.chunks().concat();
        case.check("whole", &[&whole]);
        case.check("byte by byte", &whole.chunks(1).collect::<Vec<_>>());
        case.check("with empty chunks between", &whole.chunks(1).flat_map(|byte| [byte, &[]]).collect::<Vec<_>>());
    }
}

/// Hazard A5.
#[test]
fn every_vector_decodes_when_cut_in_two_anywhere() {
    for case in cases() {
        let whole = case.chunks().concat();
        // One vector has 70,007 bytes. Every cut of it would take longer than all other vectors together.
        for at in (0..=whole.len()).step_by(1 + whole.len() / 5_000) {
            let (one, two) = whole.split_at(at);
            case.check(&format!("cut at {at}"), &[one, two]);
        }
    }
}
