//! Compression around a stream, where the server offers it.

use crate::client::Request;
use crate::failure::check;
use crate::{Case, Group};
use std::time::Duration;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::own(
        Group::Compression,
        "a_stream_is_spared",
        "the framework's compression leaves a stream as it is, and each event leaves at once",
        "DESIGN 4.2; CONFORMANCE, --compress",
        &["--compress"],
        |server| {
            let steps = format!(r#"[{{"send":{{"data":"{}"}}}}]"#, "x".repeat(2000));
            let mut stream = server.target().ask(&Request::script(&steps).header("accept-encoding", "gzip"))?;
            let encoding = stream.head.header("content-encoding").unwrap_or("identity");
            check(encoding == "identity", || stream.head.to_string())?;
            stream.read_until("x\n\n", Duration::from_secs(1))?;
            // The routes beside it are compressed, so the middleware is there.
            let page = server.target().read(&Request::get("/").header("accept-encoding", "gzip"))?;
            check(page.head.header("content-encoding") == Some("gzip"), || page.head.to_string())
        },
    )]
}
