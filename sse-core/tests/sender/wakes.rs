//! The wakes of a body.

use super::*;

#[test]
fn send_wakes_the_body_once_and_only_if_bytes_are_pending() {
    let (events, mut reader) = open_with_buffer(2 * SMALL);
    assert_eq!(reader.wakes(), 0);
    events.try_send("1").unwrap();
    assert_eq!(reader.wakes(), 1);
    events.try_send("2").unwrap();
    assert_eq!(reader.wakes(), 1, "it is awake already");
    assert_eq!(reader.text(), "data: 1\n\ndata: 2\n\n");
    assert_ready!(task::spawn(events.send("3")).poll()).unwrap();
    assert_eq!(reader.wakes(), 2);
    assert_eq!(events.try_send("too large for the rest"), Err(SendError::Full));
    reader.bytes();
    let _ = events.try_send(("\n", "invalid"));
    assert!(!events.open());
    let _unharmed = (events.is_active(), events.id(), events.clone());
    assert_eq!(reader.wakes(), 2, "nothing happened");
    events.close();
    assert_eq!(reader.wakes(), 3);
    assert!(reader.has_ended());
    events.close();
    let _ = events.try_send("4");
    assert_eq!(reader.wakes(), 3, "nobody is there any more");
}
