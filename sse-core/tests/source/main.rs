//! Rules about the source text of the crates: which folder may import which, and that no two types share a name.

mod code;
mod imports;
mod type_names;
