//! Posted headlines: validation and answer, for every framework.

use crate::feed::{Feed, MAX_HEADLINE_BYTES};
use serde::Deserialize;
use std::borrow::Cow;

/// The largest accepted body: the longest headline with every byte escaped, and some more.
pub(crate) const MAX_BODY_BYTES: usize = 16 * 1024;

/// The relevant parts of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posted<'a> {
    pub(crate) content_type: &'a str,
    pub(crate) accept: &'a str,
    pub(crate) body: &'a [u8],
}

/// The answer. Only a 303 has a location.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<&'static str>,
    pub(crate) text: Cow<'static, str>,
}

/// Publishes a posted headline.
pub(crate) fn post(feed: &Feed, posted: Posted<'_>) -> Answer {
    match posted.headline() {
        Ok(headline) => {
            feed.headline(&headline);
            posted.success()
        }
        Err((status, text)) => Answer { status, location: None, text },
    }
}

/// Status and text of an error.
type Problem = (u16, Cow<'static, str>);

impl Posted<'_> {
    fn headline(&self) -> Result<String, Problem> {
        let headline = if self.is("application/json") {
            #[derive(Deserialize)]
            struct Json {
                headline: String,
            }
            let json: Json = serde_json::from_slice(self.body).map_err(|error| {
                (400, format!("the body must be a JSON object with the text `headline`: {error}").into())
            })?;
            json.headline
        } else if self.is("application/x-www-form-urlencoded") {
            let mut fields = form_urlencoded::parse(self.body);
            let field = fields.find(|(name, _)| name == "headline");
            field.ok_or((400, "the form has no field `headline`".into()))?.1.into_owned()
        } else {
            return Err((415, "post the field `headline` as a form or as JSON".into()));
        };
        match headline.trim() {
            "" => Err((400, "a headline needs some text".into())),
            long if long.len() > MAX_HEADLINE_BYTES => {
                Err((413, format!("a headline has at most {MAX_HEADLINE_BYTES} bytes, this one {}", long.len()).into()))
            }
            headline => Ok(headline.to_owned()),
        }
    }

    /// Redirects a browser that submitted the form itself to the page. A script receives 204.
    fn success(&self) -> Answer {
        if self.accept.contains("text/html") {
            Answer { status: 303, location: Some("/"), text: "".into() }
        } else {
            Answer { status: 204, location: None, text: "".into() }
        }
    }

    fn is(&self, media_type: &str) -> bool {
        let essence = self.content_type.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case(media_type)
    }
}
