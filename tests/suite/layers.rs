//! The rules of the design, read off the sources.
