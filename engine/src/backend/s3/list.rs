//! Lists: objects of an area, what is at the top of the prefix, unfinished uploads.

use std::collections::BTreeMap;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2FluentBuilder;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{MultipartUpload, Object};

use super::bucket::Bucket;
use super::failure::Refusal;
use crate::backend::pages::{Pages, endless};
use crate::backend::{ListedObject, UnfinishedFile};
use crate::error::{Error, Result};
use crate::format::object::{Area, ObjectName};

/// The age from which an upload counts as abandoned, in seconds by the server's clock: longer than any backup.
const ABANDONED: i64 = 7 * 86_400;

/// The most pages of uploads that are read; each has up to a thousand.
const PAGES: usize = 100;

/// Lists the objects of an area in the order of their names.
pub(super) async fn list(bucket: &Bucket, area: Area) -> Result<Vec<ListedObject>> {
    let root = bucket.root();
    let prefix = format!("{root}{}/", area.folder());
    let mut found = Vec::new();
    let (mut next, mut pages): (Option<String>, _) = (None, Pages::default());
    let failed = |source| Error::Backend { object: bucket.location(), source };
    loop {
        let token = next.clone();
        let page = page(bucket, &prefix, |request| request.set_continuation_token(token)).await?;
        pages
            .add(page.contents().first().and_then(Object::key).map(str::as_bytes))
            .map_err(failed)?;
        found.extend(page.contents().iter().filter_map(|object| listed(object, &root, area)));
        if page.is_truncated != Some(true) {
            break;
        }
        match page.next_continuation_token {
            None => {
                return Err(failed(endless(
                    "the list goes on, and the server does not tell where",
                )));
            }
            same if same == next => {
                return Err(failed(endless("the server's list repeats itself")));
            }
            token => next = token,
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup_by(|a, b| a.name == b.name);
    Ok(found)
}

/// Lists several areas in pages of a thousand keys of any area; `None` where the store does not go on where it should.
///
/// The keys between two areas are skipped: after a page that ends in them, the next one starts at the next area.
///
/// ```text
/// areas        snapshots, index
/// keys         destination  index/1 … index/1200  keys/1  packs/00/1 … packs/ff/9  sessions/1  snapshots/1
/// first page                ^from index/1 to index/1000
/// second page                          ^from index/1001 to packs/2c/7
/// third page                                                                                   ^from snapshots/1
/// ```
pub(super) async fn list_areas(
    bucket: &Bucket,
    areas: &[Area],
) -> Result<Option<Vec<Vec<ListedObject>>>> {
    let root = bucket.root();
    let mut folders: Vec<String> =
        areas.iter().map(|area| format!("{root}{}/", area.folder())).collect();
    folders.sort_unstable();
    let mut found: Vec<BTreeMap<ObjectName, u64>> = areas.iter().map(|_| BTreeMap::new()).collect();
    let mut start = folders.first().cloned();
    while let Some(after) = start {
        let page = page(bucket, &root, |request| request.start_after(&after)).await?;
        for object in page.contents() {
            for (area, found) in areas.iter().zip(&mut found) {
                found.extend(listed(object, &root, *area).map(|object| (object.name, object.size)));
            }
        }
        if page.is_truncated != Some(true) {
            break;
        }
        // Some stores leave a page empty whose keys were deleted.
        let last = page.contents().last().and_then(Object::key);
        let Some(last) = last.filter(|last| *last > after.as_str()) else { return Ok(None) };
        let in_area = folders.iter().any(|folder| last.starts_with(folder));
        start = match in_area {
            true => Some(last.to_owned()),
            false => folders.iter().find(|folder| folder.as_str() > last).cloned(),
        };
    }
    let lists = found
        .into_iter()
        .map(|found| found.into_iter().map(|(name, size)| ListedObject { name, size }).collect());
    Ok(Some(lists.collect()))
}

/// Requests one page of the list of the keys with a prefix.
async fn page(
    bucket: &Bucket,
    prefix: &str,
    from: impl FnOnce(ListObjectsV2FluentBuilder) -> ListObjectsV2FluentBuilder,
) -> Result<ListObjectsV2Output> {
    let client = bucket.quick().await;
    let _permit = bucket.permit().await;
    let request = from(client.list_objects_v2().bucket(bucket.name()).prefix(prefix));
    request.send().await.map_err(|error| bucket.failed_at(bucket.location(), error))
}

/// Reads an entry of a list; `None` for what is no object of the area.
fn listed(object: &Object, root: &str, area: Area) -> Option<ListedObject> {
    let name = ObjectName::parse(area, object.key()?.strip_prefix(root)?)?;
    Some(ListedObject { name, size: u64::try_from(object.size()?).ok()? })
}

/// Checks that a repository can be created here; changes nothing.
pub(super) async fn check_vacant(bucket: &Bucket) -> Result<()> {
    let occupied = |found| Error::Occupied { location: bucket.location(), found };
    let root = bucket.root();
    let page = page(bucket, &root, |request| request.delimiter("/")).await?;
    let folders = page.common_prefixes().iter().filter_map(|folder| folder.prefix());
    let objects = page.contents().iter().filter_map(|object| object.key());
    let names = folders.chain(objects).filter_map(|key| key.strip_prefix(&root));
    let names: Vec<&str> = names.map(|name| name.trim_end_matches('/')).collect();
    if names.contains(&ObjectName::header().as_str()) {
        return Err(occupied("holds a repository already"));
    }
    // An interrupted creation leaves the first two; programs that show folders make empty objects for them.
    let is_harmless = |name: &&str| ["keys", "destination", ""].contains(name);
    match names.iter().all(is_harmless) {
        true => Ok(()),
        false => Err(occupied("is not empty")),
    }
}

/// Lists the uploads that are not complete.
pub(super) async fn uploads(bucket: &Bucket) -> Result<Vec<MultipartUpload>> {
    let root = bucket.root();
    let mut found = Vec::new();
    let (mut key, mut id): (Option<String>, Option<String>) = (None, None);
    for _ in 0..PAGES {
        let client = bucket.quick().await;
        let permit = bucket.permit().await;
        let request = client
            .list_multipart_uploads()
            .bucket(bucket.name())
            .prefix(&root)
            .set_key_marker(key)
            .set_upload_id_marker(id);
        let page = request.send().await;
        drop(permit);
        let page = match page {
            Ok(page) => page,
            Err(error) if Refusal::of(&error).is_some_and(|refusal| refusal.is_unsupported()) => {
                break;
            }
            Err(error) => return Err(bucket.failed_at(bucket.location(), error)),
        };
        let is_last = page.is_truncated != Some(true);
        (key, id) = (page.next_key_marker, page.next_upload_id_marker);
        let ours = |upload: &MultipartUpload| upload.key().is_some_and(|k| k.starts_with(&root));
        found.extend(page.uploads.unwrap_or_default().into_iter().filter(ours));
        if is_last || key.is_none() {
            break;
        }
    }
    Ok(found)
}

/// Describes the uploads that are not complete.
pub(super) async fn unfinished(bucket: &Bucket) -> Result<Vec<UnfinishedFile>> {
    let mut files = Vec::new();
    for upload in uploads(bucket).await? {
        let key = upload.key().unwrap_or_default();
        files.push(UnfinishedFile {
            name: key.strip_prefix(&bucket.root()).unwrap_or(key).to_owned(),
            size: size_of_parts(bucket, &upload).await?,
            is_abandoned: is_abandoned(bucket, &upload),
        });
    }
    Ok(files)
}

/// Returns the size of the parts that arrived; of the first thousand, which 8 GB have.
async fn size_of_parts(bucket: &Bucket, upload: &MultipartUpload) -> Result<u64> {
    let client = bucket.quick().await;
    let _permit = bucket.permit().await;
    let request = client
        .list_parts()
        .bucket(bucket.name())
        .set_key(upload.key.clone())
        .set_upload_id(upload.upload_id.clone());
    match request.send().await {
        Ok(listed) => {
            let sizes = listed.parts().iter().filter_map(|part| u64::try_from(part.size()?).ok());
            Ok(sizes.sum())
        }
        // Its writer may have completed it meanwhile, or the store does not tell: the size is for information.
        Err(error) if Refusal::of(&error).is_some() => Ok(0),
        Err(error) => Err(bucket.failed_at(bucket.location(), error)),
    }
}

/// Ends the uploads that were abandoned.
pub(super) async fn remove_abandoned(bucket: &Bucket) -> Result<()> {
    for upload in uploads(bucket).await? {
        if is_abandoned(bucket, &upload)
            && let (Some(key), Some(id)) = (upload.key, upload.upload_id)
        {
            end_upload(bucket, &key, &id).await?;
        }
    }
    Ok(())
}

/// Ends an upload, so that its parts take no space; succeeds when there is none.
pub(super) async fn end_upload(bucket: &Bucket, key: &str, id: &str) -> Result<()> {
    let client = bucket.quick().await;
    let _permit = bucket.permit().await;
    let request = client.abort_multipart_upload().bucket(bucket.name()).key(key).upload_id(id);
    match request.send().await {
        Err(error) if Refusal::of(&error).is_some_and(|refusal| refusal.status == 404) => Ok(()),
        Err(error) => Err(bucket.failed_at(bucket.location(), error)),
        Ok(_) => Ok(()),
    }
}

fn is_abandoned(bucket: &Bucket, upload: &MultipartUpload) -> bool {
    let is_old = |begun: &DateTime| bucket.clock.now() - begun.secs() > ABANDONED;
    let is_own = upload.upload_id().is_some_and(|id| bucket.own_uploads().contains(id));
    upload.initiated().is_some_and(is_old) && !is_own
}

#[cfg(test)]
mod tests;
