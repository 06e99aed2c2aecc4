//! Objects that are being written: one request for a small one, parts that are sent meanwhile for a large one.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use tokio::task::JoinSet;

use super::S3;
use super::bucket::Bucket;
use super::failure::Refusal;
use super::headers;
use super::list::end_upload;
use super::lock;
use crate::backend::runtime::{block_on, runtime};
use crate::backend::{Backend, Guarantee, NewObject, Published};
use crate::error::{Error, Result};
use crate::format::object::ObjectName;

/// The size of a part in bytes; Amazon's take 10,000 parts from 5 MiB.
const PART: usize = 8 << 20;

/// The most parts of an object that are sent at once: enough for 600 Mbit/s at 400 ms.
const PARTS_IN_FLIGHT: usize = 4;

/// The time for ending an upload that is given up; then `remove_abandoned` ends it some day.
const FAREWELL: Duration = Duration::from_secs(30);

/// An object that is being written.
pub(super) struct Upload<'a> {
    s3: &'a S3,
    name: ObjectName,
    /// Bytes that were not sent yet.
    pending: Vec<u8>,
    /// The upload in parts, once there are more bytes than one.
    parts: Option<Parts>,
    /// A random text that tells this writer's object from others'.
    tag: String,
}

/// An upload in parts.
struct Parts {
    id: String,
    /// The number of parts that were begun.
    begun: i32,
    running: JoinSet<Result<CompletedPart>>,
    sent: Vec<CompletedPart>,
}

/// The condition under which an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    IfAbsent,
    Always,
}

impl<'a> Upload<'a> {
    pub(super) fn new(s3: &'a S3, name: &ObjectName) -> Result<Self> {
        let tag = headers::draw_tag()?;
        Ok(Self { s3, name: name.clone(), pending: Vec::new(), parts: None, tag })
    }

    fn bucket(&self) -> &Arc<Bucket> {
        &self.s3.bucket
    }

    /// Sends the pending bytes as the next part, once fewer than the most are being sent.
    async fn send_part(&mut self, bytes: Vec<u8>) -> Result<()> {
        let bucket = Arc::clone(self.bucket());
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => {
                let id = begin(&bucket, &self.name, &self.tag).await?;
                bucket.own_uploads().insert(id.clone());
                none.insert(Parts { id, begun: 0, running: JoinSet::new(), sent: Vec::new() })
            }
        };
        while parts.running.len() >= PARTS_IN_FLIGHT {
            parts.join_one().await?;
        }
        parts.begun += 1;
        let (name, id, number) = (self.name.clone(), parts.id.clone(), parts.begun);
        parts.running.spawn_on(
            async move { send(&bucket, &name, &id, number, bytes).await },
            runtime().handle(),
        );
        Ok(())
    }

    /// Makes the object exist.
    async fn finish(&mut self, mut condition: Condition) -> Result<Published> {
        if condition == Condition::IfAbsent
            && self.asks_first()
            && self.bucket().head(&self.name).await?.is_some()
        {
            self.give_up().await;
            return Ok(Published::Exists);
        }
        if self.s3.refuses_conditions() {
            condition = Condition::Always;
        }
        let pending = std::mem::take(&mut self.pending);
        let sent = match self.parts.is_some() {
            false => self.put(pending, condition).await?,
            true => {
                if !pending.is_empty() {
                    self.send_part(pending).await?;
                }
                self.complete(condition).await?
            }
        };
        match sent {
            Sent::Created => Ok(Published::Created),
            Sent::Refused => self.tell_own_object().await,
        }
    }

    /// Returns true if the name is looked for first, since the store may replace an object that exists.
    ///
    /// The header is never looked for: `prepare` did, and the probe needs the answer of the store itself. A name
    /// that was drawn at random is, where the store is known to replace objects: a copy of it may be there.
    fn asks_first(&self) -> bool {
        match self.s3.capabilities().create_if_absent {
            Guarantee::Kept => false,
            Guarantee::Broken => self.name != ObjectName::header(),
            Guarantee::Unprobed => self.name != ObjectName::header() && !self.name.is_drawn(),
        }
    }

    /// Sends a small object.
    async fn put(&self, bytes: Vec<u8>, condition: Condition) -> Result<Sent> {
        let bucket = self.bucket();
        let client = bucket.bulk().await;
        let _permit = bucket.permit().await;
        let request = |bytes: Vec<u8>| {
            let request = client.put_object().bucket(bucket.name()).key(bucket.key(&self.name));
            let request = headers::for_put(request, bucket, &self.name, &self.tag, &bytes);
            request.body(ByteStream::from(bytes))
        };
        if condition == Condition::Always {
            let sent = request(bytes).send().await;
            return sent.map(|_| Sent::Created).map_err(|e| bucket.failed(&self.name, e));
        }
        match request(bytes.clone()).if_none_match("*").send().await {
            Ok(_) => Ok(Sent::Created),
            Err(error) => match Refusal::of(&error) {
                Some(refusal) if refusal.is_failed_condition() => Ok(Sent::Refused),
                Some(refusal) if refusal.is_unsupported() => {
                    self.s3.learn_refusal();
                    let sent = request(bytes).send().await;
                    sent.map(|_| Sent::Created).map_err(|e| bucket.failed(&self.name, e))
                }
                _ => Err(bucket.failed(&self.name, error)),
            },
        }
    }

    /// Makes the object of its parts.
    async fn complete(&mut self, condition: Condition) -> Result<Sent> {
        let bucket = Arc::clone(self.bucket());
        let Some(parts) = &mut self.parts else { return Ok(Sent::Refused) };
        while !parts.running.is_empty() {
            parts.join_one().await?;
        }
        parts.sent.sort_by_key(|part| part.part_number());
        let list = CompletedMultipartUpload::builder().set_parts(Some(parts.sent.clone())).build();
        let client = bucket.bulk().await;
        let request = || {
            let request = client.complete_multipart_upload().bucket(bucket.name());
            let request = request.key(bucket.key(&self.name)).upload_id(&parts.id);
            request.multipart_upload(list.clone())
        };
        let permit = bucket.permit().await;
        let answer = match condition {
            Condition::Always => request().send().await,
            Condition::IfAbsent => match request().if_none_match("*").send().await {
                Err(error) if is_unsupported(&error) => {
                    self.s3.learn_refusal();
                    request().send().await
                }
                answer => answer,
            },
        };
        drop(permit);
        match answer {
            Ok(_) => {
                bucket.own_uploads().remove(&parts.id);
                self.parts = None;
                if let Some(lock) = bucket.options.lock {
                    lock::ensure(&bucket, &self.name, lock).await?;
                }
                Ok(Sent::Created)
            }
            // The upload is unknown once it is complete: the answer to an attempt before may have been lost.
            Err(error) => match Refusal::of(&error) {
                Some(refusal)
                    if refusal.is_failed_condition() || refusal.code == "NoSuchUpload" =>
                {
                    Ok(Sent::Refused)
                }
                _ => Err(bucket.failed(&self.name, error)),
            },
        }
    }

    /// Finds out after a refusal whether the object that exists is this writer's, whose answer was lost.
    async fn tell_own_object(&mut self) -> Result<Published> {
        let found = self.bucket().head(&self.name).await?;
        if found.as_ref().is_some_and(|found| headers::has_tag(found, &self.tag)) {
            if let Some(parts) = self.parts.take() {
                self.bucket().own_uploads().remove(&parts.id);
            }
            return Ok(Published::Created);
        }
        let exists = found.is_some();
        self.give_up().await;
        match exists {
            true => Ok(Published::Exists),
            // It was deleted meanwhile, or somebody ended the upload.
            false => Err(Error::Backend {
                object: format!("{}/{}", self.bucket().location(), self.name),
                source: std::io::Error::new(
                    std::io::ErrorKind::ResourceBusy,
                    "another writer was in the way",
                ),
            }),
        }
    }

    /// Ends an upload in parts that is not to become an object.
    async fn give_up(&mut self) {
        let Some(mut parts) = self.parts.take() else { return };
        parts.running.shutdown().await;
        self.bucket().own_uploads().remove(&parts.id);
        let key = self.bucket().key(&self.name);
        let end = end_upload(self.bucket(), &key, &parts.id);
        // What is left of it counts as abandoned after a week.
        let _ = tokio::time::timeout(FAREWELL, end).await;
    }
}

