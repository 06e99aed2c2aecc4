//! The failures of requests, as the engine's errors.
//!
//! A message has a server's own words only where its code is unknown, shortened and without control characters.

use std::error::Error as StdError;
use std::io::{Error as IoError, ErrorKind};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use super::bucket::Bucket;

/// The longest text of a server that is repeated, in characters.
const LONGEST: usize = 300;

/// A server's refusal of a request.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    /// The status of the answer.
    pub(super) status: u16,
    /// The code in the answer's body; empty without one.
    pub(super) code: String,
    message: String,
    /// The region of the bucket, where the answer names it.
    region: Option<String>,
}

impl Refusal {
    /// Reads the refusal in an error; `None` when the server did not answer.
    pub(super) fn of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<Self> {
        let SdkError::ServiceError(service) = error else { return None };
        let (answer, metadata) = (service.raw(), service.err().meta());
        Some(Self {
            status: answer.status().as_u16(),
            code: metadata.code().unwrap_or_default().to_owned(),
            message: printable(metadata.message().unwrap_or_default()),
            region: answer.headers().get("x-amz-bucket-region").map(printable),
        })
    }

    /// Returns true when there is no such object in a bucket that exists.
    pub(super) fn is_missing_object(&self) -> bool {
        self.status == 404 && self.code != "NoSuchBucket"
    }

    /// Returns true when the store does not know a header or a request.
    pub(super) fn is_unsupported(&self) -> bool {
        self.status == 501 || self.status == 405 || self.code == "NotImplemented"
    }

    /// Returns true when the condition of a request does not hold.
    pub(super) fn is_failed_condition(&self) -> bool {
        self.status == 412
    }

    fn translate(&self, bucket: &Bucket) -> IoError {
        if self.is_about_time()
            && let Some(text) = bucket.clock.describe_error()
        {
            return IoError::new(ErrorKind::InvalidInput, text);
        }
        if let Some(text) = self.other_region(bucket) {
            return IoError::new(ErrorKind::InvalidInput, text);
        }
        let (kind, text) = self.describe(bucket.name());
        IoError::new(kind, text)
    }

    /// Returns true when a wrong clock may be the reason.
    fn is_about_time(&self) -> bool {
        let about_time = ["RequestTimeTooSkewed", "RequestExpired", "AuthorizationHeaderMalformed"];
        self.status == 403
            || about_time.contains(&self.code.as_str())
            || self.message.contains("Date")
    }

    /// Describes a bucket in another region than the requests are for.
    fn other_region(&self, bucket: &Bucket) -> Option<String> {
        let redirects = matches!(self.status, 301 | 307 | 400);
        let region = self.region.as_deref().filter(|_| redirects).or_else(|| {
            // "…; the region 'us-east-1' is wrong; expecting 'eu-central-1'"
            let rest = self.message.split_once("expecting '").filter(|_| redirects)?.1;
            rest.split('\'').next()
        });
        let used = bucket.region();
        let region = region.filter(|region| used != Some(region))?;
        Some(format!("the bucket is in the region {region}, not in {}", used.unwrap_or("this one")))
    }

    fn describe(&self, bucket: &str) -> (ErrorKind, String) {
        let kind = match (self.code.as_str(), self.status) {
            ("NoSuchBucket", _) => {
                return (ErrorKind::NotFound, format!("there is no bucket {bucket} at the server"));
            }
            ("InvalidAccessKeyId" | "InvalidClientTokenId" | "NotSignedUp", _) => {
                return denied("the server does not know the access key");
            }
            ("SignatureDoesNotMatch", _) => {
                return denied("the secret key does not belong to the access key");
            }
            ("ExpiredToken" | "TokenRefreshRequired", _) => {
                return denied("the credentials have expired");
            }
            ("InvalidToken", _) => return denied("the session token is not valid"),
            ("QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage", _) | (_, 507) => {
                ErrorKind::QuotaExceeded
            }
            ("RequestTimeout" | "SlowDown", _) | (_, 408 | 409 | 429 | 500 | 502..=504) => {
                ErrorKind::ResourceBusy
            }
            (_, 401 | 403) => {
                return denied(&self.with_words("the credentials do not allow it"));
            }
            _ => ErrorKind::Other,
        };
        (kind, self.with_words(&format!("the server answered {}", self.status)))
    }

    /// Adds the server's own words.
    fn with_words(&self, text: &str) -> String {
        match (self.code.as_str(), self.message.as_str()) {
            ("", "") => text.to_owned(),
            (code, "") => format!("{text} ({})", printable(code)),
            (_, message) => format!("{text} ({message})"),
        }
    }
}

