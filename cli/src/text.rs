//! Texts for people: escaped, formatted, wrapped, laid out in tables. Nothing is printed here.

pub mod escape;
pub mod format;
pub mod redact;
pub mod table;
pub mod wrap;
