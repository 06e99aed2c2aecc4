//! Questions to a volume from tasks that must not wait.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::metadata::Timestamp;
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

/// An instant as the standard library has it; as near as that can say.
pub(super) fn system_time(time: Timestamp) -> SystemTime {
    let seconds = Duration::from_secs(time.seconds.unsigned_abs());
    let whole = match time.seconds {
        0.. => UNIX_EPOCH.checked_add(seconds),
        _ => UNIX_EPOCH.checked_sub(seconds),
    };
    let exact = whole.and_then(|whole| whole.checked_add(Duration::from_nanos(time.nanos.into())));
    exact.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_and_after_the_epoch_are_kept() {
        let told = |seconds, nanos| system_time(Timestamp { seconds, nanos });
        assert_eq!(told(5, 7), UNIX_EPOCH + Duration::new(5, 7));
        assert_eq!(told(-5, 250_000_000), UNIX_EPOCH - Duration::from_millis(4750));
        let longest = Duration::from_secs(i64::MIN.unsigned_abs());
        assert_eq!(Some(told(i64::MIN, 0)), UNIX_EPOCH.checked_sub(longest));
    }
}
