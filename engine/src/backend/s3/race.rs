//! A race of several writers for one key, which shows whether a store decides it.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::bucket::Bucket;
use super::failure::Refusal;
use super::headers::draw_tag;
use crate::backend::Guarantee;
use crate::backend::runtime::runtime;
use crate::error::{Error, Result};

/// The writers in a race; no more than requests that may run at once.
const WRITERS: usize = 12;

/// The races: one may be decided by chance.
const RACES: usize = 3;

/// The bytes that each writer sends, enough to take a store some time.
const BYTES: usize = 64 << 10;

/// Finds out whether exactly one of several writers creates a key.
pub(super) async fn probe(bucket: &Arc<Bucket>) -> Result<Guarantee> {
    let mut found = Guarantee::Kept;
    for _ in 0..RACES {
        let key = format!("{}probe-{}", bucket.root(), draw_tag()?);
        let created = race(bucket, &key).await?;
        let client = bucket.quick().await;
        // Where nothing may be deleted, it stays.
        let _ = client.delete_object().bucket(bucket.name()).key(&key).send().await;
        if created != 1 {
            found = Guarantee::Broken;
            break;
        }
    }
    Ok(found)
}

/// Returns how many writers of one key were told that they created it.
async fn race(bucket: &Arc<Bucket>, key: &str) -> Result<usize> {
    let writers = WRITERS.min(bucket.options.requests).max(1);
    let start = Arc::new(Barrier::new(writers));
    let mut running = JoinSet::new();
    for writer in 0..writers {
        let (bucket, key, start) = (Arc::clone(bucket), key.to_owned(), Arc::clone(&start));
        let write = async move {
            start.wait().await;
            create(&bucket, key, writer).await
        };
        running.spawn_on(write, runtime().handle());
    }
    let mut created = 0;
    while let Some(ended) = running.join_next().await {
        created += usize::from(ended.expect("a writer does not panic")?);
    }
    Ok(created)
}

/// Writes the key unless it exists; returns true when the store says that it created it.
async fn create(bucket: &Bucket, key: String, writer: usize) -> Result<bool> {
    let client = bucket.bulk().await;
    let _permit = bucket.permit().await;
    let request = client
        .put_object()
        .bucket(bucket.name())
        .key(key)
        .if_none_match("*")
        .body(ByteStream::from(vec![writer as u8; BYTES]));
    match request.send().await {
        Ok(_) => Ok(true),
        Err(error) => match Refusal::of(&error) {
            // A conflict that lasted is a lost race as well.
            Some(refusal) if refusal.is_failed_condition() || refusal.status == 409 => Ok(false),
            // A store without conditional requests does not keep the promise.
            Some(refusal) if refusal.is_unsupported() => Ok(true),
            _ => Err(Error::Backend {
                object: bucket.location(),
                source: super::failure::translate(bucket, error),
            }),
        },
    }
}
