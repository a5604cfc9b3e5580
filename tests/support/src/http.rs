//! Event streams over HTTP, read event by event.

use crate::Result;
use crate::reader;
use std::time::Duration;
use tokio::time::timeout;

/// One connection to an event stream, and the events so far.
#[derive(Debug)]
pub struct Reader {
    response: reqwest::Response,
    reader: reader::Reader,
    text: String,
    ended: bool,
}

impl Reader {
    /// Opens an event stream.
    ///
    /// # Errors
    /// No response arrives, or the status is not 200.
    pub async fn open(url: impl reqwest::IntoUrl) -> Result<Self> {
        let request = reqwest::Client::new().get(url).header("accept", "text/event-stream");
        Ok(Self::of(request.send().await?.error_for_status()?))
    }

    /// Reads the response to a request of the test.
    #[must_use]
    pub fn of(response: reqwest::Response) -> Self {
        Self { response, reader: reader::Reader::new(), text: String::new(), ended: false }
    }

    /// Reads the next bytes, with or without an event, for at most this long.
    ///
    /// # Errors
    /// No byte arrives in time, or the stream has ended.
    pub async fn next(&mut self, bound: Duration) -> Result {
        if self.ended {
            return Err("the stream ended".into());
        }
        timeout(bound, self.more()).await.map_err(|_| format!("nothing within {bound:?}"))?
    }

    /// Reads until there is an event of this type with this data, for at most this long.
    ///
    /// # Errors
    /// The event does not arrive in time, or the stream ends first.
    pub async fn until(&mut self, event_type: &str, data: &str, bound: Duration) -> Result {
        self.until_event(event_type, data, |found| found == data, bound).await
    }

    /// Reads until there is an event of this type whose data is a JSON object with this text in a field, for at most
    /// this long.
    ///
    /// # Errors
    /// The event does not arrive in time, or the stream ends first.
    pub async fn until_field(&mut self, event_type: &str, field: &str, text: &str, bound: Duration) -> Result {
        // The search costs less than a parser for each of many events.
        let quoted = serde_json::to_string(text)?;
        let matches = |data: &str| data.contains(&quoted) && json_field(data, field).as_deref() == Some(text);
        self.until_event(event_type, text, matches, bound).await
    }

    async fn until_event(
        &mut self,
        event_type: &str,
        wanted: &str,
        matches: impl Fn(&str) -> bool,
        bound: Duration,
    ) -> Result {
        let arrived = timeout(bound, async {
            let is_wanted = |event: &reader::Event| event.event_type == event_type && matches(&event.data);
            // The events that were looked at already are not looked at again for each chunk.
            let (mut own, mut reserved) = (0, 0);
            while !self.reader.events().skip(own).chain(self.reader.reserved().iter().skip(reserved)).any(is_wanted) {
                (own, reserved) = (self.reader.events().count(), self.reader.reserved().len());
                if self.ended {
                    return Err("the stream ended".into());
                }
                self.more().await?;
            }
            Result::<()>::Ok(())
        });
        let why: crate::Error = match arrived.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => format!("not within {bound:?}").into(),
        };
        let events: Vec<_> = self.reader.events().collect();
        let last = events.get(events.len().saturating_sub(10)..).unwrap_or_default();
        Err(format!("{why}: {event_type} {wanted:?}; the last events were {last:#?}").into())
    }

    /// Reads to the end of the stream.
    ///
    /// # Errors
    /// The stream does not end in time, or is cut off.
    pub async fn to_end(&mut self, bound: Duration) -> Result {
        let ended = timeout(bound, async {
            while !self.ended {
                self.more().await?;
            }
            Result::<()>::Ok(())
        });
        ended.await.map_err(|_| format!("not ended within {bound:?}"))?
    }

    /// The events of the application, then those of the server's own types.
    fn all(&self) -> impl Iterator<Item = &reader::Event> {
        self.reader.events().chain(self.reader.reserved())
    }

    /// The data of every event of this type so far.
    pub fn data_of<'r>(&'r self, event_type: &'r str) -> impl Iterator<Item = &'r str> {
        self.all().filter(move |event| event.event_type == event_type).map(|event| &*event.data)
    }

    /// The text in this field of every event of this type so far, whose data are JSON objects.
    pub fn field_of(&self, event_type: &str, field: &str) -> Vec<String> {
        self.data_of(event_type).filter_map(|data| json_field(data, field)).collect()
    }

    /// The ID that a reconnect would send.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.reader.last_event_id().unwrap_or_default()
    }

    /// The bytes so far.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    async fn more(&mut self) -> Result {
        match self.response.chunk().await? {
            Some(chunk) => {
                self.text.push_str(&String::from_utf8_lossy(&chunk));
                self.reader.read(&chunk);
            }
            None => self.ended = true,
        }
        Ok(())
    }
}

fn json_field(data: &str, field: &str) -> Option<String> {
    let object: serde_json::Value = serde_json::from_str(data).ok()?;
    object.get(field)?.as_str().map(str::to_owned)
}
