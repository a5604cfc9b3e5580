//! Event streams read as the text they are.

use crate::Result;
use std::time::Duration;
use tokio::time::timeout;

/// A response that is read piece by piece.
#[derive(Debug)]
pub struct Text {
    response: reqwest::Response,
    read: String,
    ended: bool,
}

impl Text {
    /// Opens an event stream.
    ///
    /// # Errors
    /// There is no answer, or it is not 200.
    pub async fn open(url: impl reqwest::IntoUrl) -> Result<Self> {
        let request = reqwest::Client::new().get(url).header("accept", "text/event-stream");
        let response = request.send().await?.error_for_status()?;
        Ok(Self { response, read: String::new(), ended: false })
    }

    /// Reads until the text holds this, for at most this long.
    ///
    /// # Errors
    /// It does not come in time, or the stream ends without it.
    pub async fn until(&mut self, wanted: &str, bound: Duration) -> Result {
        let arrived = timeout(bound, async {
            while !self.read.contains(wanted) {
                if self.ended {
                    return Ok(false);
                }
                self.more().await?;
            }
            Result::<bool>::Ok(true)
        });
        match arrived.await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(format!("the stream ended without {wanted:?}: {}", self.shown()).into()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(format!("not within {bound:?}: {wanted:?} in {}", self.shown()).into()),
        }
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// It does not end in time, or is cut off.
    pub async fn to_end(&mut self, bound: Duration) -> Result<&str> {
        let ended = timeout(bound, async {
            while !self.ended {
                self.more().await?;
            }
            Result::<()>::Ok(())
        });
        ended.await.map_err(|_| format!("not ended within {bound:?}: {}", self.shown()))??;
        Ok(&self.read)
    }

    /// What was read so far.
    #[must_use]
    pub fn read(&self) -> &str {
        &self.read
    }

    /// The end of what was read, for an error that can be read too.
    fn shown(&self) -> String {
        let from = self.read.len().saturating_sub(2_000);
        format!("{:?}", String::from_utf8_lossy(&self.read.as_bytes()[from..]))
    }

    async fn more(&mut self) -> Result {
        match self.response.chunk().await? {
            Some(chunk) => self.read.push_str(&String::from_utf8_lossy(&chunk)),
            None => self.ended = true,
        }
        Ok(())
    }
}
