//! `Events` and `DecodeEvents`.

use crate::events_enum::EventsEnum;
use proc_macro2::TokenStream;
use quote::quote;

/// The implementation of `Events`.
pub(crate) fn to_event(feed: &EventsEnum) -> TokenStream {
    let EventsEnum { ident, krate, .. } = feed;
    let (impl_generics, type_generics, bounds) = feed.generics.split_for_impl();
    let types = feed.variants.iter().map(|variant| &variant.event_type);
    let arms = feed.variants.iter().map(|variant| {
        let (ident, event_type) = (&variant.ident, &variant.event_type);
        match &variant.payload {
            Some(_) => quote!(Self::#ident(payload) => #krate::Event::json(payload).event(#event_type)),
            None => quote!(Self::#ident => #krate::Event::data("{}").event(#event_type)),
        }
    });
    // A reference to an enum without variants has a value for the compiler, the enum itself has none.
    let body = if feed.variants.is_empty() { quote!(match *self {}) } else { quote!(match self { #(#arms,)* }) };
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::Events for #ident #type_generics #bounds {
            const TYPES: &'static [&'static str] = &[#(#types),*];

            fn to_event(&self) -> #krate::Event<'static> {
                #body
            }
        }
    }
}

/// The implementation of `DecodeEvents`.
pub(crate) fn decode(feed: &EventsEnum) -> TokenStream {
    let EventsEnum { ident, krate, .. } = feed;
    let (impl_generics, type_generics, bounds) = feed.generics.split_for_impl();
    let arms = feed.variants.iter().map(|variant| {
        let (ident, event_type) = (&variant.ident, &variant.event_type);
        let value = match &variant.payload {
            Some(payload) => quote!(Self::#ident(#krate::MessageEvent::json::<#payload>(message)?)),
            None => quote!(Self::#ident),
        };
        quote!(#event_type => ::core::option::Option::Some(#value))
    });
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::DecodeEvents for #ident #type_generics #bounds {
            fn decode(
                message: &#krate::MessageEvent<'_>,
            ) -> ::core::result::Result<::core::option::Option<Self>, #krate::PayloadError> {
                ::core::result::Result::Ok(match &*message.event_type {
                    #(#arms,)*
                    _ => ::core::option::Option::None,
                })
            }
        }
    }
}
