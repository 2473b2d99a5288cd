//! What errors are called in the table.

use std::error::Error as StdError;
use std::io::ErrorKind;

use seawall::Rejected;

/// The error that matters in the chain, in words; as it is, if it is none that is known.
pub fn kind(error: &(dyn StdError + 'static), http2: bool) -> String {
    known(error, http2).unwrap_or_else(|| format!("{error:?}"))
}

pub fn known(error: &(dyn StdError + 'static), http2: bool) -> Option<String> {
    if let Some(rejected) = Rejected::find(error) {
        return Some(match rejected.reason() {
            seawall::Reason::AttemptTimedOut => "attempt timed out".into(),
            seawall::Reason::DeadlineExceeded => "deadline exceeded".into(),
            reason => format!("{reason:?}"),
        });
    }
    let (mut next, mut found) = (Some(error), None);
    while let Some(error) = next {
        found = one(error).or(found);
        next = error.source();
    }
    found.map(|found| match &*found {
        // How the connection of a stream ended is told to whoever hears of it first; the others hear that it did.
        "reset" | "broken off" if http2 => "lost".into(),
        _ => found,
    })
}

/// What one error of the chain says.
fn one(error: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        if let Some(error) = error.get_io() {
            return one(error);
        }
        return Some(match error.reason() {
            Some(_) if error.is_go_away() => "GOAWAY".into(),
            Some(h2::Reason::REFUSED_STREAM) => "REFUSED_STREAM".into(),
            // What h2 makes of a body that is not as long as it says.
            Some(h2::Reason::PROTOCOL_ERROR) if error.is_library() => "wrong length".into(),
            reason => format!("h2 {reason:?}"),
        });
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return error.is_incomplete_message().then(|| "broken off".into());
    }
    let error = error.downcast_ref::<std::io::Error>()?;
    Some(match error.kind() {
        ErrorKind::ConnectionRefused => "refused".into(),
        ErrorKind::ConnectionReset => "reset".into(),
        ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => "broken off".into(),
        // A wrapper says what is within it.
        ErrorKind::Other => return None,
        kind => format!("{kind:?}"),
    })
}
