use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use http::Response;
use http_body_util::{Empty, Full};
use tonic::{Code, Status};

use crate::error::{Error, FromRejected, Reason, Rejected};
use crate::outcome::{Cause, Classify, Verdict};
use crate::tonic::GrpcClassifier;

type Body = Full<bytes::Bytes>;
type Outcome = Result<Response<Body>, Status>;

fn judged(result: &Outcome) -> Verdict {
    GrpcClassifier::default().classify(result)
}

fn head(status: u16, headers: &[(&'static str, &str)]) -> Outcome {
    let mut response = Response::new(Full::from("more to come"));
    *response.status_mut() = status.try_into().unwrap();
    for (name, value) in headers {
        response.headers_mut().append(*name, value.parse().unwrap());
    }
    Ok(response)
}

fn failure(code: Code) -> Verdict {
    Verdict::failure(Cause::Grpc(code.into()))
}

#[test]
fn a_good_head_says_nothing_yet() {
    assert_eq!(judged(&head(200, &[])), Verdict::success());
    assert_eq!(judged(&head(200, &[("grpc-status", "0")])), Verdict::success());
}

#[test]
fn a_head_that_is_all_there_is_and_says_nothing_is_a_failure() {
    let response = Response::new(Empty::<bytes::Bytes>::new());
    let verdict = GrpcClassifier::default().classify(&Ok::<_, Status>(response));
    assert_eq!(verdict, failure(Code::Unknown));
}

#[test]
fn the_code_goes_before_the_http_status() {
    assert_eq!(judged(&head(503, &[("grpc-status", "5")])), Verdict::success());
    assert_eq!(judged(&head(404, &[("grpc-status", "13")])), failure(Code::Internal));
    assert_eq!(judged(&head(200, &[("grpc-status", "-1")])), failure(Code::Unknown));
}

#[test]
fn what_is_exhausted_drains() {
    let verdict = judged(&head(200, &[("grpc-status", "8")]));
    assert!(verdict.drains() && verdict.cause() == Some(Cause::Grpc(8)));
    let verdict = judged(&head(429, &[]));
    assert!(verdict.drains() && verdict.cause() == Some(Cause::Grpc(14)));
    assert!(!judged(&head(503, &[])).drains());
}

#[test]
fn a_pushback_comes_along() {
    let said = |pushback| {
        judged(&head(200, &[("grpc-status", "14"), ("grpc-retry-pushback-ms", pushback)]))
    };
    let unavailable = failure(Code::Unavailable);
    assert_eq!(said("70"), unavailable.with_retry_after(Some(Duration::from_millis(70))));
    assert_eq!(said("-1"), unavailable.without_retry());
    assert_eq!(said("soon"), unavailable.without_retry());
    // Nobody speaks of a retry after a success.
    let good = head(200, &[("grpc-status", "0"), ("grpc-retry-pushback-ms", "-1")]);
    assert_eq!(judged(&good), Verdict::success());
}

#[test]
fn a_proxy_says_it_as_http_has_it() {
    let asked = failure(Code::Unavailable).with_retry_after(Some(Duration::from_secs(7)));
    assert_eq!(judged(&head(503, &[("retry-after", "7")])), asked);
    let from_grpc = head(503, &[("retry-after", "7"), ("grpc-status", "14")]);
    assert_eq!(judged(&from_grpc), failure(Code::Unavailable));
}

#[test]
fn an_error_is_judged_by_what_lies_below_the_status() {
    let below = |source: Box<dyn StdError + Send + Sync>| judged(&Err(Status::from_error(source)));
    let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
    assert_eq!(below(reset().into()), Verdict::failure(Cause::Reset));
    assert_eq!(below(tonic::ConnectError(reset().into()).into()), Verdict::failure(Cause::Connect));
    assert_eq!(below(tonic::TimeoutExpired(()).into()), Verdict::failure(Cause::Timeout));
    assert_eq!(below("who knows".into()), failure(Code::Unknown));
}

#[test]
fn an_error_that_is_nothing_but_a_status_is_judged_by_its_code() {
    assert_eq!(judged(&Err(Status::unavailable("no"))), failure(Code::Unavailable));
    let unauthenticated = Verdict::ignored(Cause::Grpc(Code::Unauthenticated.into()));
    assert_eq!(judged(&Err(Status::unauthenticated("no token"))), unauthenticated);
    let error: Result<Response<Body>, _> = Err(Error::Service(Status::unauthenticated("no token")));
    assert_eq!(GrpcClassifier::default().classify(&error), unauthenticated);
}

#[test]
fn what_seawall_said_is_judged_as_that() {
    let said = |reason| judged(&Err(Status::from_rejected(Rejected::new("it".into(), reason))));
    assert_eq!(said(Reason::CircuitOpen), Verdict::ignored(Cause::Refused));
    assert_eq!(said(Reason::AttemptTimedOut), Verdict::failure(Cause::Timeout));
}

#[test]
fn ok_is_never_a_failure() {
    let all = GrpcClassifier::default().failure_when(|_| true);
    assert!(!all.is_failure(Code::Ok) && all.is_failure(Code::Cancelled));
    assert_eq!(
        format!("{:?}", GrpcClassifier::default().failure_when(|code| code == Code::Ok)),
        "GrpcClassifier { failures: {}, rules: None }"
    );
}
