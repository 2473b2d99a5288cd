//! The spans of a call and of its attempts. Without the feature `tracing` there are none.

pub(super) use self::imp::{EnteredSpan, Spans};

#[cfg(feature = "tracing")]
mod imp {
    use std::fmt::Display;

    use tracing::field::{Empty, display};
    use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
    pub(crate) use tracing::span::EnteredSpan;
    use tracing::{Level, Span, info_span, span_enabled};

    use super::super::words::{self, End, ErrorType};
    use super::super::{RequestInfo, ResponseInfo, TraceContext};
    use crate::error::Rejected;
    use crate::outcome::{Cause, Verdict};

    pub(in super::super) struct Spans {
        call: Span,
        attempt: Span,
        /// How the call ended, as far as is known. It is told once, at the end.
        end: Option<End>,
    }

    impl Default for Spans {
        fn default() -> Self {
            Self { call: Span::none(), attempt: Span::none(), end: None }
        }
    }

    impl Spans {
        /// Is there a subscriber that may want them?
        #[inline]
        pub(in super::super) fn are_wanted() -> bool {
            STATIC_MAX_LEVEL >= Level::INFO && LevelFilter::current() >= LevelFilter::INFO
        }

        /// Opens that of a call; nothing if neither it nor an attempt's is wanted.
        pub(in super::super) fn open(name: &str) -> Option<Self> {
            let call = info_span!(
                target: "seawall::call",
                "call",
                "otel.name" = name,
                "otel.kind" = "internal",
                "otel.status_code" = Empty,
                "error.type" = Empty,
                "seawall.pipeline" = name,
                "seawall.outcome" = Empty,
                "seawall.attempts" = Empty,
            );
            let wanted =
                !call.is_disabled() || span_enabled!(target: "seawall::attempt", Level::INFO);
            wanted.then(|| Self { call, ..Self::default() })
        }

        pub(in super::super) fn is_open(&self) -> bool {
            !self.call.is_disabled()
        }

        pub(in super::super) fn enter_call(&self) -> Option<EnteredSpan> {
            enter(&self.call)
        }

        pub(in super::super) fn enter_attempt(&self) -> Option<EnteredSpan> {
            enter(&self.attempt)
        }

        /// Opens that of an attempt, under whatever span is entered. `before` is how many attempts went before it.
        pub(in super::super) fn open_attempt(
            &mut self,
            before: u32,
            describe: impl FnOnce() -> Option<RequestInfo>,
        ) {
            let span = info_span!(
                target: "seawall::attempt",
                "attempt",
                "otel.name" = Empty,
                "otel.kind" = Empty,
                "otel.status_code" = Empty,
                "http.request.method" = Empty,
                "http.request.method_original" = Empty,
                "http.request.resend_count" = Empty,
                "http.response.status_code" = Empty,
                "rpc.system.name" = Empty,
                "rpc.method" = Empty,
                "rpc.response.status_code" = Empty,
                "server.address" = Empty,
                "server.port" = Empty,
                "url.template" = Empty,
                "url.full" = Empty,
                "error.type" = Empty,
                "seawall.attempt" = before.saturating_add(1),
                "seawall.trace_id" = Empty,
                "seawall.span_id" = Empty,
            );
            if !span.is_disabled()
                && let Some(info) = describe()
            {
                tell(&span, &info, before);
            }
            self.attempt = span;
        }

        /// This went out with the attempt.
        pub(in super::super) fn sent(&self, context: &TraceContext) {
            let (trace, parent) = (context.trace_id(), context.parent_id());
            self.attempt.record("seawall.trace_id", display(format_args!("{trace:032x}")));
            self.attempt.record("seawall.span_id", display(format_args!("{parent:016x}")));
        }

