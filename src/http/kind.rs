//! What kind of error an HTTP client's error is.
//!
//! The clients hide hyper's, h2's and the operating system's errors in the chain of sources. What
//! matters is whether the request can have reached the server, so the chain is searched for that first.

use std::error::Error as StdError;
use std::io;

use crate::error::{Rejected, below};
use crate::outcome::{Cause, Verdict};

/// The verdict on a failed call.
pub(crate) fn judge_error(
    rejected: Option<&Rejected>,
    error: &(dyn StdError + 'static),
) -> Verdict {
    if let Some(rejected) = rejected {
        return rejected.verdict();
    }
    match cause(error) {
        Kind::Ours => Verdict::ignored(Cause::Other),
        Kind::Of(cause) => Verdict::failure(cause),
    }
}

/// Why a body broke.
pub(crate) fn body_cause(error: &(dyn StdError + 'static)) -> Cause {
    match cause(error) {
        Kind::Of(cause) => cause,
        Kind::Ours => Cause::Other,
    }
}

enum Kind {
    /// The request could not be made, or its own body broke: this says nothing of the backend.
    Ours,
    Of(Cause),
}

fn cause(error: &(dyn StdError + 'static)) -> Kind {
    let mut found = None;
    #[cfg_attr(not(any(feature = "hyper", feature = "reqwest")), expect(unused_mut))]
    let mut connecting = false;
    let mut next = Some(error);
    while let Some(error) = next {
        #[cfg(feature = "reqwest")]
        if let Some(error) = error.downcast_ref::<reqwest::Error>() {
            if error.is_builder() {
                return Kind::Ours;
            }
            if error.is_redirect() {
                return Kind::Of(Cause::Permanent);
            }
            connecting |= error.is_connect();
            if error.is_timeout() {
                found = found.or(Some(Cause::Timeout));
            }
        }
        #[cfg(any(feature = "hyper", feature = "reqwest"))]
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            connecting |= error.is_connect();
        }
        #[cfg(feature = "tonic")]
        {
            connecting |= error.is::<tonic::ConnectError>();
        }
        if is_ours(error) || is_scheme_not_spoken(error) {
            return Kind::Ours;
        }
        // The innermost error says best what happened, unless it is known that nothing did.
        if found != Some(Cause::Unprocessed) {
            found = match of_one(error) {
                // The system can say of a connection that stands what it says of one that fails to come
                // about. That hyper has begun on the request is certain.
                Some(Cause::Connect) if found == Some(Cause::Reset) => found,
                one => one.or(found),
            };
        }
        next = below(error);
    }
    Kind::Of(match found {
        // A certificate that is not trusted now will not be trusted in a second either.
        Some(Cause::Permanent) => Cause::Permanent,
        _ if connecting => Cause::Connect,
        found => found.unwrap_or(Cause::Other),
    })
}

/// Is it an `https` URL for a client that was built without TLS? There is no type to tell by.
fn is_scheme_not_spoken(error: &(dyn StdError + 'static)) -> bool {
    error.source().is_none() && error.to_string() == "invalid URL, scheme is not http"
}

/// Did the request's own body break, or is the request one that hyper does not send?
fn is_ours(error: &(dyn StdError + 'static)) -> bool {
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        // hyper also calls it the user's error if a connection's task is gone with its runtime.
        return error.is_user() && !error.to_string().starts_with("dispatch task");
    }
    #[cfg(feature = "http2")]
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        // Neither the peer nor h2 has reset the stream, so hyper has: the body broke.
        return error.is_reset() && !error.is_remote() && !error.is_library();
    }
    let _ = error;
    false
}

/// What one error of the chain says by itself.
fn of_one(error: &(dyn StdError + 'static)) -> Option<Cause> {
    #[cfg(any(feature = "hyper", feature = "reqwest"))]
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        if error.is_canceled() {
            return Some(Cause::Unprocessed);
        }
        if error.is_timeout() {
            return Some(Cause::Timeout);
        }
        // An error of HTTP/2 says more itself, further in.
        return Some(Cause::Reset);
    }
    #[cfg(feature = "http2")]
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        let reason = error.reason();
        return Some(match reason {
            Some(h2::Reason::REFUSED_STREAM) => Cause::Unprocessed,
            Some(h2::Reason::NO_ERROR) if error.is_go_away() && error.is_remote() => {
                Cause::Unprocessed
            }
            Some(h2::Reason::ENHANCE_YOUR_CALM) => Cause::Overloaded,
            _ => Cause::Reset,
        });
    }
    #[cfg(feature = "tonic")]
    if let Some(status) = error.downcast_ref::<tonic::Status>() {
        // What lies below it, if anything does, says more.
        return Some(Cause::Grpc(status.code().into()));
    }
    #[cfg(feature = "tonic")]
    if error.is::<tonic::TimeoutExpired>() {
        return Some(Cause::Timeout);
    }
    let error = error.downcast_ref::<io::Error>()?;
    match error.kind() {
        io::ErrorKind::TimedOut => Some(Cause::Timeout),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
        // A connection that stands ends so too when its route is lost.
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => Some(Cause::Reset),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable => Some(Cause::Connect),
        // So rustls and native TLS report a peer whose handshake is wrong.
        io::ErrorKind::InvalidData => Some(Cause::Permanent),
        _ => None,
    }
}
