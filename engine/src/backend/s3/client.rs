//! Clients of the SDK with this backend's settings.

use std::sync::Arc;
use std::time::Duration;

use aws_config::credential_process::CredentialProcessProvider;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{
    ClassifyRetry, RetryAction, RetryConfig, RetryPartition, TokenBucket,
};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::clock::{DateRecorder, ServerClock};
use super::options::{AddressingStyle, CredentialSource, S3Options};

/// The delay before the second attempt; each further one doubles it. All are multiplied by a random number below 1.
const FIRST_DELAY: Duration = Duration::from_millis(500);

/// The longest delay between two attempts.
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// The time for which a transfer may stand still.
const STALL: Duration = Duration::from_secs(20);

/// The region of stores that have none.
const NO_REGION: &str = "us-east-1";

/// The clients of one bucket, which share connections, credentials and retries.
pub(super) struct Clients {
    /// For requests whose answer begins soon.
    pub(super) quick: Client,
    /// For uploads.
    pub(super) bulk: Client,
    /// The region that requests are signed for.
    pub(super) region: String,
}

/// Makes the clients. Nothing is sent, but the chain of credentials reads its files and the environment.
pub(super) async fn connect(options: &S3Options, clock: &Arc<ServerClock>) -> Clients {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let region = find_region(options).await;
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .region(Region::new(region.clone()));
    loader = match &options.credentials {
        CredentialSource::Chain { profile: None } => loader,
        CredentialSource::Chain { profile: Some(profile) } => loader.profile_name(profile),
        CredentialSource::Command(command) => {
            loader.credentials_provider(CredentialProcessProvider::new(command.as_str().to_owned()))
        }
    };
    let shared = loader.load().await;
    let patience = options.patience;
    let timeouts = |attempt| {
        TimeoutConfig::builder()
            .connect_timeout(patience.connect)
            .operation_attempt_timeout(attempt)
            .build()
    };
    let retries = |attempts| {
        RetryConfig::standard()
            .with_max_attempts(attempts)
            .with_initial_backoff(FIRST_DELAY)
            .with_max_backoff(LONGEST_DELAY)
    };
    // The attempts are bounded as they are; a budget for all of them would end after some busy seconds.
    let unlimited = RetryPartition::custom("bucket").token_bucket(TokenBucket::unlimited()).build();
    let mut config = aws_sdk_s3::config::Builder::from(&shared)
        .force_path_style(options.style == AddressingStyle::Path)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled().grace_period(STALL).build(),
        )
        .retry_config(retries(patience.attempts))
        .retry_partition(unlimited)
        .retry_classifier(ConflictsPass)
        .interceptor(DateRecorder(Arc::clone(clock)))
        .timeout_config(timeouts(patience.answer));
    if let Some(endpoint) = &options.endpoint {
        config = config.endpoint_url(endpoint);
    }
    let quick = config.build();
    let bulk = quick
        .to_builder()
        .timeout_config(timeouts(patience.upload))
        .retry_config(retries(patience.upload_attempts))
        .build();
    Clients { quick: Client::from_conf(quick), bulk: Client::from_conf(bulk), region }
}

/// Finds the region: the given one, that of the environment or the profile, that of the machine at Amazon's.
async fn find_region(options: &S3Options) -> String {
    if let Some(region) = &options.region {
        return region.clone();
    }
    let mut file = ProfileFileRegionProvider::builder();
    if let CredentialSource::Chain { profile: Some(profile) } = &options.credentials {
        file = file.profile_name(profile);
    }
    let known = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(file.build());
    let found = match options.endpoint {
        // Elsewhere nobody answers for the machine, and asking takes seconds.
        Some(_) => known.region().await,
        None => known.or_default_provider().region().await,
    };
    found.map_or(NO_REGION.to_owned(), |region| region.as_ref().to_owned())
}

/// Repeats a request that another one on the same key was in the way of.
#[derive(Debug)]
struct ConflictsPass;

impl ClassifyRetry for ConflictsPass {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let status = context.response().map(|response| response.status().as_u16());
        match status {
            // ConditionalRequestConflict, OperationAborted; too many requests.
            Some(409 | 429) => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "ConflictsPass"
    }
}
