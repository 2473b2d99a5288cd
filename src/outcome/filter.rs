//! Which causes count, told by lists: what an instance's settings can say without a function.

use std::fmt;
use std::str::FromStr;

use super::words::{GRPC, NAMED};
use super::{Cause, Outcome, Verdict};

/// A status, a range of them, or a kind of error.
///
/// Written as `503`, `500-599`, `5xx`, `grpc:14` or `grpc:unavailable`, or as the name of a [`Cause`]: `connect`, `unprocessed`,
/// `permanent`, `timeout`, `reset`, `overloaded`, `refused`, `cancelled`, `other`. `any` is all of them.
///
/// ```
/// use seawall::{Cause, CauseMatcher};
///
/// let matcher: CauseMatcher = "5xx".parse()?;
/// assert!(matcher.matches(Cause::Status(503)));
/// assert!(!matcher.matches(Cause::Timeout));
/// # Ok::<(), seawall::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CauseMatcher(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Any,
    Status { first: u16, last: u16 },
    Grpc(i32),
    Named(Cause),
}

/// What [`CauseMatcher`] reads, for messages.
pub(crate) const MATCHERS: &str = "statuses (503, 500-599, 5xx), gRPC codes (grpc:14, grpc:unavailable) and kinds of \
    error (connect, unprocessed, permanent, timeout, reset, overloaded, refused, cancelled, other, any)";

impl CauseMatcher {
    /// Every cause.
    pub const ANY: Self = Self(Kind::Any);

    /// The HTTP statuses from `first` to `last`, both included.
    #[must_use]
    pub const fn statuses(first: u16, last: u16) -> Self {
        Self(Kind::Status { first, last })
    }

    /// This cause and no other; of [`Cause::Status`] and [`Cause::Grpc`] the very number.
    #[must_use]
    pub const fn cause(cause: Cause) -> Self {
        match cause {
            Cause::Status(status) => Self::statuses(status, status),
            Cause::Grpc(code) => Self(Kind::Grpc(code)),
            cause => Self(Kind::Named(cause)),
        }
    }

    /// Is it one of these?
    #[must_use]
    pub fn matches(self, cause: Cause) -> bool {
        match (self.0, cause) {
            (Kind::Any, _) => true,
            (Kind::Status { first, last }, Cause::Status(status)) => {
                first <= status && status <= last
            }
            (Kind::Grpc(code), Cause::Grpc(other)) => code == other,
            (Kind::Named(named), cause) => named == cause,
            _ => false,
        }
    }
}

impl FromStr for CauseMatcher {
    type Err = crate::ConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.trim().to_ascii_lowercase().replace('-', "_");
        let wrong = || crate::ConfigError::new("matcher", format_args!("`{text}`"), MATCHERS);
        let status = |text: &str| {
            text.parse::<u16>().ok().filter(|status| (100..=999).contains(status)).ok_or_else(wrong)
        };
        if lower == "any" {
            return Ok(Self::ANY);
        }
        if let Some((_, cause)) = NAMED.iter().find(|(name, _)| *name == lower) {
            return Ok(Self::cause(*cause));
        }
        if let Some(code) = lower.strip_prefix("grpc:") {
            let number = code.parse::<usize>().ok().filter(|number| *number < GRPC.len());
            let number = number.or_else(|| GRPC.iter().position(|name| *name == lower));
            let number = number.and_then(|number| i32::try_from(number).ok()).ok_or_else(wrong)?;
            return Ok(Self::cause(Cause::Grpc(number)));
        }
        if let Some(class) = lower.strip_suffix("xx") {
            let class = class.parse::<u16>().ok().filter(|class| (1..=9).contains(class));
            let class = class.ok_or_else(wrong)?;
            return Ok(Self::statuses(class * 100, class * 100 + 99));
        }
        if let Some((first, last)) = lower.split_once('_') {
            let (first, last) = (status(first)?, status(last)?);
            return if first <= last { Ok(Self::statuses(first, last)) } else { Err(wrong()) };
        }
        let status = status(&lower)?;
        Ok(Self::statuses(status, status))
    }
}

impl fmt::Display for CauseMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Any => f.write_str("any"),
            Kind::Status { first, last } if first == last => write!(f, "{first}"),
            Kind::Status { first, last } if first % 100 == 0 && last == first + 99 => {
                write!(f, "{}xx", first / 100)
            }
            Kind::Status { first, last } => write!(f, "{first}-{last}"),
            Kind::Grpc(code) if usize::try_from(code).is_ok_and(|code| code < GRPC.len()) => {
                f.write_str(Cause::Grpc(code).key())
            }
            Kind::Grpc(code) => write!(f, "grpc:{code}"),
            Kind::Named(cause) => f.write_str(cause.key()),
        }
    }
}

type Predicate = std::sync::Arc<dyn Fn(Cause) -> bool + Send + Sync>;

