//! The extractors.

use crate::{Error, Sse};
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

impl<State: Send + Sync> FromRequestParts<State> for Sse {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Error> {
        Ok(Self::check(parts.extensions.get(), parts.extensions.get(), &(&*parts).into())?)
    }
}

impl<State: Send + Sync> OptionalFromRequestParts<State> for Sse {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Option<Self>, Error> {
        Ok(Self::check_optional(parts.extensions.get(), parts.extensions.get(), &(&*parts).into())?)
    }
}
