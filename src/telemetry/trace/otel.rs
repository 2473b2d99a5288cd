//! OpenTelemetry's current context, if there is an OpenTelemetry.

pub(super) use self::imp::{current, stands};

#[cfg(feature = "otel")]
mod imp {
    use opentelemetry::Context;
    use opentelemetry::trace::TraceContextExt;

    use super::super::TraceContext;

    #[inline]
    pub(in super::super) fn stands() -> bool {
        Context::map_current(TraceContextExt::has_active_span)
    }

    pub(in super::super) fn current() -> Option<TraceContext> {
        Context::map_current(|context| {
            let span = context.span();
            let span = span.span_context();
            let trace_id = u128::from_be_bytes(span.trace_id().to_bytes());
            let parent_id = u64::from_be_bytes(span.span_id().to_bytes());
            let own = TraceContext::new(trace_id, parent_id)?.flags(span.trace_flags().to_u8());
            let state = span.trace_state().header();
            Some(if state.is_empty() { own } else { own.trace_state_of(&state) })
        })
    }
}

#[cfg(not(feature = "otel"))]
mod imp {
    use super::super::TraceContext;

    #[inline]
    pub(in super::super) const fn stands() -> bool {
        false
    }

    pub(in super::super) const fn current() -> Option<TraceContext> {
        None
    }
}
