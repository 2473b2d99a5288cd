//! octocrab: a service of one's own under it, and the pipeline as a layer.

use std::sync::Arc;

use http::header::{HeaderValue, USER_AGENT};
use http::{Response, StatusCode, Uri};
use http_body::Body;
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::rt::TokioExecutor;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use seawall::http::{HttpClassifier, retry_after};
use seawall::{AtBodyEnd, Cause, Classify, ConfigError, Error, Pipeline, PipelineBuilder, Verdict};

use crate::TryClone;

type Replay = TryClone<fn(&OctoBody) -> Option<OctoBody>>;

/// A pipeline for requests of octocrab's.
pub type GitHubPipeline = Pipeline<GitHub, AtBodyEnd, Replay>;

/// [`HttpClassifier`], and GitHub's own way to say "too much": 403 with a `Retry-After`.
#[derive(Clone, Debug, Default)]
pub struct GitHub(HttpClassifier);

impl<B, E: std::error::Error + 'static> Classify<Result<Response<B>, Error<E>>> for GitHub {
    fn classify(&self, result: &Result<Response<B>, Error<E>>) -> Verdict {
        if let Ok(response) = result
            && response.status() == StatusCode::FORBIDDEN
            && let Some(wait) = retry_after(response.headers())
        {
            return Verdict::failure(Cause::Overloaded)
                .with_retry_after(Some(wait))
                .with_drain(true);
        }
        self.0.classify(result)
    }
}

/// Starts with safe settings for calls to GitHub.
pub fn builder() -> PipelineBuilder<GitHub, AtBodyEnd, Replay> {
    Pipeline::http("github")
        .classifier(GitHub::default())
        .replay(TryClone::new(copy as fn(&_) -> _))
}

/// octocrab's `try_clone` does not copy a body that was empty from the start.
#[must_use]
pub fn copy(body: &OctoBody) -> Option<OctoBody> {
    body.try_clone().or_else(|| body.is_end_stream().then(OctoBody::empty))
}

/// Safe settings for calls to GitHub.
///
/// # Errors
///
/// None with these settings; yours may be out of range.
pub fn calls() -> Result<GitHubPipeline, ConfigError> {
    builder().build()
}

/// octocrab with `pipeline` around its HTTP client. No retry of octocrab's own is in this stack.
#[must_use]
pub fn client(api: Uri, pipeline: &GitHubPipeline) -> Octocrab {
    // For `https://api.github.com` build this one with a connector of hyper-rustls.
    let hyper = Hyper::builder(TokioExecutor::new()).build_http::<OctoBody>();
    // GitHub refuses requests that do not say who asks.
    let headers = vec![(USER_AGENT, HeaderValue::from_static("seawall-stacks"))];
    let built = OctocrabBuilder::new_empty()
        .with_service(hyper)
        .with_layer(pipeline)
        .with_layer(&ExtraHeadersLayer::new(Arc::new(headers)))
        .with_layer(&BaseUriLayer::new(api))
        .with_auth(AuthState::None)
        .build();
    match built {
        Ok(octocrab) => octocrab,
        Err(never) => match never {},
    }
}
