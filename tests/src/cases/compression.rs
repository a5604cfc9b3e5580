//! Compression around a stream, where the server offers it.

use super::topics::{Follow, patience, position, publish, topic};
use crate::client::Request;
use crate::failure::check;
use crate::{Case, Group};

const COMPRESS: &str = "With `--compress` streams are left as they are, each event leaves at once, and `GET /` is compressed for a client that accepts gzip.";

pub(super) fn cases() -> Vec<Case> {
    let topics = Case::own(
        Group::Compression,
        "topic_stream_is_not_compressed",
        "the framework's compression leaves a stream of topics alone",
        COMPRESS,
        &["--compress"],
        |server| {
            let (target, name) = (server.target(), topic("compressed"));
            let mut stream = target.ask(&Follow::of([&name]).request().header("accept-encoding", "gzip"))?;
            position(&mut stream)?;
            publish(target, &name, "at once")?;
            let seen = stream.read_events(1, patience())?;
            check(seen.data() == ["at once"], || stream.head.to_string())
        },
    );
    let script = Case::own(
        Group::Compression,
        "stream_is_not_compressed",
        "the framework's compression leaves a stream alone, and each event is sent at once",
        COMPRESS,
        &["--compress"],
        |server| {
            let steps = format!(r#"[{{"send":{{"data":"{}"}}}}]"#, "x".repeat(2000));
            let mut stream = server.target().ask(&Request::script(&steps).header("accept-encoding", "gzip"))?;
            let encoding = stream.head.header("content-encoding").unwrap_or("identity");
            check(encoding == "identity", || stream.head.to_string())?;
            stream.read_events(1, patience())?;
            // The page is compressed, so the middleware is in place.
            let page = server.target().read(&Request::get("/").header("accept-encoding", "gzip"))?;
            check(page.head.header("content-encoding") == Some("gzip"), || page.head.to_string())
        },
    );
    vec![script, topics.with([Group::Resumption, Group::Publish])]
}
