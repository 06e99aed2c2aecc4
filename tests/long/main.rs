//! Tests that take long and much space: run by `tests/run --long`.
