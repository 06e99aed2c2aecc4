//! Object Lock: retention of objects, and whether a store keeps it.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::put_object_retention::PutObjectRetentionError;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ObjectLockRetention, ObjectLockRetentionMode};
use yore_platform::Timestamp;

use super::bucket::Bucket;
use super::failure::Refusal;
use super::options::{LockMode, ObjectLock};
use crate::backend::Guarantee;
use crate::error::{self, Result};
use crate::format::object::ObjectName;

/// Returns the end of the retention of an object that is written now, by the server's clock.
pub(super) fn retain_until(bucket: &Bucket, lock: ObjectLock) -> DateTime {
    DateTime::from_secs(bucket.clock.now() + i64::from(lock.days) * 86_400)
}

/// Reads the end of an object's retention, in seconds since 1970; `None` without one.
pub(super) async fn retained_until(bucket: &Bucket, name: &ObjectName) -> Result<Option<i64>> {
    // The answer to HEAD has it as well, and is one that every store gives in the same form.
    let found = bucket.head(name).await?;
    let found = found.ok_or_else(|| error::Error::Missing { object: name.to_string() })?;
    Ok(found.object_lock_retain_until_date().map(DateTime::secs))
}

/// Extends the retention of an object until a time, in seconds since 1970; refuses to shorten it.
pub(super) async fn extend(
    bucket: &Bucket,
    name: &ObjectName,
    mode: LockMode,
    until: i64,
) -> Result<()> {
    match extend_to(bucket, name, mode, until).await? {
        end if end.seconds > until => {
            Err(error::Refusal::RetentionShortened { object: name.to_string() }.into())
        }
        _ => Ok(()),
    }
}

/// Makes the retention of an object last at least until a time, in seconds since 1970; returns its end.
pub(super) async fn extend_to(
    bucket: &Bucket,
    name: &ObjectName,
    mode: LockMode,
    until: i64,
) -> Result<Timestamp> {
    let end = |seconds| Timestamp { seconds, nanos: 0 };
    if let Some(now) = retained_until(bucket, name).await?
        && now >= until
    {
        return Ok(end(now));
    }
    let set = set(bucket, name, mode, until).await;
    set.map_err(|error| bucket.failed(name, error))?;
    Ok(end(until))
}

/// Gives a retention to an object of several parts that was written with one and has none.
///
/// Some stores forget the retention that an upload in parts began with. One that knows no retention at all is found by
/// [`probe`].
pub(super) async fn ensure(bucket: &Bucket, name: &ObjectName, lock: ObjectLock) -> Result<()> {
    if retained_until(bucket, name).await?.is_some() {
        return Ok(());
    }
    let until = retain_until(bucket, lock).secs();
    match set(bucket, name, lock.mode, until).await {
        Err(error) if !Refusal::of(&error).is_some_and(|refusal| refusal.is_unsupported()) => {
            Err(bucket.failed(name, error))
        }
        _ => Ok(()),
    }
}

/// Sets the retention of an object.
async fn set(
    bucket: &Bucket,
    name: &ObjectName,
    mode: LockMode,
    until: i64,
) -> std::result::Result<(), SdkError<PutObjectRetentionError, HttpResponse>> {
    let mode = match mode {
        LockMode::Governance => ObjectLockRetentionMode::Governance,
        LockMode::Compliance => ObjectLockRetentionMode::Compliance,
    };
    let retention = ObjectLockRetention::builder()
        .mode(mode)
        .retain_until_date(DateTime::from_secs(until))
        .build();
    let client = bucket.quick().await;
    let _permit = bucket.permit().await;
    let request = client
        .put_object_retention()
        .bucket(bucket.name())
        .key(bucket.key(name))
        .retention(retention);
    request.send().await.map(drop)
}

/// Finds out whether the store keeps the retention with which the header was written.
pub(super) async fn probe(bucket: &Bucket) -> Result<Guarantee> {
    match retained_until(bucket, &ObjectName::header()).await? {
        Some(_) => Ok(Guarantee::Kept),
        None => Ok(Guarantee::Broken),
    }
}
