use std::error::Error as StdError;
use std::fmt;
use std::io::{self, ErrorKind};

use crate::error::{Error, FromRejected, Reason, Rejected};
use crate::http::kind::{body_cause, judge_error};
use crate::outcome::{Cause, Outcome, Verdict};

type Boxed = Box<dyn StdError + Send + Sync>;

/// An error of the user's around another one.
#[derive(Debug)]
struct Around(Boxed);

impl fmt::Display for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("around")
    }
}

impl StdError for Around {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

fn judged(error: &(dyn StdError + 'static)) -> Cause {
    let verdict = judge_error(None, error);
    assert!(verdict.is_failure(), "{error:?}");
    assert_eq!(verdict.cause(), Some(body_cause(error)));
    verdict.cause().unwrap()
}

const KINDS: [(ErrorKind, Cause); 13] = [
    (ErrorKind::TimedOut, Cause::Timeout),
    (ErrorKind::ConnectionReset, Cause::Reset),
    (ErrorKind::ConnectionAborted, Cause::Reset),
    (ErrorKind::BrokenPipe, Cause::Reset),
    (ErrorKind::UnexpectedEof, Cause::Reset),
    (ErrorKind::ConnectionRefused, Cause::Connect),
    (ErrorKind::AddrNotAvailable, Cause::Connect),
    // A connection that stands can end so too, when its route is lost.
    (ErrorKind::HostUnreachable, Cause::Reset),
    (ErrorKind::NetworkUnreachable, Cause::Reset),
    (ErrorKind::InvalidData, Cause::Permanent),
    (ErrorKind::NotFound, Cause::Other),
    (ErrorKind::Interrupted, Cause::Other),
    (ErrorKind::Other, Cause::Other),
];

#[test]
fn the_operating_systems_errors_at_any_depth() {
    for (kind, cause) in KINDS {
        let bare = || io::Error::from(kind);
        assert_eq!(judged(&bare()), cause, "{kind:?}");
        assert_eq!(judged(&io::Error::new(kind, "with a message")), cause, "{kind:?}");
        assert_eq!(judged(&Around(bare().into())), cause, "{kind:?}");
        assert_eq!(judged(&Around(Around(bare().into()).into())), cause, "{kind:?}");
        assert_eq!(judged(&Error::Service(bare())), cause, "{kind:?}");
        // An error of io is silent about the error that it wraps, though not about that one's sources.
        assert_eq!(judged(&io::Error::other(bare())), cause, "{kind:?}");
        assert_eq!(judged(&io::Error::other(Around(bare().into()))), cause, "{kind:?}");
        assert_eq!(judged(&io::Error::other(io::Error::other(bare()))), cause, "{kind:?}");
    }
}

#[test]
fn the_innermost_error_says_best_what_happened() {
    let around = |outer, inner: Boxed| io::Error::new(outer, inner);
    let reset = || io::Error::from(ErrorKind::ConnectionReset).into();
    assert_eq!(judged(&around(ErrorKind::TimedOut, reset())), Cause::Reset);
    let untold = || io::Error::from(ErrorKind::NotFound).into();
    assert_eq!(judged(&around(ErrorKind::TimedOut, untold())), Cause::Timeout);
    assert_eq!(judged(&around(ErrorKind::TimedOut, Around(untold()).into())), Cause::Timeout);
}

#[test]
fn an_error_that_nobody_knows_is_another_failure() {
    assert_eq!(judged(&Around("a word".into())), Cause::Other);
    assert_eq!(judged(&fmt::Error), Cause::Other);
}

#[test]
fn what_seawall_said_is_judged_as_that() {
    let table = [
        (Reason::CircuitOpen, Outcome::Ignored, Cause::Refused),
        (Reason::BulkheadFull, Outcome::Ignored, Cause::Refused),
        (Reason::RateLimited, Outcome::Ignored, Cause::Refused),
        (Reason::DeadlinePassed, Outcome::Ignored, Cause::Refused),
        (Reason::AttemptTimedOut, Outcome::Failure, Cause::Timeout),
        (Reason::DeadlineExceeded, Outcome::Failure, Cause::Timeout),
        (Reason::AttemptsExhausted { attempts: 3 }, Outcome::Failure, Cause::Other),
    ];
    for (reason, outcome, cause) in table {
        let error = Error::<io::Error>::from_rejected(Rejected::new("inventory".into(), reason));
        let verdict = judge_error(error.as_rejected(), &error);
        assert_eq!((verdict.outcome(), verdict.cause()), (outcome, Some(cause)), "{reason:?}");
    }
}

#[test]
fn a_timeout_of_seawalls_in_a_body_is_a_timeout() {
    let rejected = Rejected::new("inventory".into(), Reason::DeadlineExceeded);
    assert_eq!(body_cause(&rejected), Cause::Timeout);
    assert_eq!(body_cause(&io::Error::other(rejected)), Cause::Timeout);
}

#[cfg(feature = "http2")]
#[test]
fn the_reasons_of_http2() {
    use h2::Reason;
    // These are errors without a frame; what comes over the wire is tested against servers.
    let table = [
        (Reason::REFUSED_STREAM, Cause::Unprocessed),
        (Reason::ENHANCE_YOUR_CALM, Cause::Overloaded),
        (Reason::NO_ERROR, Cause::Reset),
        (Reason::CANCEL, Cause::Reset),
        (Reason::INTERNAL_ERROR, Cause::Reset),
        (Reason::PROTOCOL_ERROR, Cause::Reset),
        (Reason::from(4711), Cause::Reset),
    ];
    for (reason, cause) in table {
        assert_eq!(judged(&h2::Error::from(reason)), cause, "{reason:?}");
        assert_eq!(judged(&Around(h2::Error::from(reason).into())), cause, "{reason:?}");
    }
    // That nothing was done is known for certain, whatever else is said.
    let refused = h2::Error::from(Reason::REFUSED_STREAM);
    assert_eq!(judged(&io::Error::new(ErrorKind::TimedOut, refused)), Cause::Unprocessed);
}

#[cfg(feature = "hyper")]
mod of_hyper {
    use http_body_util::Empty;
    use hyper_util::rt::TokioIo;

    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

    /// How hyper fails when a connection ends so.
    async fn fails(mock: tokio_test::io::Mock) -> hyper::Error {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(mock)).await.unwrap();
        let request = http::Request::new(Empty::<&'static [u8]>::new());
        let (_, result) = tokio::join!(connection, sender.send_request(request));
        result.unwrap_err()
    }

    fn written() -> tokio_test::io::Builder {
        let mut mock = tokio_test::io::Builder::new();
        mock.write(HEAD);
        mock
    }

    #[tokio::test]
    async fn a_connection_that_breaks_under_way_is_never_taken_for_one_that_never_was() {
        for (kind, cause) in KINDS {
            let mock = written().read_error(kind.into()).build();
            let error = fails(mock).await;
            let wanted = match cause {
                Cause::Connect | Cause::Other => Cause::Reset,
                cause => cause,
            };
            assert_eq!(judged(&error), wanted, "{kind:?}");
            let wrapped = Error::<Around>::Service(Around(error.into()));
            assert_eq!(judge_error(None, &wrapped), Verdict::failure(wanted), "{kind:?}");
        }
    }

    #[tokio::test]
    async fn messages_that_break_off_or_make_no_sense_are_resets() {
        for answer in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-le", b"SSH-2.0-OpenSSH_9.9\r\n\r\n"] {
            let mut mock = written();
            if !answer.is_empty() {
                mock.read(answer);
            }
            assert_eq!(judged(&fails(mock.build()).await), Cause::Reset);
        }
    }

    #[tokio::test]
    async fn a_connection_that_had_closed_is_unprocessed() {
        let mock = tokio_test::io::Builder::new().build();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(mock)).await.unwrap();
        drop(connection);
        let request = http::Request::new(Empty::<&'static [u8]>::new());
        let error = sender.send_request(request).await.unwrap_err();
        assert!(error.is_canceled());
        assert_eq!(judged(&error), Cause::Unprocessed);
    }

    #[tokio::test]
    async fn a_connection_that_broke_before_the_request_left_is_unprocessed_whatever_broke_it() {
        for kind in [ErrorKind::ConnectionReset, ErrorKind::TimedOut, ErrorKind::InvalidData] {
            let mock = tokio_test::io::Builder::new().read_error(kind.into()).build();
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(mock)).await.unwrap();
            let request = http::Request::new(Empty::<&'static [u8]>::new());
            let (result, _) = tokio::join!(sender.send_request(request), connection);
            let error = result.unwrap_err();
            assert!(error.is_canceled() && error.source().is_some(), "{error:?}");
            assert_eq!(judged(&error), Cause::Unprocessed);
        }
    }

    #[tokio::test]
    async fn a_connection_whose_task_is_gone_is_a_reset_and_not_our_fault() {
        let mock = written().wait(std::time::Duration::from_secs(3600)).build();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(mock)).await.unwrap();
        let mut connection = tokio_test::task::spawn(connection);
        let request = http::Request::new(Empty::<&'static [u8]>::new());
        let mut call = tokio_test::task::spawn(sender.send_request(request));
        tokio_test::assert_pending!(call.poll());
        tokio_test::assert_pending!(connection.poll());
        drop(connection);
        let error = tokio_test::assert_ready!(call.poll()).unwrap_err();
        assert!(error.is_user(), "{error:?}");
        assert_eq!(judged(&error), Cause::Reset);
    }
}
