//! Destinations, secrets, and the folders in which this program keeps things for itself.

pub mod destination;
pub mod dropped;
pub mod flushing;
pub mod recovery;
pub mod secret;
pub mod shared_client;
pub mod state;
pub mod strength;
pub mod writer;
