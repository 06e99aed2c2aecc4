//! Requests to a volume from tasks that must not block.

use std::sync::Arc;

use crate::volume::{Volume, VolumeError};

/// Runs a request to the volume on a thread that may block. A panic is returned as damage, so that one
/// request can't end the server.
pub(super) async fn run<T: Send + 'static>(
    volume: &Arc<dyn Volume>,
    request: impl FnOnce(&dyn Volume) -> Result<T, VolumeError> + Send + 'static,
) -> Result<T, VolumeError> {
    let volume = Arc::clone(volume);
    let answer = tokio::task::spawn_blocking(move || request(&*volume));
    answer.await.unwrap_or(Err(VolumeError::Damaged))
}
