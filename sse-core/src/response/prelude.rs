//! The prelude: events that a stream sends before everything else.

use crate::event::control::Control;
use crate::event::error::FrameError;
use crate::event::frame::{Frame, IntoFrame};
use crate::event::limits::MAX_PRELUDE_BYTES;
use crate::stream::rules::Rules;

/// The events of a prelude, or the error of the first event that cannot be sent.
#[derive(Debug, Default)]
pub(crate) struct Prelude {
    frames: Vec<Frame>,
    bytes: usize,
    error: Option<FrameError>,
}

impl Prelude {
    /// Adds events; after the first that is wrong nothing more.
    pub(crate) fn extend(&mut self, events: impl IntoIterator<Item: IntoFrame>) {
        for event in events {
            if self.error.is_some() {
                return;
            }
            // The size is checked later, when the limit of the stream is known.
            let frame = event.with_checked(|piece| {
                let piece = piece?;
                piece.check_size_and_retry(usize::MAX)?;
                Ok::<_, FrameError>(piece.into_frame())
            });
            match frame {
                Ok(frame) => {
                    self.bytes += frame.as_bytes().len();
                    self.frames.push(frame);
                }
                Err(error) => self.error = Some(error),
            }
            if self.bytes > MAX_PRELUDE_BYTES {
                self.error.get_or_insert(FrameError::PreludeTooLarge(self.bytes));
            }
        }
    }

    /// All of them, as the stream sends them and its hub allows.
    pub(crate) fn blocks(&self, rules: &Rules, control: Control) -> Result<Vec<u8>, FrameError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let mut blocks = Vec::with_capacity(self.bytes);
        for frame in &self.frames {
            frame.with_checked(|piece| {
                let piece = piece?;
                rules.check(&piece, control)?;
                piece.for_stream(control).encode(&mut blocks);
                Ok(())
            })?;
        }
        Ok(blocks)
    }
}
