//! The whole system under test. Each module is one kind of test; each test's name is a sentence.

mod cost;
mod damage;
mod fidelity;
mod interrupted;
mod killed;
mod layers;
mod model;
mod mountpoints;