fn denied(text: &str) -> (ErrorKind, String) {
    (ErrorKind::PermissionDenied, text.to_owned())
}

/// Translates the failure of a request.
pub(super) fn translate<E>(bucket: &Bucket, error: SdkError<E, HttpResponse>) -> IoError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    if let Some(refusal) = Refusal::of(&error) {
        return refusal.translate(bucket);
    }
    match &error {
        SdkError::TimeoutError(_) => timed_out(),
        SdkError::ResponseError(_) => IoError::new(
            ErrorKind::ConnectionAborted,
            "the answer of the server could not be understood",
        ),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => timed_out(),
        _ => unreachable_server(&error),
    }
}

fn timed_out() -> IoError {
    IoError::new(ErrorKind::TimedOut, "the server did not answer in time")
}

/// Translates a failure before the server answered, by its causes.
fn unreachable_server(error: &(dyn StdError + 'static)) -> IoError {
    let text = DisplayErrorContext(error).to_string();
    if text.contains("CredentialsNotLoaded") || text.contains("no providers in chain") {
        return IoError::new(ErrorKind::PermissionDenied, "no credentials were found");
    }
    if text.contains("ProviderError") || text.contains("provider") && text.contains("credential") {
        return IoError::new(ErrorKind::PermissionDenied, "the credentials could not be loaded");
    }
    if text.contains("dns error") || text.contains("failed to lookup") {
        return IoError::new(ErrorKind::HostUnreachable, "the name of the server is not known");
    }
    if text.contains("certificate") {
        return IoError::other("the certificate of the server is not trusted");
    }
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<IoError>()
            && io.kind() != ErrorKind::Other
        {
            return IoError::new(kind_of_connection(io.kind()), "the server can't be reached");
        }
        cause = current.source();
    }
    IoError::new(ErrorKind::ConnectionAborted, "the connection to the server broke")
}

/// Makes a kind that means a connection temporary.
fn kind_of_connection(kind: ErrorKind) -> ErrorKind {
    match kind {
        ErrorKind::UnexpectedEof => ErrorKind::ConnectionReset,
        other => other,
    }
}

/// Shortens a server's text to characters that can be shown.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::s3::options::S3Options;

    fn refusal(status: u16, code: &str, message: &str) -> Refusal {
        Refusal { status, code: code.into(), message: message.into(), region: None }
    }

    #[test]
    fn a_refusal_is_temporary_or_permanent_and_says_why() {
        let bucket = Bucket::new(S3Options::new("safe", "a"));
        for (status, code, kind, text) in [
            (404, "NoSuchBucket", ErrorKind::NotFound, "no bucket safe"),
            (403, "InvalidAccessKeyId", ErrorKind::PermissionDenied, "does not know"),
            (403, "SignatureDoesNotMatch", ErrorKind::PermissionDenied, "secret key"),
            (400, "ExpiredToken", ErrorKind::PermissionDenied, "expired"),
            (403, "AccessDenied", ErrorKind::PermissionDenied, "do not allow it"),
            (503, "SlowDown", ErrorKind::ResourceBusy, "503"),
            (500, "InternalError", ErrorKind::ResourceBusy, "500"),
            (409, "ConditionalRequestConflict", ErrorKind::ResourceBusy, "409"),
            (507, "", ErrorKind::QuotaExceeded, "507"),
            (418, "Teapot", ErrorKind::Other, "418 (short and stout)"),
        ] {
            let error = refusal(status, code, "short and stout").translate(&bucket);
            assert_eq!(error.kind(), kind, "{code}");
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn a_bucket_elsewhere_is_told_with_its_region() {
        let bucket = Bucket::new(S3Options::new("safe", ""));
        let by_header = Refusal { region: Some("eu-central-1".into()), ..refusal(301, "", "") };
        let by_text = refusal(
            400,
            "AuthorizationHeaderMalformed",
            "the region 'us-east-1' is wrong; expecting 'eu-central-1'",
        );
        for refusal in [by_header, by_text] {
            let text = refusal.translate(&bucket).to_string();
            assert!(text.contains("the bucket is in the region eu-central-1"), "{text}");
        }
    }

    #[test]
    fn text_of_a_server_is_short_and_has_no_control_characters() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a[2Jbc");
        assert_eq!(printable(&"x".repeat(10_000)).len(), LONGEST);
    }
}
