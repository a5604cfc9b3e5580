//! How a client here talks with `run`: a line `{"url"}` comes in, each event goes out as `[type, data, id]`, and null at
//! the end.

use serde::Deserialize;
use std::io::{BufRead, Write, stdin, stdout};

#[derive(Deserialize)]
struct Asked {
    url: String,
}

/// Reads each URL that is asked for.
pub async fn serve(read: impl AsyncFn(&str)) {
    for line in stdin().lock().lines().map_while(Result::ok) {
        let asked: Asked = serde_json::from_str(&line).expect("a line of `run`");
        read(&asked.url).await;
        write("null");
    }
}

/// Passes an event on. True once all was seen.
pub fn tell(event_type: &str, data: &str, id: &str) -> bool {
    write(&serde_json::json!([event_type, data, id]).to_string());
    event_type == "done"
}

fn write(line: &str) {
    let mut out = stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("`run` listens");
}