impl Parts {
    /// Waits for one of the parts that are being sent.
    async fn join_one(&mut self) -> Result<()> {
        match self.running.join_next().await {
            Some(Ok(sent)) => self.sent.push(sent?),
            Some(Err(_)) => unreachable!("a part is neither cancelled nor does it panic"),
            None => {}
        }
        Ok(())
    }
}

/// The outcome of the request that makes an object exist.
enum Sent {
    Created,
    /// An object of that name exists.
    Refused,
}

fn is_unsupported(error: &SdkError<CompleteMultipartUploadError, HttpResponse>) -> bool {
    Refusal::of(error).is_some_and(|refusal| refusal.is_unsupported())
}

/// Begins an upload in parts; returns its id.
async fn begin(bucket: &Bucket, name: &ObjectName, tag: &str) -> Result<String> {
    let client = bucket.quick().await;
    let _permit = bucket.permit().await;
    let request = client.create_multipart_upload().bucket(bucket.name()).key(bucket.key(name));
    let request = headers::for_parts(request, bucket, name, tag);
    let begun = request.send().await.map_err(|error| bucket.failed(name, error))?;
    begun.upload_id.ok_or_else(|| Error::Backend {
        object: format!("{}/{name}", bucket.location()),
        source: std::io::Error::other("the server gave the upload no id"),
    })
}

/// Sends a part.
async fn send(
    bucket: &Bucket,
    name: &ObjectName,
    id: &str,
    number: i32,
    bytes: Vec<u8>,
) -> Result<CompletedPart> {
    let client = bucket.bulk().await;
    let _permit = bucket.permit().await;
    let request = client
        .upload_part()
        .bucket(bucket.name())
        .key(bucket.key(name))
        .upload_id(id)
        .part_number(number)
        .set_content_md5(headers::md5_for_lock(bucket, &bytes))
        .body(ByteStream::from(bytes));
    let sent = request.send().await.map_err(|error| bucket.failed(name, error))?;
    Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build())
}

impl NewObject for Upload<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.pending.extend_from_slice(bytes);
        // An object of exactly one part is sent in one request.
        while self.pending.len() > PART {
            let rest = self.pending.split_off(PART);
            let part = std::mem::replace(&mut self.pending, rest);
            block_on(self.send_part(part))?;
        }
        Ok(())
    }

    fn publish(mut self: Box<Self>) -> Result<Published> {
        block_on(self.finish(Condition::IfAbsent))
    }

    fn replace(mut self: Box<Self>) -> Result<()> {
        block_on(self.finish(Condition::Always)).map(drop)
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if self.parts.is_some() {
            block_on(self.give_up());
        }
    }
}
