//! Where a repository is, what opens it, and what this program keeps in its own folders.

pub mod destination;
pub mod dropped;
pub mod flushing;
pub mod recovery;
pub mod secret;
pub mod shared_client;
pub mod state;
pub mod strength;
pub mod writer;
