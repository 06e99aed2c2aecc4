//! Questions to a volume from tasks that must not wait.

use std::sync::Arc;

use crate::volume::{Volume, VolumeError};

/// Asks the volume on a thread that may wait for the answer. A panic is answered as damage, so that
/// one request can't take the server down.
pub(super) async fn ask<T: Send + 'static>(
    volume: &Arc<dyn Volume>,
    question: impl FnOnce(&dyn Volume) -> Result<T, VolumeError> + Send + 'static,
) -> Result<T, VolumeError> {
    let volume = Arc::clone(volume);
    let answer = tokio::task::spawn_blocking(move || question(&*volume));
    answer.await.unwrap_or(Err(VolumeError::Damaged))
}
