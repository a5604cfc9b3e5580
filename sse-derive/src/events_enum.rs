//! The enum that the macros read: the variants, and the options of the attributes.

use crate::name;
use proc_macro2::Span;
use std::collections::HashMap;
use syn::Visibility;
use syn::ext::IdentExt;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, Generics, Ident, Lit, LitStr, Meta, Path, Result, Type,
};

const SHAPE: &str = "an event is a variant with one unnamed field, its payload, or with none; \
    put several fields into a struct and make that the payload";

/// An enum of events.
pub(crate) struct EventsEnum {
    pub(crate) ident: Ident,
    pub(crate) visibility: Visibility,
    pub(crate) generics: Generics,
    pub(crate) comment: Vec<String>,
    /// The crate that the generated code names.
    pub(crate) krate: Path,
    /// The type of gap events.
    pub(crate) gap: String,
    pub(crate) variants: Vec<Variant>,
}

/// One event type.
pub(crate) struct Variant {
    pub(crate) ident: Ident,
    pub(crate) event_type: String,
    pub(crate) payload: Option<Type>,
    pub(crate) comment: Vec<String>,
}

impl EventsEnum {
    /// Reads the enum, and reports every mistake.
    pub(crate) fn parse(input: DeriveInput, krate: &str) -> Result<Self> {
        let Data::Enum(data) = input.data else {
            return Err(Error::new_spanned(
                &input.ident,
                format!("`{}` is no enum; the events of a feed are the variants of an enum", input.ident),
            ));
        };
        let mut errors = Errors::default();
        let options = errors.take(Options::parse(&input.attrs)).unwrap_or_default();
        let gap = options.gap.unwrap_or_else(|| "gap".to_owned());
        let mut variants = Vec::new();
        let mut taken: HashMap<String, Ident> = HashMap::new();
        for variant in data.variants {
            let Some((variant, span)) = errors.take(Variant::parse(variant, &gap)) else { continue };
            match taken.get(&variant.event_type) {
                Some(other) => errors.push(Error::new(
                    span,
                    format!(
                        "the variants `{other}` and `{}` have the event type `{}`",
                        variant.ident, variant.event_type
                    ),
                )),
                None => {
                    taken.insert(variant.event_type.clone(), variant.ident.clone());
                    variants.push(variant);
                }
            }
        }
        errors.none()?;
        Ok(Self {
            ident: input.ident,
            visibility: input.vis,
            generics: input.generics,
            comment: comment(&input.attrs),
            krate: match options.krate {
                Some(krate) => krate,
                None => syn::parse_str(&format!("::{krate}"))?,
            },
            gap,
            variants,
        })
    }
}

impl Variant {
    /// The variant, and the span of the event type.
    fn parse(variant: syn::Variant, gap: &str) -> Result<(Self, Span)> {
        let payload = match variant.fields {
            Fields::Unit => None,
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                fields.unnamed.into_iter().next().map(|field| field.ty)
            }
            fields => return Err(Error::new_spanned(fields, SHAPE)),
        };
        let mut set = None::<LitStr>;
        for attribute in variant.attrs.iter().filter(|attribute| attribute.path().is_ident("event")) {
            let text: LitStr = attribute.parse_args().map_err(|error| {
                Error::new(error.span(), "write the event type as a string: #[event(\"headline\")]")
            })?;
            if set.replace(text).is_some() {
                return Err(Error::new_spanned(attribute, "a variant has one event type"));
            }
        }
        let (event_type, span) = match set {
            Some(text) => (text.value(), text.span()),
            None => (name::snake_case(&variant.ident.unraw().to_string()), variant.ident.span()),
        };
        name::check(&event_type, gap).map_err(|why| Error::new(span, why))?;
        Ok((Self { ident: variant.ident, event_type, payload, comment: comment(&variant.attrs) }, span))
    }
}

/// The options in `#[events(...)]`.
#[derive(Default)]
struct Options {
    krate: Option<Path>,
    gap: Option<String>,
}

impl Options {
    fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut options = Self::default();
        for attribute in attributes {
            if attribute.path().is_ident("event") {
                return Err(Error::new_spanned(attribute, "`event` is for a variant; an enum has `events`"));
            }
            if !attribute.path().is_ident("events") {
                continue;
            }
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("crate") {
                    options.krate = Some(meta.value()?.call(Path::parse_mod_style)?);
                } else if meta.path.is_ident("gap") {
                    options.gap = Some(meta.value()?.parse::<LitStr>()?.value());
                } else {
                    return Err(meta.error("`events` has the options `crate = path` and `gap = \"type\"`"));
                }
                Ok(())
            })?;
        }
        Ok(options)
    }
}

/// The lines of the doc comment.
fn comment(attributes: &[Attribute]) -> Vec<String> {
    let texts = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).to_owned()).collect()
}

/// All errors of one enum.
#[derive(Default)]
struct Errors(Option<Error>);

impl Errors {
    fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    fn none(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::EventsEnum;

    /// The sentence of each error, and the text under the span.
    fn errors(source: &str) -> Vec<(String, String)> {
        let errors = EventsEnum::parse(syn::parse_str(source).unwrap(), "sse_core").map(drop).unwrap_err();
        errors.into_iter().map(|error| (error.to_string(), error.span().source_text().unwrap())).collect()
    }

    fn one_error(source: &str, sentence: &str, span: &str) {
        let errors = errors(source);
        assert_eq!(errors.len(), 1, "{source}: {errors:?}");
        assert!(errors[0].0.contains(sentence), "{source}: {errors:?}");
        assert_eq!(errors[0].1, span, "{source}: {errors:?}");
    }

    #[test]
    fn error_has_a_sentence_and_the_span_of_the_mistake() {
        one_error("struct Feed(u32);", "`Feed` is no enum", "Feed");
        one_error("union Feed { a: u32 }", "`Feed` is no enum", "Feed");
        one_error("enum Feed { A(u32, u32) }", "put several fields into a struct", "(u32, u32)");
        one_error("enum Feed { A { a: u32 } }", "put several fields into a struct", "{ a: u32 }");
        one_error(r#"enum Feed { #[event("")] A }"#, "is empty", "\"\"");
        one_error(r#"enum Feed { #[event("a\nb")] A }"#, r#""a\nb" contains a line break"#, r#""a\nb""#);
        one_error(
            r#"enum Feed { #[event("sse-end")] A }"#,
            "belongs to the events that the server itself sends",
            "\"sse-end\"",
        );
        one_error("enum Feed { Error(String) }", "fires events of this type for its connection", "Error");
        one_error("enum Feed { Gap }", "is the type of gap events", "Gap");
        one_error(r#"#[events(gap = "lost")] enum Feed { Lost }"#, "is the type of gap events", "Lost");
        one_error(r#"enum Feed { A, #[event("a")] B }"#, "the variants `A` and `B` have the event type `a`", "\"a\"");
        one_error(r#"enum Feed { #[event("a")] #[event("b")] A }"#, "a variant has one event type", "#[event(\"b\")]");
        one_error("enum Feed { #[event(a)] A }", "write the event type as a string", "a");
        one_error(r#"#[event("a")] enum Feed { A }"#, "`event` is for a variant", "#[event(\"a\")]");
        one_error("#[events(rename)] enum Feed { A }", "`events` has the options", "rename");
    }

    #[test]
    fn all_errors_of_an_enum_are_reported_at_once() {
        assert_eq!(errors("enum Feed { Open, A(u8, u8), B, Gap }").len(), 3);
    }
}
