use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use tonic::{Code, Status};

use crate::error::{Error, FromRejected, Reason, Rejected};

#[test]
fn every_reason_has_its_code() {
    for (reason, code) in [
        (Reason::CircuitOpen, Code::Unavailable),
        (Reason::CircuitHalfOpen, Code::Unavailable),
        (Reason::CircuitForcedOpen, Code::Unavailable),
        (Reason::AttemptsExhausted { attempts: 3 }, Code::Unavailable),
        (Reason::RetryBudgetSpent { attempts: 1 }, Code::Unavailable),
        (Reason::BulkheadFull, Code::ResourceExhausted),
        (Reason::RateLimited, Code::ResourceExhausted),
        (Reason::DeadlinePassed, Code::DeadlineExceeded),
        (Reason::DeadlineExceeded, Code::DeadlineExceeded),
        (Reason::AttemptTimedOut, Code::DeadlineExceeded),
    ] {
        let rejected = Rejected::new("greeter".into(), reason);
        let status = Status::from(rejected.clone());
        assert_eq!((status.code(), status.message()), (code, rejected.to_string().as_str()));
        assert!(status.message().contains("`greeter`"), "{status}");
        assert_eq!(status.as_rejected(), Some(&rejected));
        assert!(status.metadata().is_empty());
        // Whoever boxes it, or hands it to tonic again, loses nothing.
        let again = Status::from_error(Box::new(status.clone()));
        assert_eq!((again.code(), again.as_rejected()), (code, Some(&rejected)));
        let boxed: Box<dyn StdError + Send + Sync> = Box::new(io::Error::other(status));
        assert_eq!(boxed.as_rejected(), Some(&rejected));
    }
}

#[test]
fn how_long_to_wait_is_a_pushback() {
    let wait = Some(Duration::from_micros(1_200_300));
    let rejected = Rejected::new_with("it".into(), Reason::RateLimited, wait);
    let status = Status::from(rejected);
    assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "1201");
    // A server that passes it on tells its own clients.
    let response = status.into_http::<String>();
    assert_eq!(response.headers()["grpc-retry-pushback-ms"], "1201");
    assert_eq!(response.headers()["grpc-status"], "8");
}

#[test]
fn a_status_from_elsewhere_holds_no_rejection() {
    assert!(Status::unavailable("circuit breaker `it` is open").as_rejected().is_none());
}

#[test]
fn an_error_of_seawalls_becomes_a_status_with_its_source_unbroken() {
    fn becomes_a_status<E>(error: Error<E>) -> Status
    where
        Error<E>: Into<Status>,
    {
        error.into()
    }
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    let status = becomes_a_status(Error::Service(reset));
    let source = status.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);

    let rejected = Rejected::new("it".into(), Reason::CircuitOpen);
    let status = becomes_a_status::<io::Error>(Error::Rejected(rejected.clone()));
    assert_eq!(status.source().unwrap().downcast_ref::<Rejected>(), Some(&rejected));

    // A status stays the one it was.
    let mut own = Status::not_found("no such thing");
    own.metadata_mut().insert("x", "y".parse().unwrap());
    let status = becomes_a_status(Error::Service(own));
    assert_eq!((status.code(), status.metadata().len()), (Code::NotFound, 1));
    // So does what an outer stack says of an inner one.
    let boxed: Box<dyn StdError + Send + Sync> = Box::new(rejected.clone());
    let status = becomes_a_status(Error::Service(boxed));
    assert_eq!(status.as_rejected(), Some(&rejected));
}
