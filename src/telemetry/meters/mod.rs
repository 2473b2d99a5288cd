//! The meters of every pattern, with the names and tags that Resilience4j has for them.
//!
//! [`Meters`] watches instances and says what their meters say: as [`Families`], as Prometheus text, through the `metrics` facade
//! (`telemetry::metrics`), through OpenTelemetry (`telemetry::otel`). All of them read the same values.
//! An instance counts most things by itself. What it does not (durations, permissions granted) is counted from the moment
//! at which it is watched; until then nobody listens, and nothing is spent on it.
//!
//! Each meter has the tag `name`, and the tags that the instance was watched with.
//!
//! | meter | kind | tags of its own |
//! |---|---|---|
//! | `resilience4j.circuitbreaker.calls` | timer | `kind` = `successful`, `failed`, `ignored` |
//! | `resilience4j.circuitbreaker.not.permitted.calls` | counter | `kind` = `not_permitted` |
//! | `resilience4j.circuitbreaker.state` | gauge, 0 or 1 | `state` = `closed`, `open`, `half_open`, `forced_open`, `disabled`, `metrics_only` |
//! | `resilience4j.circuitbreaker.buffered.calls`, `.slow.calls` | gauge | `kind` = `failed`, `successful` |
//! | `resilience4j.circuitbreaker.failure.rate`, `.slow.call.rate` | gauge, percent; −1 below the minimum number of calls | |
//! | `resilience4j.bulkhead.available.concurrent.calls`, `.max.allowed.concurrent.calls` | gauge | |
//! | `resilience4j.bulkhead.queue.depth`, `.queue.capacity`, `.thread.pool.size`, `.max.thread.pool.size`, `.core.thread.pool.size`, `.active.thread.count`, `.available.thread.count` | gauge; in place of the two above, of a bulkhead whose queue has a capacity | |
//! | `resilience4j.bulkhead.calls` * | counter | `kind` = `permitted`, `rejected` |
//! | `resilience4j.ratelimiter.available.permissions`, `.waiting_threads` | gauge | |
//! | `resilience4j.ratelimiter.calls` * | counter | `kind` = `successful`, `failed` |
//! | `resilience4j.ratelimiter.drained.permissions` * | counter | |
//! | `resilience4j.retry.calls` | counter | `kind` = `successful_without_retry`, `successful_with_retry`, `failed_without_retry`, `failed_with_retry` |
//! | `resilience4j.retry.calls.by.attempts` * | counter | `attempts` = `1` to `5`, `more` |
//! | `resilience4j.retry.retries` *, `.budget.refused.calls` * | counter | |
//! | `resilience4j.timelimiter.calls` | counter | `kind` = `successful`, `failed`, `timeout` |
//! | `resilience4j.timer.calls`, or as a timer's settings name it | timer | `kind` = `successful`, `failed`; `failure` = why, empty for a success |
//! | `resilience4j.thread.virtual_thread_enabled` | gauge, always 0 | (nor `name`) |
//!
//! Those with a star are not in Resilience4j. In Prometheus's text dots are underscores, counters end in `_total`, and a timer is a
//! histogram `…_seconds` with a gauge `…_seconds_max`, which Micrometer makes of the longest call of the last minutes.
//!
//! Instances of one pattern with the same name and tags are one series: the keyed instances of a group, for example, which appear
//! under the group's name. Counters, durations and gauges are added up, so `state` says how many are in each; of the rates
//! the highest counts.

mod attached;
mod families;
mod group;
mod list;
mod named;
mod read;
mod recorder;
mod registry;
mod source;
mod timing;
mod watch;

pub use families::{Families, Family, Labels, Out, Reading};
pub(crate) use group::Kept;
pub use list::{METERS, Meter, MeterKind};
pub(crate) use named::{check as check_timer, timer, timer_by_default};
pub use read::Metered;
pub(crate) use timing::Histogram;
pub use timing::{BUCKETS, Timing};
pub use watch::Meters;

#[cfg(any(feature = "metrics", feature = "otel"))]
pub(super) use self::{
    exporters::{Resolved, Series},
    source::{ExporterId, Watched},
};

#[cfg(any(feature = "metrics", feature = "otel"))]
mod exporters;
