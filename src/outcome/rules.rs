//! Rules that come before a classifier's own judgement, told by lists.

use std::fmt;
use std::sync::Arc;

use super::{Cause, CauseMatcher, Outcome};
use crate::settings::Live;

/// How calls count by status and kind of error, where a classifier shall not decide that itself.
///
/// The first that matches decides: what is ignored, what is a failure, what is a success. What none matches is judged as ever.
///
/// ```
/// use seawall::{Cause, CauseRules, Outcome};
///
/// let rules = CauseRules::new().failure("404".parse()?).ignore("429".parse()?);
/// assert_eq!(rules.outcome(Cause::Status(404)), Some(Outcome::Failure));
/// assert_eq!(rules.outcome(Cause::Status(503)), None);
/// # Ok::<(), seawall::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CauseRules {
    ignore: Vec<CauseMatcher>,
    failure: Vec<CauseMatcher>,
    success: Vec<CauseMatcher>,
}

impl CauseRules {
    /// No rule.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What `matcher` matches counts nowhere.
    #[must_use]
    pub fn ignore(mut self, matcher: CauseMatcher) -> Self {
        self.ignore.push(matcher);
        self
    }

    /// What `matcher` matches is a failure.
    #[must_use]
    pub fn failure(mut self, matcher: CauseMatcher) -> Self {
        self.failure.push(matcher);
        self
    }

    /// What `matcher` matches is a success.
    #[must_use]
    pub fn success(mut self, matcher: CauseMatcher) -> Self {
        self.success.push(matcher);
        self
    }

    /// How a call with this cause counts; nothing if no rule matches.
    #[must_use]
    pub fn outcome(&self, cause: Cause) -> Option<Outcome> {
        let any = |matchers: &[CauseMatcher]| matchers.iter().any(|matcher| matcher.matches(cause));
        if any(&self.ignore) {
            Some(Outcome::Ignored)
        } else if any(&self.failure) {
            Some(Outcome::Failure)
        } else if any(&self.success) {
            Some(Outcome::Success)
        } else {
            None
        }
    }
}

/// Rules that may be others by the next call. Clones share them.
#[derive(Clone)]
pub(crate) struct LiveRules(Arc<Live<CauseRules>>);

impl LiveRules {
    #[cfg_attr(not(feature = "http"), allow(dead_code))]
    pub(crate) fn new(rules: CauseRules) -> Self {
        Self(Arc::new(Live::new(rules)))
    }

    pub(crate) fn set(&self, rules: CauseRules) {
        self.0.set(rules);
    }

    #[cfg(feature = "http")]
    pub(crate) fn outcome(&self, cause: Cause) -> Option<Outcome> {
        self.0.load().outcome(cause)
    }
}

impl fmt::Debug for LiveRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
