//! Keeps a call alive until the body of a `reqwest::Response` has ended.

use std::error::Error as StdError;

use http_body_util::BodyExt;
use reqwest::{Body, Response, ResponseBuilderExt, StatusCode};

use crate::ends::{AtBodyEnd, Discard, Ends, Guard};
use crate::error::Error;
use crate::http::{Drain, GuardedBody};
use crate::telemetry::ResponseInfo;

impl<G: Guard + Send + Sync + 'static> Ends<Response, G> for AtBodyEnd {
    type Out = Response;

    fn is_over(&self, response: &Response) -> bool {
        response.status() == StatusCode::SWITCHING_PROTOCOLS || response.content_length() == Some(0)
    }

    fn describe(&self, response: &Response) -> ResponseInfo {
        ResponseInfo::http(response.status().as_u16())
    }

    fn attach(&self, response: Response, guard: Option<G>) -> Response {
        match guard {
            Some(guard) => wrap(response, guard),
            None => response,
        }
    }
}

impl Discard<Response> for AtBodyEnd {
    type Rest = Drain<Body>;

    fn discard(&self, response: Response) -> Option<Drain<Body>> {
        Drain::new(http::Response::from(response).into_body())
    }
}

/// Takes the response apart and puts it together again around the guarded body.
fn wrap<G: Guard + Send + Sync + 'static>(response: Response, guard: G) -> Response {
    let url = response.url().clone();
    let (mut parts, body) = http::Response::<Body>::from(response).into_parts();
    // The URL is not among the parts; an extension brings it back.
    if let Ok(carrier) = http::Response::builder().url(url).body(()) {
        parts.extensions.extend(carrier.into_parts().0.extensions);
    }
    let body = GuardedBody::new(body, Some(guard)).map_err(flatten);
    http::Response::from_parts(parts, Body::wrap(body)).into()
}

/// reqwest puts an error of its own around this one.
fn flatten(error: Error<reqwest::Error>) -> Box<dyn StdError + Send + Sync> {
    match error {
        Error::Rejected(rejected) => Box::new(rejected),
        Error::Service(error) => Box::new(error),
    }
}
