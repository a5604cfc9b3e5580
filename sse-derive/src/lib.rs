//! The derive macros of `sse-core`, `sse-axum`, `sse-actix`, `sse-warp` and `sse-client`.
//!
//! Depend on one of these crates with the feature `derive` and import the macros from there. The page of the trait
//! `Events` has the rules and the options.

#![cfg_attr(
    not(test),
    deny(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::unreachable)
)]

mod events;
mod events_enum;
mod name;
mod typescript;

use proc_macro::TokenStream;

/// One macro for each crate that exports a macro: the generated code names the crate from which the macro was imported.
macro_rules! derives {
    ($($(#[$attribute:meta])* $derive:ident $function:ident = $expand:path, $krate:literal;)*) => {$(
        $(#[$attribute])*
        #[proc_macro_derive($derive, attributes(event, events))]
        pub fn $function(input: TokenStream) -> TokenStream {
            expand(input, |input| Ok($expand(&events_enum::EventsEnum::parse(input, $krate)?)))
        }
    )*};
}

derives! {
    /// Implements the trait `Events` for an enum of payloads. The trait's page has the rules and the options.
    Events events = events::to_event, "sse_core";
    /// Implements the trait `Events` for an enum of payloads. The trait's page has the rules and the options.
    AxumEvents axum_events = events::to_event, "sse_axum";
    /// Implements the trait `Events` for an enum of payloads. The trait's page has the rules and the options.
    ActixEvents actix_events = events::to_event, "sse_actix";
    /// Implements the trait `Events` for an enum of payloads. The trait's page has the rules and the options.
    WarpEvents warp_events = events::to_event, "sse_warp";

    /// Implements the trait `DecodeEvents` for an enum of payloads.
    DecodeEvents decode_events = events::decode, "sse_core";
    /// Implements the trait `DecodeEvents` for an enum of payloads.
    AxumDecodeEvents axum_decode_events = events::decode, "sse_axum";
    /// Implements the trait `DecodeEvents` for an enum of payloads.
    ActixDecodeEvents actix_decode_events = events::decode, "sse_actix";
    /// Implements the trait `DecodeEvents` for an enum of payloads.
    WarpDecodeEvents warp_decode_events = events::decode, "sse_warp";
    /// Implements the trait `DecodeEvents` for an enum of payloads.
    ClientDecodeEvents client_decode_events = events::decode, "sse_client";
}

/// Adds the function `typescript()` to an enum of events. The function returns the TypeScript declaration of its events.
///
/// The payloads derive `TS` of the crate [ts-rs](https://docs.rs/ts-rs) 12, which is a dependency of the enum's own crate.
/// A dev-dependency is enough if both derives are for tests only: `#[cfg_attr(test, derive(EventsTypeScript))]`.
///
/// For an enum `Feed` the declaration has:
///
/// - every payload type and the types that it refers to;
/// - `FeedEvents`: the data of each event type after `JSON.parse`, the gap event included;
/// - `FeedListeners`: an object with a listener for each event type that the page listens to.
///
/// Integers of 64 bits are `number`, because `JSON.parse` returns numbers. A variant without a field is
/// `Record<string, never>`. Comments of the enum, its variants and the payloads become comments of the declaration.
///
/// ```
/// use sse_core::{Events, EventsTypeScript};
///
/// #[derive(serde::Serialize, ts_rs::TS)]
/// struct Headline {
///     at: u64,
///     text: String,
/// }
///
/// #[derive(Events, EventsTypeScript)]
/// enum Feed {
///     /// A line of news.
///     Headline(Headline),
///     Readers(u32),
///     Cleared,
/// }
///
/// let declaration = Feed::typescript();
/// assert!(declaration.contains("export type Headline = { at: number, text: string, };"));
/// assert!(declaration.contains(
///     r#"
/// export interface FeedEvents {
///   /** A line of news. */
///   headline: Headline;
///   readers: number;
///   cleared: Record<string, never>;
///   /** Events are missing here. */
///   gap: { reason: "trimmed"; topic: string } | { reason: "unknown"; topic?: undefined };
/// }
/// "#
/// ));
/// ```
///
/// # Panics
/// `typescript()` panics if two payload types have the same TypeScript name and different declarations.
/// `#[ts(rename = "...")]` renames one of them.
#[proc_macro_derive(EventsTypeScript, attributes(event, events))]
pub fn events_typescript(input: TokenStream) -> TokenStream {
    // The generated code names ts-rs and no other crate.
    expand(input, |input| Ok(typescript::declaration(&events_enum::EventsEnum::parse(input, "sse_core")?)))
}

fn expand(
    input: TokenStream,
    expand: impl FnOnce(syn::DeriveInput) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    syn::parse(input).and_then(expand).unwrap_or_else(syn::Error::into_compile_error).into()
}
