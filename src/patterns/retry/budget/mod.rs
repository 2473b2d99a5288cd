//! What bounds the retries of all calls together.
//!
//! One handle over three rules: a share of what is in flight, deposits in a window of time, and tokens.

mod deposits;
#[cfg(all(test, seawall_loom))]
mod loom;
mod tokens;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

pub use self::deposits::DepositBudgetBuilder;
use self::deposits::Deposits;
pub use self::tokens::TokenBudgetBuilder;
use self::tokens::Tokens;
use crate::outcome::Cause;
use crate::settings::ConfigError;
use crate::sync::{AtomicU64, Lock};

/// Bounds the retries of all calls together, so that an outage cannot multiply the load.
///
/// Clones share one budget; give one to everything that calls the same backend. There are three rules:
///
/// | made by | a retry is refused when | from |
/// |---|---|---|
/// | [`new`](Self::new), `default` | too large a share of what is in flight are retries | failsafe-go |
/// | [`deposits`](Self::deposits) | there were too few calls lately for so many retries | tower, Finagle |
/// | [`tokens`](Self::tokens) | failures have used up what successes brought in | Smithy |
///
/// The first looks only at this moment and needs no clock; the second holds over seconds; the third lets a backend
/// that stays down have no retries at all until calls succeed again.
///
/// ```
/// use seawall::RetryBudget;
///
/// let budget = RetryBudget::new(0.2, 3)?; // the defaults, as in failsafe-go
/// assert!(RetryBudget::new(1.5, 3).is_err());
/// let window = RetryBudget::deposits().share(0.1).build()?;
/// let bucket = RetryBudget::tokens().capacity(100).build()?;
/// # Ok::<(), seawall::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct RetryBudget {
    inner: Arc<Inner>,
}

/// Shows its settings alone: what is in flight is another at every look.
impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RetryBudget").field(&self.inner.rule).finish()
    }
}

struct Inner {
    rule: Rule,
    /// Calls in flight in the upper half, retries among them in the lower: one word, so that a
    /// decision sees both at the same moment.
    in_flight: AtomicU64,
}

#[derive(Debug)]
enum Rule {
    Share { max_share: f64, min_concurrency: u32 },
    Deposits(Lock<Deposits>),
    Tokens(Lock<Tokens>),
}

/// What tells one rule from another.
#[derive(PartialEq)]
enum Terms {
    Share(f64, u32),
    Deposits((i64, i64, i64, Duration)),
    Tokens(TokenBudgetBuilder),
}

const CALL: u64 = 1 << 32;

impl RetryBudget {
    /// A budget of its own, by share of what is in flight.
    ///
    /// A retry is refused when at least `min_concurrency` retries are in flight already and they make
    /// up more than `max_share` of all calls in flight. A call waiting for its retry is in flight.
    ///
    /// `max_share`: retries per call in flight; range 0 to 1, usually 0.2. `min_concurrency`:
    /// so many retries may always be in flight; usually 3. As the share has to be *exceeded*, one retry
    /// at a time is let through even with 0 and 0; to have none, use no retry.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the share is out of range.
    pub fn new(max_share: f64, min_concurrency: u32) -> Result<Self, ConfigError> {
        if !(0.0..=1.0).contains(&max_share) {
            return Err(ConfigError::new("max_share", max_share, "from 0 to 1"));
        }
        Ok(Self::of(Rule::Share { max_share, min_concurrency }))
    }

    /// A budget of its own, by deposits in a window of time: each call deposits what pays for a share of a
    /// retry, and a reserve pays for some retries a second.
    pub fn deposits() -> DepositBudgetBuilder {
        DepositBudgetBuilder::default()
    }

    /// A budget of its own, of tokens: retries take some out, successes put some back.
    pub fn tokens() -> TokenBudgetBuilder {
        TokenBudgetBuilder::default()
    }

    fn of(rule: Rule) -> Self {
        Self { inner: Arc::new(Inner { rule, in_flight: AtomicU64::new(0) }) }
    }

    /// Calls in flight, and how many of them are retries (or wait to be).
    #[must_use]
    pub fn in_flight(&self) -> (u32, u32) {
        split(self.inner.in_flight.load(Ordering::Acquire))
    }

    /// The rule, for programs.
    pub(super) fn kind(&self) -> &'static str {
        match self.inner.rule {
            Rule::Share { .. } => "share",
            Rule::Deposits(_) => "deposits",
            Rule::Tokens(_) => "tokens",
        }
    }

    /// Has it the same rule, whatever is in it?
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        // One lock after the other, so that two who compare cannot wait for each other.
        self.terms() == other.terms()
    }

    fn terms(&self) -> Terms {
        match &self.inner.rule {
            &Rule::Share { max_share, min_concurrency } => Terms::Share(max_share, min_concurrency),
            Rule::Deposits(deposits) => Terms::Deposits(deposits.lock().terms()),
            Rule::Tokens(tokens) => Terms::Tokens(tokens.lock().terms()),
        }
    }

    /// Is it a clone of this one?
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Counts a call until its part is dropped.
    pub(crate) fn enter(&self) -> Share {
        self.inner.in_flight.fetch_add(CALL, Ordering::AcqRel);
        if let Rule::Deposits(deposits) = &self.inner.rule {
            let now = Instant::now();
            deposits.lock().deposit(now);
        }
        Share { budget: self.clone(), retrying: false, paid: 0 }
    }
}

impl Default for RetryBudget {
    /// A fifth of what is in flight, but always three.
    fn default() -> Self {
        Self::of(Rule::Share { max_share: 0.2, min_concurrency: 3 })
    }
}

const fn split(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// One call's part in a budget.
#[derive(Debug)]
pub(crate) struct Share {
    budget: RetryBudget,
    retrying: bool,
    /// Tokens taken for the retry under way.
    paid: u32,
}

impl Share {
    /// Is it a part of this budget, or of a clone of it?
    pub(crate) fn is_of(&self, budget: &RetryBudget) -> bool {
        self.budget.is(budget)
    }

    /// The call wants to try again because of `cause`. An earlier retry of the same call is over by now.
    pub(crate) fn try_retry(&mut self, cause: Cause, now: Instant) -> bool {
        self.end_retry();
        let Inner { rule, in_flight } = &*self.budget.inner;
        self.retrying = match rule {
            Rule::Share { max_share, min_concurrency } => {
                let room = |word| {
                    let (calls, retries) = split(word);
                    let spent = retries >= *min_concurrency
                        && f64::from(retries) > f64::from(calls) * max_share;
                    (!spent).then_some(word + 1)
                };
                in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_ok()
            }
            Rule::Deposits(deposits) => {
                deposits.lock().withdraw(now) && {
                    in_flight.fetch_add(1, Ordering::AcqRel);
                    true
                }
            }
            Rule::Tokens(tokens) => tokens.lock().take(cause, now).is_some_and(|paid| {
                in_flight.fetch_add(1, Ordering::AcqRel);
                self.paid = paid;
                true
            }),
        };
        self.retrying
    }

    /// The call succeeded.
    pub(crate) fn succeed(&mut self) {
        if let Rule::Tokens(tokens) = &self.budget.inner.rule {
            let now = Instant::now();
            tokens.lock().succeed(self.retrying.then_some(self.paid), now);
        }
    }

    fn end_retry(&mut self) {
        if std::mem::take(&mut self.retrying) {
            self.budget.inner.in_flight.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.end_retry();
        self.budget.inner.in_flight.fetch_sub(CALL, Ordering::AcqRel);
    }
}
