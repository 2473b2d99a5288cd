//! OpenTelemetry's current context.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, ContextGuard};
use seawall::telemetry::TraceContext;
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

use crate::support::*;

const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;

fn context(span: u64) -> Context {
    let state = TraceState::from_key_value([("a", "1")]).unwrap();
    let (trace, span) =
        (TraceId::from_bytes(TRACE.to_be_bytes()), SpanId::from_bytes(span.to_be_bytes()));
    let span = SpanContext::new(trace, span, TraceFlags::SAMPLED, false, state);
    Context::new().with_remote_span_context(span)
}

fn sent(server: &FaultServer) -> Vec<TraceContext> {
    server.seen().iter().map(|seen| TraceContext::from_headers(&seen.headers).unwrap()).collect()
}

fn flaky() -> FaultServer {
    FaultServer::sequence([Behaviour::status(503), Behaviour::no_content()])
}

#[tokio::test]
async fn opentelemetrys_context_is_sent_on_where_no_own_one_stands() {
    use opentelemetry::trace::FutureExt;
    let server = flaky();
    let call = client(&pipeline()).get(server.url("/")).send();
    call.with_context(context(7)).await.unwrap();
    let sent = sent(&server);
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|it| it.trace_id() == TRACE && it.is_sampled()));
    assert!(sent.iter().all(|it| it.trace_state() == Some("a=1")));
    assert!(sent[0].parent_id() != sent[1].parent_id());
    assert!(sent.iter().all(|it| it.parent_id() != 7));
}

#[tokio::test]
async fn an_own_context_comes_first() {
    let _otel = context(7).attach();
    let own = TraceContext::new(5, 6).unwrap();
    assert_eq!(TraceContext::current().unwrap().parent_id(), 7);
    let _own = own.clone().enter();
    assert_eq!(TraceContext::current(), Some(own));
}

/// As tracing-opentelemetry does: while a span is entered, its counterpart is OpenTelemetry's current one.
struct Bridge;

thread_local! {
    static ENTERED: std::cell::RefCell<Vec<ContextGuard>> = const { std::cell::RefCell::new(Vec::new()) };
}

impl<S: tracing::Subscriber> Layer<S> for Bridge {
    fn on_new_span(
        &self,
        _: &Attributes<'_>,
        _: &Id,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
    }

    fn on_enter(&self, id: &Id, _: tracing_subscriber::layer::Context<'_, S>) {
        let guard = context(1000 + id.into_u64()).attach();
        ENTERED.with_borrow_mut(|entered| entered.push(guard));
    }

    fn on_exit(&self, _: &Id, _: tracing_subscriber::layer::Context<'_, S>) {
        drop(ENTERED.with_borrow_mut(Vec::pop));
    }
}

#[tokio::test]
async fn an_attempt_with_a_span_of_opentelemetrys_is_sent_as_that() {
    let server = flaky();
    let only_ours = tracing_subscriber::filter::filter_fn(|it| it.target().starts_with("seawall"));
    let subscriber = Registry::default().with(Bridge.with_filter(only_ours));
    let _guard = tracing::subscriber::set_default(subscriber);
    let client = client(&pipeline());
    let _outer = context(7).attach();
    client.get(server.url("/")).send().await.unwrap();
    let sent = sent(&server);
    assert!(sent.iter().all(|it| it.trace_id() == TRACE && it.parent_id() > 1000), "{sent:?}");
}
