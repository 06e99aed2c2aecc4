//! Destinations, secrets, and the folders in which this program keeps things for itself.

pub mod contacts;
pub mod destination;
pub mod dropped;
pub mod flushing;
pub mod key_file;
pub mod place;
pub mod recovery;
pub mod secret;
pub mod shared_client;
pub mod state;
pub mod strength;
pub mod writer;