        pub(in super::super) fn end_attempt(
            &mut self,
            verdict: &Verdict,
            response: impl FnOnce() -> Option<ResponseInfo>,
        ) {
            let span = std::mem::replace(&mut self.attempt, Span::none());
            if span.is_disabled() {
                return;
            }
            let response = response();
            let ResponseInfo { http_status, grpc_code } = response.unwrap_or_default();
            let cause = verdict.cause();
            let status = http_status.or(match cause {
                Some(Cause::Status(status)) => Some(status),
                _ => None,
            });
            let code = grpc_code.or(match cause {
                Some(Cause::Grpc(code)) => Some(code),
                _ => None,
            });
            if let Some(status) = status {
                span.record("http.response.status_code", status);
            }
            if let Some(code) = code {
                span.record("rpc.response.status_code", words::grpc(code));
            }
            // To whoever asked, 404 is an error whatever a circuit breaker makes of it.
            let error = match (status, code, cause) {
                (_, Some(1..), _) => code.map(|code| ErrorType::from(Cause::Grpc(code))),
                (Some(400..), ..) => status.map(ErrorType::Status),
                (.., Some(cause)) if response.is_none() || verdict.is_failure() => {
                    Some(cause.into())
                }
                _ => None,
            };
            if let Some(error) = error {
                fail(&span, error);
            }
        }

        pub(in super::super) fn end_call(
            &mut self,
            verdict: &Verdict,
            rejected: Option<&Rejected>,
        ) {
            self.end = Some(End::of(verdict, rejected));
        }

        pub(in super::super) fn fail_call(&mut self, cause: Cause) {
            self.end = Some(End::failed(cause));
        }

        /// Whatever is open ends now.
        pub(in super::super) fn close(&mut self, attempts: u32) {
            if !self.attempt.is_disabled() {
                fail(&self.attempt, "cancelled");
            }
            if self.call.is_disabled() {
                return;
            }
            let End { outcome, error } = self.end.unwrap_or(End::CANCELLED);
            self.call.record("seawall.outcome", outcome);
            self.call.record("seawall.attempts", attempts);
            if let Some(error) = error {
                fail(&self.call, error);
            }
        }
    }

    fn enter(span: &Span) -> Option<EnteredSpan> {
        (!span.is_disabled()).then(|| span.clone().entered())
    }

    fn fail(span: &Span, error: impl Display) {
        span.record("error.type", display(error));
        span.record("otel.status_code", "ERROR");
    }

    fn tell(span: &Span, info: &RequestInfo, before: u32) {
        span.record("otel.kind", "client");
        if let Some(name) = words::name(info) {
            span.record("otel.name", &*name);
        }
        if let Some(method) = &info.http_method {
            let known = words::method(method);
            span.record("http.request.method", known);
            if known != method {
                span.record("http.request.method_original", method.as_str());
            }
            if before > 0 {
                span.record("http.request.resend_count", before);
            }
        }
        let texts = [
            ("rpc.system.name", info.rpc_system),
            ("rpc.method", info.rpc_method.as_deref()),
            ("server.address", info.server_address.as_deref()),
            ("url.template", info.url_template.as_deref()),
            ("url.full", info.url.as_deref()),
        ];
        for (field, text) in texts {
            if let Some(text) = text {
                span.record(field, text);
            }
        }
        if let Some(port) = info.server_port {
            span.record("server.port", port);
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod imp {
    use super::super::{RequestInfo, ResponseInfo, TraceContext};
    use crate::error::Rejected;
    use crate::outcome::{Cause, Verdict};

    /// There is none.
    pub(crate) enum EnteredSpan {}

    #[derive(Default)]
    pub(in super::super) struct Spans;

    #[allow(clippy::unused_self)]
    impl Spans {
        #[inline]
        pub(in super::super) const fn are_wanted() -> bool {
            false
        }

        pub(in super::super) const fn open(_: &str) -> Option<Self> {
            None
        }

        pub(in super::super) const fn is_open(&self) -> bool {
            false
        }

        pub(in super::super) const fn enter_call(&self) -> Option<EnteredSpan> {
            None
        }

        pub(in super::super) const fn enter_attempt(&self) -> Option<EnteredSpan> {
            None
        }

        pub(in super::super) fn open_attempt(
            &mut self,
            _: u32,
            _: impl FnOnce() -> Option<RequestInfo>,
        ) {
        }

        pub(in super::super) const fn sent(&self, _: &TraceContext) {}

        pub(in super::super) fn end_attempt(
            &mut self,
            _: &Verdict,
            _: impl FnOnce() -> Option<ResponseInfo>,
        ) {
        }

        pub(in super::super) const fn end_call(&mut self, _: &Verdict, _: Option<&Rejected>) {}

        pub(in super::super) const fn fail_call(&mut self, _: Cause) {}

        pub(in super::super) const fn close(&mut self, _: u32) {}
    }
}
