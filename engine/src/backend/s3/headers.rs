//! Headers of new objects: storage class, encryption, retention, and a tag of the writer.

use std::io::Error as IoError;

use aws_sdk_s3::operation::create_multipart_upload::builders::CreateMultipartUploadFluentBuilder;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ObjectLockMode, ServerSideEncryption, StorageClass};
use md5::{Digest, Md5};

use super::bucket::Bucket;
use super::lock::retain_until;
use super::options::{LockMode, ServerEncryption};
use crate::error::{Error, Result};
use crate::format::object::{Area, ObjectName};

/// The key of the metadata that holds the tag of the writer (`x-amz-meta-write`).
const TAG: &str = "write";

/// Draws a random tag for a writer of an object.
pub(super) fn draw_tag() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::Backend {
        object: "the system's random numbers".into(),
        source: IoError::other(error.to_string()),
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Returns true for the object of the writer with this tag.
pub(super) fn has_tag(found: &HeadObjectOutput, tag: &str) -> bool {
    found.metadata().and_then(|metadata| metadata.get(TAG)).is_some_and(|found| found == tag)
}

/// Adds the headers to a request for a small object.
pub(super) fn for_put(
    request: PutObjectFluentBuilder,
    bucket: &Bucket,
    name: &ObjectName,
    tag: &str,
    bytes: &[u8],
) -> PutObjectFluentBuilder {
    let (encryption, key) = encryption(bucket);
    let lock = lock(bucket);
    request
        .metadata(TAG, tag)
        .set_storage_class(class(bucket, name))
        .set_server_side_encryption(encryption)
        .set_ssekms_key_id(key)
        .set_object_lock_mode(lock.clone().map(|(mode, _)| mode))
        .set_object_lock_retain_until_date(lock.map(|(_, until)| until))
        .set_content_md5(md5_for_lock(bucket, bytes))
}

/// Adds the headers to a request for an object in parts.
pub(super) fn for_parts(
    request: CreateMultipartUploadFluentBuilder,
    bucket: &Bucket,
    name: &ObjectName,
    tag: &str,
) -> CreateMultipartUploadFluentBuilder {
    let (encryption, key) = encryption(bucket);
    let lock = lock(bucket);
    request
        .metadata(TAG, tag)
        .set_storage_class(class(bucket, name))
        .set_server_side_encryption(encryption)
        .set_ssekms_key_id(key)
        .set_object_lock_mode(lock.clone().map(|(mode, _)| mode))
        .set_object_lock_retain_until_date(lock.map(|(_, until)| until))
}

/// Returns the `Content-MD5` of bytes that are written with a retention, for which Amazon's demands it.
pub(super) fn md5_for_lock(bucket: &Bucket, bytes: &[u8]) -> Option<String> {
    bucket.options.lock.map(|_| base64(&Md5::digest(bytes)))
}

fn class(bucket: &Bucket, name: &ObjectName) -> Option<StorageClass> {
    let options = &bucket.options;
    // Parity is read when packs are.
    let class = if name.is_pack() || Area::of(name) == Some(Area::Parity) {
        &options.pack_class
    } else {
        &options.class
    };
    class.as_deref().map(StorageClass::from)
}

fn encryption(bucket: &Bucket) -> (Option<ServerSideEncryption>, Option<String>) {
    match &bucket.options.encryption {
        ServerEncryption::Default => (None, None),
        ServerEncryption::Store => (Some(ServerSideEncryption::Aes256), None),
        ServerEncryption::Kms(key) => (Some(ServerSideEncryption::AwsKms), key.clone()),
    }
}

fn lock(bucket: &Bucket) -> Option<(ObjectLockMode, DateTime)> {
    let lock = bucket.options.lock?;
    let mode = match lock.mode {
        LockMode::Governance => ObjectLockMode::Governance,
        LockMode::Compliance => ObjectLockMode::Compliance,
    };
    Some((mode, retain_until(bucket, lock)))
}

/// Encodes bytes in Base64 with padding (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        let number = number << (8 * (3 - group.len()));
        for digit in 0..4 {
            let at = number >> (18 - 6 * digit) & 63;
            text.push(match digit <= group.len() {
                true => char::from(DIGITS[at as usize]),
                false => '=',
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_the_test_vectors_of_its_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
