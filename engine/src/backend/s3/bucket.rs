//! A bucket as all requests need it: its clients, its keys, the number of requests at once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::client::{Clients, connect};
use super::clock::ServerClock;
use super::failure::{Refusal, translate};
use super::options::S3Options;
use crate::error::{Error, Result};
use crate::format::object::ObjectName;

/// The bucket and the prefix that hold a repository.
pub(super) struct Bucket {
    pub(super) options: S3Options,
    pub(super) clock: Arc<ServerClock>,
    clients: OnceCell<Clients>,
    /// One permit for each request that may run.
    permits: Semaphore,
    /// Guards the ids of the uploads in parts that this process has not ended.
    own_uploads: Mutex<HashSet<String>>,
}

impl Bucket {
    pub(super) fn new(options: S3Options) -> Self {
        let permits = Semaphore::new(options.requests.max(1));
        let (clock, clients, own_uploads) = Default::default();
        Self { options, clock, clients, permits, own_uploads }
    }

    /// Returns the name of the destination for messages.
    pub(super) fn location(&self) -> String {
        match self.options.prefix.as_str() {
            "" => format!("s3://{}", self.options.bucket),
            prefix => format!("s3://{}/{prefix}", self.options.bucket),
        }
    }

    /// Returns the name of the bucket.
    pub(super) fn name(&self) -> &str {
        &self.options.bucket
    }

    /// Returns the beginning of the keys of all objects.
    pub(super) fn root(&self) -> String {
        match self.options.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }
    }

    /// Returns the key of an object.
    pub(super) fn key(&self, name: &ObjectName) -> String {
        self.root() + name.as_str()
    }

    async fn clients(&self) -> &Clients {
        self.clients.get_or_init(|| connect(&self.options, &self.clock)).await
    }

    /// Returns the client for requests whose answer begins soon.
    pub(super) async fn quick(&self) -> &Client {
        &self.clients().await.quick
    }

    /// Returns the client for uploads.
    pub(super) async fn bulk(&self) -> &Client {
        &self.clients().await.bulk
    }

    /// Waits until one more request may run.
    pub(super) async fn permit(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("the semaphore is never closed")
    }

    /// Returns the ids of the uploads in parts that this process has not ended.
    pub(super) fn own_uploads(&self) -> MutexGuard<'_, HashSet<String>> {
        self.own_uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the region that requests are signed for; `None` before the first request.
    pub(super) fn region(&self) -> Option<&str> {
        self.clients.get().map(|clients| clients.region.as_str())
    }

    /// Translates the failure of a request for an object.
    pub(super) fn failed<E>(&self, name: &ObjectName, error: SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let refusal = Refusal::of(&error);
        if refusal.as_ref().is_some_and(Refusal::is_missing_object) {
            return Error::Missing { object: name.to_string() };
        }
        self.failed_at(format!("{}/{name}", self.location()), error)
    }

    /// Translates the failure of a request that is for no single object.
    pub(super) fn failed_at<E>(&self, at: String, error: SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        Error::Backend { object: at, source: translate(self, error) }
    }

    /// Reads the metadata of an object; `None` when it does not exist.
    pub(super) async fn head(&self, name: &ObjectName) -> Result<Option<HeadObjectOutput>> {
        let client = self.quick().await;
        let _permit = self.permit().await;
        let request = client.head_object().bucket(self.name()).key(self.key(name));
        let error = match request.send().await {
            Ok(found) => return Ok(Some(found)),
            Err(error) => error,
        };
        // An answer to HEAD has no body, so it names neither a missing bucket nor a wrong key; a list does.
        let status = Refusal::of(&error).map(|refusal| refusal.status);
        let is_certain = status == Some(404) && *name != ObjectName::header();
        if status.is_some_and(|status| status < 500) && !is_certain {
            self.probe_access().await?;
        }
        match status {
            Some(404) => Ok(None),
            _ => Err(self.failed(name, error)),
        }
    }

    /// Deletes an object; succeeds when it does not exist.
    pub(super) async fn delete(&self, name: &ObjectName) -> Result<()> {
        let client = self.quick().await;
        let _permit = self.permit().await;
        let request = client.delete_object().bucket(self.name()).key(self.key(name));
        match request.send().await {
            Err(error) if Refusal::of(&error).is_some_and(|r| r.is_missing_object()) => Ok(()),
            Err(error) => Err(self.failed(name, error)),
            Ok(_) => Ok(()),
        }
    }

    /// Fails with the reason when the bucket can't be listed.
    async fn probe_access(&self) -> Result<()> {
        let client = self.quick().await;
        let request = client.list_objects_v2().bucket(self.name()).prefix(self.root()).max_keys(1);
        request.send().await.map_err(|error| self.failed_at(self.location(), error))?;
        Ok(())
    }
}
