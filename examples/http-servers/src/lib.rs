//! The same feed on four servers without an adapter of their own. Each file has at most 25 lines.

pub mod bare_hyper;
pub mod on_poem;
pub mod on_salvo;
pub mod tower_service;
