//! One flat error for a stack of any depth.
//!
//! A layer of seawall either passes on what the client said or says itself why there is no answer.
//! [`Rejected`] is that second thing, and [`Error`] holds either. Layers ask of their inner
//! service only that its error can hold a `Rejected` ([`FromRejected`]), so ten layers have the same
//! error type as one.

mod layer;
mod rejected;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

pub use layer::{ErrorFuture, ErrorLayer, ErrorService};
#[cfg(feature = "http")]
pub(crate) use rejected::below;
pub use rejected::{Reason, Rejected};

/// What a protected call fails with: seawall's own word, or the client's error untouched.
///
/// ```
/// use seawall::{CircuitBreaker, Error};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let breaker = CircuitBreaker::with_defaults("inventory");
/// breaker.transition_to_forced_open();
///
/// let error = breaker.call(async { Ok::<(), std::io::Error>(()) }).await.unwrap_err();
/// assert!(error.is_refusal());
/// assert_eq!(format!("{error:#}"), "call not made: circuit breaker `inventory` is forced open");
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// seawall did not make the call, or gave it up.
    Rejected(Rejected),
    /// The call was made, and this is what the client said.
    Service(E),
}

impl<E> Error<E> {
    /// Was the call never made (circuit open, bulkhead full, rate limited, …)?
    ///
    /// If a retry's later attempt is refused, an earlier one was made: then the answer is no, and neither
    /// is it a timeout; [`rejected`](Self::rejected) tells more.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.rejected().is_some_and(Rejected::is_refusal)
    }

    /// Was the call made and given up because seawall's time ran out?
    ///
    /// A client's own timeout is in [`Error::Service`] and is not reported here.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.rejected().is_some_and(Rejected::is_timeout)
    }

    /// How long to wait before the next call can succeed, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.rejected().and_then(Rejected::retry_after)
    }

    /// seawall's own word, if it is not the client's error.
    #[must_use]
    pub const fn rejected(&self) -> Option<&Rejected> {
        match self {
            Self::Rejected(rejected) => Some(rejected),
            Self::Service(_) => None,
        }
    }

    /// The client's error, by reference.
    #[must_use]
    pub const fn service(&self) -> Option<&E> {
        match self {
            Self::Rejected(_) => None,
            Self::Service(error) => Some(error),
        }
    }

    /// The client's error, whole.
    #[must_use]
    pub fn into_service(self) -> Option<E> {
        match self {
            Self::Rejected(_) => None,
            Self::Service(error) => Some(error),
        }
    }
}

/// Says what kind of error it is; the content is its [`source`](StdError::source). `{:#}` shows both.
impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected(rejected) if rejected.is_refusal() => "call not made",
            Self::Rejected(_) => "call given up",
            Self::Service(_) => "call failed",
        })?;
        match self {
            Self::Rejected(rejected) if f.alternate() => write!(f, ": {rejected}"),
            Self::Service(error) if f.alternate() => write!(f, ": {error:#}"),
            _ => Ok(()),
        }
    }
}

impl<E: StdError + 'static> StdError for Error<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Rejected(rejected) => Some(rejected),
            Self::Service(error) => Some(error),
        }
    }
}

impl<E> From<Rejected> for Error<E> {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

/// An error type that can hold what seawall itself has to say.
///
/// The only thing that a layer asks of the error of the service inside it. [`Error`] and a boxed
/// error (`tower::BoxError`) have it; a client's own error gets it from [`ErrorLayer`]. Without it a layer
/// has no service to make:
///
/// ```compile_fail,E0277
/// use seawall::{CircuitBreaker, CircuitBreakerLayer};
/// use tower::{Service, ServiceBuilder, service_fn};
///
/// let client = service_fn(async |request: u32| Ok::<u32, std::num::ParseIntError>(request));
/// let mut service = ServiceBuilder::new()
///     .layer(CircuitBreakerLayer::new(CircuitBreaker::with_defaults("inventory")))
///     .service(client);
/// let _ = service.call(1);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot hold a rejection of seawall",
    label = "this error type has no place for `seawall::Rejected`",
    note = "in a stack of layers put `seawall::ErrorLayer` at the bottom, right above the client: it turns `E` into `seawall::Error<E>`",
    note = "around a plain future use the handle's `call`, or `.map_err(seawall::Error::Service)`",
    note = "a service whose error is `tower::BoxError` needs neither (over it use `pipeline.flat()`)"
)]
pub trait FromRejected: Sized {
    /// Holds `rejected`.
    fn from_rejected(rejected: Rejected) -> Self;

    /// What an inner layer of seawall said, at any depth.
    fn as_rejected(&self) -> Option<&Rejected>;
}

impl<E> FromRejected for Error<E> {
    fn from_rejected(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }

    fn as_rejected(&self) -> Option<&Rejected> {
        self.rejected()
    }
}

impl FromRejected for Box<dyn StdError + Send + Sync> {
    fn from_rejected(rejected: Rejected) -> Self {
        Box::new(rejected)
    }

    fn as_rejected(&self) -> Option<&Rejected> {
        Rejected::find(&**self)
    }
}
