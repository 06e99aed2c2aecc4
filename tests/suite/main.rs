//! The whole system under test. Each module is one kind of test; each test's name is a sentence.

mod layers;
