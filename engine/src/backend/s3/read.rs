//! Ranged reads.

use std::io::{Error as IoError, ErrorKind};
use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use yore_platform::ReadBuffer;

use super::bucket::Bucket;
use super::failure::Refusal;
use crate::error::{Error, Result};
use crate::format::object::ObjectName;

/// The attempts to read a range whose transfer breaks off.
const ATTEMPTS: u32 = 4;

/// Replaces the content of `out` by a range of an object.
pub(super) async fn read(
    bucket: &Bucket,
    name: &ObjectName,
    range: Range<u64>,
    out: &mut ReadBuffer,
) -> Result<()> {
    for attempt in 1.. {
        match read_once(bucket, name, &range, out).await {
            Err(Torn::Transfer(_)) if attempt < ATTEMPTS => pause(attempt).await,
            Err(Torn::Transfer(error) | Torn::Request(error)) => return Err(error),
            Ok(()) => break,
        }
    }
    Ok(())
}

/// Reads a whole object of at most `limit` bytes.
pub(super) async fn load(bucket: &Bucket, name: &ObjectName, limit: u64) -> Result<ReadBuffer> {
    let mut out = ReadBuffer::default();
    for attempt in 1.. {
        match load_once(bucket, name, limit, &mut out).await {
            Err(Torn::Transfer(_)) if attempt < ATTEMPTS => pause(attempt).await,
            Err(Torn::Transfer(error) | Torn::Request(error)) => return Err(error),
            Ok(()) => break,
        }
    }
    Ok(out)
}

async fn load_once(
    bucket: &Bucket,
    name: &ObjectName,
    limit: u64,
    out: &mut ReadBuffer,
) -> std::result::Result<(), Torn> {
    let client = bucket.quick().await;
    let _permit = bucket.permit().await;
    let request = client.get_object().bucket(bucket.name()).key(bucket.key(name));
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return Err(Torn::Request(bucket.failed(name, error))),
    };
    let announced = answer.content_length().and_then(|length| u64::try_from(length).ok());
    let Some(length) = announced else {
        return Err(Torn::Transfer(broken(bucket, name, "the server did not tell its size")));
    };
    if length > limit {
        return Err(Torn::Request(crate::backend::too_large(name)));
    }
    receive(bucket, name, answer.body, 0..length, out).await
}

/// Waits before the next attempt.
async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(100) * 4_u32.pow(attempt)).await;
}

/// The failure of one attempt.
enum Torn {
    /// The request failed after the attempts of the SDK, or for good.
    Request(Error),
    /// The answer was not complete.
    Transfer(Error),
}

async fn read_once(
    bucket: &Bucket,
    name: &ObjectName,
    range: &Range<u64>,
    out: &mut ReadBuffer,
) -> std::result::Result<(), Torn> {
    out.clear();
    let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) else {
        return Ok(());
    };
    let client = bucket.quick().await;
    let _permit = bucket.permit().await;
    let request = client
        .get_object()
        .bucket(bucket.name())
        .key(bucket.key(name))
        .range(format!("bytes={}-{last}", range.start));
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) if Refusal::of(&error).is_some_and(|refusal| refusal.status == 416) => {
            return Err(Torn::Request(truncated(name)));
        }
        Err(error) => return Err(Torn::Request(bucket.failed(name, error))),
    };
    let offset = offset_in_answer(&answer, name, range).map_err(Torn::Request)?;
    let length = range.end - range.start;
    receive(bucket, name, answer.body, offset..offset.saturating_add(length), out).await
}

/// Replaces the content of `out` by a range of the body of an answer.
async fn receive(
    bucket: &Bucket,
    name: &ObjectName,
    mut body: ByteStream,
    range: Range<u64>,
    out: &mut ReadBuffer,
) -> std::result::Result<(), Torn> {
    out.clear();
    let (mut skip, length) = (range.start, range.end - range.start);
    while (out.len() as u64) < length {
        let piece = match body.next().await {
            Some(Ok(piece)) => piece,
            Some(Err(_)) => {
                return Err(Torn::Transfer(broken(bucket, name, "the transfer broke off")));
            }
            None => {
                let text = "the server sent less than it announced";
                return Err(Torn::Transfer(broken(bucket, name, text)));
            }
        };
        let skipped = skip.min(piece.len() as u64);
        skip -= skipped;
        let wanted = &piece[skipped as usize..];
        let room = usize::try_from(length - out.len() as u64).unwrap_or(usize::MAX);
        out.extend_from_slice(&wanted[..wanted.len().min(room)]);
    }
    Ok(())
}

/// Makes the temporary error of a transfer that broke.
fn broken(bucket: &Bucket, name: &ObjectName, text: &str) -> Error {
    let object = format!("{}/{name}", bucket.location());
    Error::Backend { object, source: IoError::new(ErrorKind::ConnectionAborted, text) }
}

/// Returns the offset of the range in the body of an answer; fails when the object ends before the range.
fn offset_in_answer(
    answer: &GetObjectOutput,
    name: &ObjectName,
    range: &Range<u64>,
) -> Result<u64> {
    let announced = answer.content_length().and_then(|length| u64::try_from(length).ok());
    let (offset, total) = match answer.content_range().and_then(parse_content_range) {
        Some((first, total)) => (range.start.checked_sub(first), total),
        // A server that does not know ranges sends the whole object.
        None => (Some(range.start), announced),
    };
    if total.is_some_and(|total| total < range.end) {
        return Err(truncated(name));
    }
    offset.ok_or_else(|| Error::damaged(name.as_str(), "the server sent another range of it"))
}

/// Parses `bytes FIRST-LAST/TOTAL` into the first byte and the size of the object.
fn parse_content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

fn truncated(name: &ObjectName) -> Error {
    Error::damaged(name.as_str(), "truncated")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_an_object_is_in_the_range_of_an_answer() {
        assert_eq!(parse_content_range("bytes 5-9/20"), Some((5, Some(20))));
        assert_eq!(parse_content_range("bytes 5-9/*"), Some((5, None)));
        assert_eq!(parse_content_range("5-9/20"), None);
    }
}