/// Which of an instance's failures count, as Resilience4j's lists of exceptions say it.
///
/// What is ignored counts nowhere, whatever else is said of it. If anything is to be recorded, the failures that are not are
/// successes; if not, all are recorded. Only failures are looked at: what is no failure by the classifier does not become one.
///
/// ```
/// use seawall::{Cause, CauseFilter, Outcome, Verdict};
///
/// let filter = CauseFilter::new().record("5xx".parse()?).record("timeout".parse()?).ignore("503".parse()?);
/// let outcome = |status| filter.apply(Verdict::failure(Cause::Status(status))).outcome();
/// assert_eq!(outcome(500), Outcome::Failure);
/// assert_eq!(outcome(503), Outcome::Ignored);
/// assert_eq!(outcome(429), Outcome::Success);
/// # Ok::<(), seawall::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct CauseFilter {
    record: Rule,
    ignore: Rule,
}

#[derive(Clone, Default)]
struct Rule {
    matchers: Vec<CauseMatcher>,
    predicates: Vec<Predicate>,
    /// Something is said, even if nothing can match it.
    given: bool,
}

impl Rule {
    fn matches(&self, cause: Cause) -> bool {
        self.matchers.iter().any(|matcher| matcher.matches(cause))
            || self.predicates.iter().any(|predicate| predicate(cause))
    }

    fn add(&mut self, matcher: CauseMatcher) {
        self.given = true;
        self.matchers.push(matcher);
    }
}

impl CauseFilter {
    /// Lets every failure count.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records what `matcher` matches, and from now on only what is recorded.
    #[must_use]
    pub fn record(mut self, matcher: CauseMatcher) -> Self {
        self.record.add(matcher);
        self
    }

    /// Records what `predicate` says yes to, and from now on only what is recorded.
    #[must_use]
    pub fn record_when(
        mut self,
        predicate: impl Fn(Cause) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.record.given = true;
        self.record.predicates.push(std::sync::Arc::new(predicate));
        self
    }

    /// Records nothing but what is recorded by other calls: an empty list is a list.
    #[must_use]
    pub fn record_listed_only(mut self) -> Self {
        self.record.given = true;
        self
    }

    /// Ignores what `matcher` matches.
    #[must_use]
    pub fn ignore(mut self, matcher: CauseMatcher) -> Self {
        self.ignore.add(matcher);
        self
    }

    /// Ignores what `predicate` says yes to.
    #[must_use]
    pub fn ignore_when(
        mut self,
        predicate: impl Fn(Cause) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.ignore.given = true;
        self.ignore.predicates.push(std::sync::Arc::new(predicate));
        self
    }

    /// Does it let everything count?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !self.record.given && !self.ignore.given
    }

    /// How a failure with this cause counts.
    #[must_use]
    pub fn outcome(&self, cause: Cause) -> Outcome {
        if self.ignore.matches(cause) {
            Outcome::Ignored
        } else if self.record.given && !self.record.matches(cause) {
            Outcome::Success
        } else {
            Outcome::Failure
        }
    }

    /// The verdict as it counts here.
    #[must_use]
    pub fn apply(&self, verdict: Verdict) -> Verdict {
        let Some(cause) = verdict.cause().filter(|_| verdict.is_failure()) else { return verdict };
        match self.outcome(cause) {
            Outcome::Failure => verdict,
            Outcome::Ignored => Verdict::ignored(cause),
            Outcome::Success => Verdict::success(),
        }
    }
}

impl fmt::Debug for CauseFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CauseFilter")
            .field("record", &self.record)
            .field("ignore", &self.ignore)
            .finish()
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.given {
            return f.write_str("all that is said elsewhere");
        }
        let functions = self.predicates.iter().map(|_| "a function".to_owned());
        let matchers = self.matchers.iter().map(ToString::to_string);
        f.debug_list().entries(matchers.chain(functions)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_and_written() {
        for (text, written) in [
            ("503", "503"),
            ("5XX", "5xx"),
            ("500-599", "5xx"),
            ("500-504", "500-504"),
            ("grpc:14", "grpc:unavailable"),
            ("grpc:DEADLINE-EXCEEDED", "grpc:deadline_exceeded"),
            (" Timeout ", "timeout"),
            ("any", "any"),
        ] {
            assert_eq!(text.parse::<CauseMatcher>().unwrap().to_string(), written);
        }
        for wrong in [
            "", "5", "99", "1000", "504-500", "xx", "0xx", "12xx", "grpc:17", "grpc:", "503-",
            "-503", "time",
        ] {
            assert!(wrong.parse::<CauseMatcher>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ignore_beats_record_and_a_list_makes_the_rest_successes() {
        let filter = CauseFilter::new();
        assert_eq!(filter.outcome(Cause::Reset), Outcome::Failure);
        let filter = filter.ignore(CauseMatcher::cause(Cause::Reset));
        assert_eq!(filter.outcome(Cause::Reset), Outcome::Ignored);
        assert_eq!(filter.outcome(Cause::Timeout), Outcome::Failure);
        let filter = filter
            .record(CauseMatcher::cause(Cause::Connect))
            .record_when(|cause| cause == Cause::Other);
        assert_eq!(filter.outcome(Cause::Connect), Outcome::Failure);
        assert_eq!(filter.outcome(Cause::Other), Outcome::Failure);
        assert_eq!(filter.outcome(Cause::Timeout), Outcome::Success);
        assert_eq!(filter.outcome(Cause::Reset), Outcome::Ignored);
        let success = Verdict::success();
        assert_eq!(filter.apply(success), success);
    }
}
