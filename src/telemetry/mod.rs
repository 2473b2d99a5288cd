//! What the patterns tell, and the one door by which it leaves.
//!
//! Cores and glue build [`Event`]s, but only when somebody listens; [`Observer`]s receive them,
//! outside every lock. An observer that panics harms no call. Who would rather read than be called has them as a
//! stream: [`Events`], by `events` of every handle and pipeline.
//!
//! # Spans
//!
//! With the feature `tracing`, and only while a subscriber wants them, every call through a [`Pipeline`](crate::Pipeline) (so every
//! call of [`seawall::reqwest`](crate::reqwest) and of a gRPC channel too) has a span, and so has each of its attempts. They are
//! entered while they are polled, never over an await.
//!
//! | span (target) | begins | ends | `otel.name` |
//! |---|---|---|---|
//! | `call` (`seawall::call`) | with the call | with the call: at the end of the body, where it lasts so long | the pipeline's name |
//! | `attempt` (`seawall::attempt`), in it | when the attempt has passed all gates | with its outcome: over HTTP when its head is judged | `GET`, `GET /api/{id}`, `inventory.Stock/Count` |
//!
//! Both are of level INFO. Their fields are those of OpenTelemetry's conventions, so that `tracing-opentelemetry` makes good spans of them. What is
//! not known stays away.
//!
//! | field | of | what |
//! |---|---|---|
//! | `otel.kind` | both | `internal`, and `client` for attempts of HTTP and gRPC |
//! | `otel.status_code`, `error.type` | both | `ERROR` and why: the status (from 400 on), the code of gRPC, `connect`, `reset`, `timeout`, …; of a call also `circuit_open`, `bulkhead_full`, … |
//! | `seawall.pipeline`, `seawall.attempts` | call | its pipeline, and how many attempts went out |
//! | `seawall.outcome` | call | `success`, `failure`, `ignored`, `refused`, `timed_out`, or `cancelled` if it was dropped |
//! | `seawall.attempt` | attempt | from 1 |
//! | `http.request.method`, `http.response.status_code`, `http.request.resend_count` | attempt | as the conventions have it |
//! | `server.address`, `server.port`, `url.full` | attempt | where it went; no credentials, and the query only by [`HttpReplay::trace_query`](crate::http::HttpReplay::trace_query) |
//! | `url.template` | attempt | what [`UrlTemplate`](crate::http::UrlTemplate) or `.url_template(..)` says |
//! | `rpc.system.name`, `rpc.method`, `rpc.response.status_code` | attempt | of gRPC; the code only if the head has it, else it comes to the call with the trailers |
//! | `seawall.trace_id`, `seawall.span_id` | attempt | what went out in `traceparent` |
//!
//! A call that waits in a [`tower::buffer`](https://docs.rs/tower) has its span where the buffer's worker calls. Single layers and handles have
//! no spans. A replay of your own says by [`Replay::describe`](crate::Replay::describe) what its attempts are.
//!
//! # Lines
//!
//! With the feature `tracing`, single layers and handles included, these become lines inside the span of the call that
//! caused them:
//!
//! | what | target | level |
//! |---|---|---|
//! | circuit opened; half-open; closed, reset, disabled, only measuring | `seawall::circuit_breaker` | ERROR; WARN; INFO |
//! | rate of failures or of slow calls exceeded | `seawall::circuit_breaker` | WARN |
//! | bulkhead full, rate limited, timed out, attempts used up | `seawall::rejected` | ERROR |
//! | refused by a circuit, deadline passed already, retry budget spent | `seawall::rejected` | WARN |
//! | an attempt follows, the budget is spent; success after a retry; given up; not to be retried | `seawall::retry` | WARN; INFO; ERROR; DEBUG |
//! | a file of settings applied; refused | `seawall::reload` | INFO; ERROR |
//! | an instance asked for with other settings than it has; made, changed, removed | `seawall::registry` | WARN; DEBUG |
//! | a keyed group is full, cannot make an instance; is full no longer; gives some up | `seawall::keyed` | WARN; INFO; DEBUG |
//!
//! What is refused often is told often: a subscriber's filter on `seawall::rejected` makes it quiet.
//!
//! # Trace context
//!
//! Needs no feature but that of the client. While a [`TraceContext`] stands when a call begins, each of its attempts says in
//! `traceparent` and `tracestate` to which trace it belongs, each with a parent id of its own, so that the server's spans can be
//! told apart by attempt. The flag "sampled" is kept. Where none stands nothing is sent, and a `traceparent` that the request
//! has goes out as it is. Under a context, a request that names a valid trace of its own stays in that trace and keeps its
//! `tracestate`; only the parent id is each attempt's own.
//!
//! With the feature `otel`, OpenTelemetry's current context stands where no own one does. If the span of an attempt has a counterpart there (with
//! `tracing-opentelemetry`, which activates it while it is entered), that goes out, id and all, and the server's span hangs under it:
//!
//! ```ignore
//! // Once, where the program starts. `provider` is an `opentelemetry_sdk::trace::SdkTracerProvider` with your exporter.
//! let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("inventory"));
//! tracing_subscriber::registry().with(layer).init();
//! ```
//!
//! A redirect that reqwest follows by itself takes the headers along, to another host too, as it does all but those of
//! credentials. Without a counterpart in OpenTelemetry the parent ids stand for no span that is exported: the trace is whole, but a
//! viewer may miss a parent; `seawall.span_id` of the attempt's span is that id.

mod event;
mod events;
pub mod meters;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, dead_code))]
pub(crate) mod observer;
#[cfg(feature = "otel")]
pub mod otel;
mod prometheus;
#[cfg(feature = "snapshot")]
pub mod serve;
pub mod snapshot;
pub(crate) mod trace;

pub use event::{
    BulkheadEvent, CircuitBreakerEvent, Event, EventKind, InstanceKind, KeyedEvent,
    RateLimiterEvent, RegistryEvent, ReloadEvent, RetryEvent, TimeLimiterEvent, TimerEvent,
};
pub(crate) use events::Detach;
pub use events::{EventRecord, Events};
pub use meters::Meters;
pub use observer::{Observer, ObserverId};
pub(crate) use observer::{Observers, Outbox};
pub use snapshot::Snapshot;
pub(crate) use trace::Trace;
pub use trace::{EnteredTrace, RequestInfo, ResponseInfo, TraceContext, Traced};
