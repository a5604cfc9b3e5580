//! Event types: how one is made of a variant's name, and which ones a stream rejects.

/// `RESERVED_TYPES` of sse-core.
pub(crate) const RESERVED: [&str; 4] = ["sse-position", "sse-open", "sse-end", "sse-later"];

/// `HeadlineAdded` as `headline_added`, `HTTPError` as `http_error`, `Top10` as `top10`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut out = String::new();
    let mut characters = name.chars().peekable();
    let mut before = None::<char>;
    while let Some(character) = characters.next() {
        let begins_a_word = match before {
            Some(before) if character.is_uppercase() => {
                // The last capital of several begins the next word.
                let next_is_lowercase = characters.peek().is_some_and(|next| next.is_lowercase());
                before != '_' && (!before.is_uppercase() || next_is_lowercase)
            }
            _ => false,
        };
        if begins_a_word {
            out.push('_');
        }
        out.extend(character.to_lowercase());
        before = Some(character);
    }
    out
}

/// Checks an event type as a hub and a GET stream do.
pub(crate) fn check(event_type: &str, gap: &str) -> Result<(), String> {
    let why = match event_type {
        "" => "is empty. A client would fire `message`, so write `message`",
        "error" | "open" => {
            "is rejected by hubs and GET streams. An EventSource fires events of this type for its connection"
        }
        _ if event_type.contains(['\r', '\n']) => "contains a line break, which would end the field",
        _ if RESERVED.contains(&event_type) => "belongs to the events that the server itself sends",
        _ if event_type == gap => {
            "is the type of gap events. If the hub has another `gap_type`, write #[events(gap = \"...\")] on the enum"
        }
        _ => return Ok(()),
    };
    Err(format!("the event type {event_type:?} {why}; set the type with #[event(\"...\")] on the variant"))
}

#[cfg(test)]
mod tests {
    use super::{RESERVED, check, snake_case};

    #[test]
    fn name_of_a_variant_becomes_snake_case() {
        let names =
            ["Headline", "HeadlineAdded", "HTTPError", "Top10", "Top10Places", "A", "AB", "already_snake", "Ärger"];
        let types =
            ["headline", "headline_added", "http_error", "top10", "top10_places", "a", "ab", "already_snake", "ärger"];
        assert_eq!(names.map(snake_case), types);
    }

    #[test]
    fn derive_rejects_the_types_that_the_core_rejects() {
        assert_eq!(RESERVED, sse_core::RESERVED_TYPES);
        for event_type in RESERVED.into_iter().chain(["", "a\nb", "a\rb", "error", "open", "gap"]) {
            assert!(check(event_type, "gap").is_err(), "{event_type:?}");
        }
        for event_type in ["message", "a b", "sse-else", "Gap", "é"] {
            assert_eq!(check(event_type, "gap"), Ok(()), "{event_type:?}");
        }
        assert_eq!(check("gap", "missed"), Ok(()));
        assert!(check("missed", "missed").is_err());
    }
}
