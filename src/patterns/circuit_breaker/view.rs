//! What people see of a circuit breaker.

use std::fmt;

use tokio::time::Instant;

/// The state of a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls pass and are counted.
    Closed,
    /// Calls are refused until the wait is over.
    Open,
    /// A few trial calls pass; their outcomes decide.
    HalfOpen,
    /// Calls are refused until the state is changed by hand.
    ForcedOpen,
    /// Calls pass and are not counted.
    Disabled,
    /// Calls pass and are counted, but the circuit never opens.
    MetricsOnly,
}

impl State {
    /// Can this state be left for `to` by hand?
    #[must_use]
    pub const fn can_go_to(self, to: Self) -> bool {
        !matches!(
            (self, to),
            (Self::Closed, Self::HalfOpen) | (Self::MetricsOnly, Self::Open | Self::HalfOpen)
        )
    }

    pub(crate) const ALL: [Self; 6] = [
        Self::Closed,
        Self::Open,
        Self::HalfOpen,
        Self::ForcedOpen,
        Self::Disabled,
        Self::MetricsOnly,
    ];

    /// For programs: as meters and files call it.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
            Self::ForcedOpen => "forced open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics only",
        })
    }
}

/// One change of a circuit breaker's state.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Transition {
    /// The state left.
    pub from: State,
    /// The state entered.
    pub to: State,
    /// When it happened, or was due.
    pub at: Instant,
    /// Why.
    pub reason: TransitionReason,
}

impl Transition {
    /// So many of the last ones are remembered.
    pub(super) const KEPT: usize = 8;
}

/// Why a circuit breaker changed its state.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum TransitionReason {
    /// The failure rate reached its threshold.
    FailureRate {
        /// In percent.
        rate: f32,
    },
    /// The rate of slow calls reached its threshold, and the failure rate did not.
    SlowCallRate {
        /// In percent.
        rate: f32,
    },
    /// A rate of the trial calls reached its threshold.
    TrialsFailed {
        /// Failed trials in percent.
        failure_rate: f32,
        /// Slow trials in percent.
        slow_rate: f32,
    },
    /// Both rates of the trial calls stayed below their thresholds.
    TrialsPassed,
    /// The circuit had been open for long enough.
    WaitOver,
    /// The circuit had been half-open for as long as it may be.
    HalfOpenWaitOver,
    /// Somebody asked for it.
    Hand,
    /// A result opened the circuit.
    Result,
    /// The breaker was reset by hand.
    Reset,
}

impl fmt::Display for TransitionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailureRate { rate } => write!(f, "{rate} % of the calls failed"),
            Self::SlowCallRate { rate } => write!(f, "{rate} % of the calls were slow"),
            Self::TrialsFailed { failure_rate, slow_rate } => {
                write!(f, "{failure_rate} % of the trials failed, {slow_rate} % were slow")
            }
            Self::TrialsPassed => f.write_str("the trials passed"),
            Self::WaitOver => f.write_str("the wait was over"),
            Self::HalfOpenWaitOver => f.write_str("the trials did not decide in time"),
            Self::Hand => f.write_str("by hand"),
            Self::Result => f.write_str("a result asked for it"),
            Self::Reset => f.write_str("reset by hand"),
        }
    }
}

/// A circuit breaker at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// Failed calls in percent; −1 below the minimum number of calls.
    pub failure_rate: f32,
    /// Slow calls in percent; −1 below the minimum number of calls.
    pub slow_call_rate: f32,
    /// Calls in the window.
    pub buffered_calls: u32,
    /// Failed calls in the window, slow ones included.
    pub failed_calls: u32,
    /// Slow calls in the window, failed ones included.
    pub slow_calls: u32,
    /// Calls in the window that were slow and failed.
    pub slow_failed_calls: u32,
    /// Calls refused since the state was entered (an open state counts on from the one before).
    pub not_permitted_calls: u64,
}

/// Everything that a circuit breaker ever saw; no transition and no reset touches these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Calls that succeeded.
    pub successful: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls, successful or failed, that were slow.
    pub slow: u64,
    /// Calls whose outcome counts nowhere.
    pub ignored: u64,
    /// Calls that were given up before an outcome, and too young to count as failed.
    pub cancelled: u64,
    /// Calls that were refused.
    pub not_permitted: u64,
    /// Outcomes that came after the state had changed, and so had no effect on it.
    pub late: u64,
    /// Changes of state.
    pub transitions: u64,
}
