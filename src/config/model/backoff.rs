//! The settings of a backoff.

use std::time::Duration;

use super::kind::Bounds;
use super::kind::{Field, Kind, MS, Setting, float, span};
use super::table::{Key, Model, Table, settings};

const KINDS: Kind = Kind::Choice(&[
    ("fixed", &[]),
    ("linear", &[]),
    ("exponential", &[]),
    ("geometric", &[]),
    ("full_jitter", &[]),
    ("equal_jitter", &[]),
    ("decorrelated", &["decorrelated_jitter"]),
    ("smooth", &[]),
    ("uniform", &[]),
    ("sequence", &[]),
]);

settings! {
    /// How long to wait before the next try, by any formula of [`Backoff`](crate::Backoff) that is no function of yours.
    BackoffSettings, BACKOFF = "backoff";

    /// The formula. Each takes `base`, but `uniform` (`least`, `most`) and `sequence` (`waits`).
    kind: String = KINDS;
    /// The first wait.
    base: Duration = span(Duration::ZERO), alias "wait", alias "initial";
    /// What a `linear` one grows by. Not set: by `base`.
    step: Duration = span(Duration::ZERO);
    /// What an `exponential` (not set: 1.5) or `geometric` one (not set: 2) is multiplied by.
    factor: f64 = Kind::Float { least: 0.0, most: f64::MAX, bounds: Bounds::Above }, alias "multiplier";
    /// No wait is longer. `full_jitter`, `equal_jitter` and `decorrelated` need it.
    cap: Duration = span(MS), alias "max_wait";
    /// Of a `uniform` one, the shortest wait.
    least: Duration = span(Duration::ZERO), alias "min";
    /// Of a `uniform` one, the longest wait.
    most: Duration = span(MS), alias "max";
    /// The waits of a `sequence`, after which there is no further try.
    waits: Vec<String> = Kind::Spans;
    /// Spreads waits as Resilience4j does: over w − f·w to w + f·w, in whole milliseconds.
    randomized: f64 = float(0.0, 1.0);
    /// Spreads waits over w − f·w to w + f·w, as failsafe-go and Polly do.
    jitter_factor: f64 = float(0.0, 1.0);
    /// Spreads waits by so much either way.
    jitter: Duration = span(Duration::ZERO);
    /// Makes waits longer by anything up to f·w, as tower does.
    lengthened: f64 = float(0.0, 100.0);
    /// Is what is capped spread (as in failsafe-go), and not what is spread capped?
    jitter_after_cap: bool = Kind::Bool;
}
