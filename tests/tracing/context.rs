//! `traceparent` and `tracestate` go out with every attempt.

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use seawall::http::BufferedReplay;
use seawall::reqwest::SendThrough;
use seawall::telemetry::TraceContext;
use seawall::{Backoff, Pipeline, Random, RetryConfig};
use tower::{Layer, ServiceExt};

use crate::support::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const STATE: &str = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7";

fn incoming() -> TraceContext {
    TraceContext::parse(PARENT, Some(STATE)).unwrap()
}

/// What each attempt said, which must be well-formed.
fn sent(server: &FaultServer) -> Vec<TraceContext> {
    let read = |headers: &HeaderMap| TraceContext::from_headers(headers).expect("a trace context");
    server.seen().iter().map(|seen| read(&seen.headers)).collect()
}

/// The same trace in all of them, and a new parent in each.
fn assert_children(server: &FaultServer, attempts: usize) -> Vec<TraceContext> {
    let sent = sent(server);
    assert_eq!(sent.len(), attempts);
    let mut parents: Vec<_> = sent.iter().map(TraceContext::parent_id).collect();
    parents.push(incoming().parent_id());
    parents.sort_unstable();
    parents.dedup();
    assert_eq!(parents.len(), attempts + 1, "each attempt has a parent id of its own");
    for context in &sent {
        assert_eq!((context.trace_id(), context.is_sampled()), (TRACE, true));
        assert_eq!(context.trace_state(), Some(STATE));
    }
    sent
}

fn flaky() -> FaultServer {
    FaultServer::sequence([Behaviour::status(503), Behaviour::reset(), Behaviour::no_content()])
}

#[tokio::test]
async fn each_attempt_over_reqwest_has_a_new_parent_in_the_same_trace() {
    let server = flaky();
    let told = Collector::new();
    incoming().scope(client(&pipeline()).get(server.url("/")).send()).await.unwrap();
    let sent = assert_children(&server, 3);
    // And the spans know them.
    let (_, attempts) = told.call();
    for (attempt, sent) in attempts.iter().zip(sent) {
        assert_eq!(attempt.get("seawall.trace_id"), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(attempt.get("seawall.span_id"), format!("{:016x}", sent.parent_id()));
    }
}

#[tokio::test]
async fn each_attempt_of_reqwests_own_builder_too() {
    let server = flaky();
    crate::faults::install_provider();
    let client =
        reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build().unwrap();
    incoming().scope(client.get(server.url("/")).send_through(&pipeline())).await.unwrap();
    assert_children(&server, 3);
}

#[tokio::test]
async fn each_attempt_over_hyper_too() {
    let server = flaky();
    let request = Request::get(server.url("/")).body(Full::<Bytes>::default()).unwrap();
    incoming().scope(pipeline().layer(hyper()).oneshot(request)).await.unwrap();
    assert_children(&server, 3);
}

#[tokio::test]
async fn each_attempt_of_a_buffered_request_too() {
    use hyper_util::client::legacy::Client;
    let server = flaky();
    let client = Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let pipeline = Pipeline::http("inventory")
        .replay(BufferedReplay::default())
        .retry(RetryConfig::safe().backoff(Backoff::fixed(MS)))
        .build()
        .unwrap();
    let request = Request::get(server.url("/")).body(Full::<Bytes>::default()).unwrap();
    incoming().scope(pipeline.layer(client).oneshot(request)).await.unwrap();
    assert_children(&server, 3);
}

#[tokio::test]
async fn each_attempt_over_tonic_too() {
    let answers = [trailers_only("14"), trailers_only("14"), message("0")];
    let server = FaultServer::builder().http2().start(sequence(answers));
    incoming().scope(health(&grpc(), &server).check(stock())).await.unwrap();
    assert_children(&server, 3);
}

#[tokio::test]
async fn without_a_context_nothing_is_sent_and_the_users_header_is_left_alone() {
    let server = flaky();
    client(&pipeline()).get(server.url("/")).send().await.unwrap();
    for seen in server.seen() {
        assert!(
            !seen.headers.contains_key("traceparent") && !seen.headers.contains_key("tracestate")
        );
    }
    let server = flaky();
    client(&pipeline()).get(server.url("/")).header("traceparent", PARENT).send().await.unwrap();
    assert_eq!(server.seen().len(), 3);
    assert!(server.seen().iter().all(|seen| seen.headers["traceparent"] == PARENT));
}

#[tokio::test]
async fn under_a_context_a_trace_that_the_request_names_is_kept() {
    let server = flaky();
    let other = TraceContext::start(Random::seeded(7));
    let request = client(&pipeline()).get(server.url("/"));
    let request = request.header("traceparent", PARENT).header("tracestate", STATE);
    other.scope(request.send()).await.unwrap();
    assert_children(&server, 3);
}

#[tokio::test]
async fn a_malformed_header_of_the_request_gives_way_to_the_context() {
    let server = flaky();
    let request = client(&pipeline()).get(server.url("/"));
    let request = request.header("traceparent", "00-0-0-00").header("tracestate", "of=another");
    incoming().scope(request.send()).await.unwrap();
    assert_children(&server, 3);
}

#[tokio::test]
async fn a_trace_that_is_not_sampled_stays_so() {
    let server = FaultServer::always(Behaviour::no_content());
    let context = incoming().sampled(false);
    context.scope(client(&pipeline()).get(server.url("/")).send()).await.unwrap();
    assert!(!sent(&server)[0].is_sampled());
}

#[tokio::test]
async fn seeded_dice_give_the_same_ids() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let server = flaky();
        let context = incoming().random(Random::seeded(7));
        context.scope(client(&pipeline()).get(server.url("/")).send()).await.unwrap();
        ids.push(sent(&server).iter().map(TraceContext::parent_id).collect::<Vec<_>>());
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0].len(), 3);
}

#[test]
fn the_inner_context_stands_until_it_is_left() {
    let (outer, inner) = (incoming(), incoming().child());
    assert!(TraceContext::current().is_none());
    let entered = outer.clone().enter();
    {
        let _inner = inner.clone().enter();
        assert_eq!(TraceContext::current(), Some(inner));
    }
    assert_eq!(TraceContext::current(), Some(outer));
    drop(entered);
    assert!(TraceContext::current().is_none());
}

#[tokio::test]
async fn a_scope_stands_during_polls_and_at_the_drop_only() {
    struct AtDrop;
    impl Drop for AtDrop {
        fn drop(&mut self) {
            assert!(TraceContext::current().is_some());
        }
    }
    let work = async {
        let _at_drop = AtDrop;
        tokio::task::yield_now().await;
        assert!(TraceContext::current().is_some());
        std::future::pending::<()>().await;
    };
    let mut scoped = Box::pin(incoming().scope(work));
    tokio::select! {
        () = &mut scoped => unreachable!(),
        () = async { for _ in 0..3 { tokio::task::yield_now().await; assert!(TraceContext::current().is_none()); } } => {}
    }
    drop(scoped);
    assert!(TraceContext::current().is_none());
}

#[test]
fn headers_are_read_by_the_w3cs_rules() {
    let mut headers = HeaderMap::new();
    headers.append("traceparent", PARENT.parse().unwrap());
    headers.append("tracestate", "a=1".parse().unwrap());
    headers.append("tracestate", "b=2".parse().unwrap());
    let context = TraceContext::from_headers(&headers).unwrap();
    assert_eq!((context.to_string().as_str(), context.trace_state()), (PARENT, Some("a=1,b=2")));
    headers.append("tracestate", "A=3".parse().unwrap());
    let context = TraceContext::from_headers(&headers).unwrap();
    assert_eq!(context.trace_state(), None, "one bad part spoils the whole");
    headers.append("traceparent", PARENT.parse().unwrap());
    assert_eq!(TraceContext::from_headers(&headers), None, "two cannot both be right");
    for zero in [
        PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
        PARENT.replace("00f067aa0ba902b7", &"0".repeat(16)),
    ] {
        assert_eq!(TraceContext::parse(&zero, None), None);
    }
    let later = format!("42{}-ff-new", &PARENT[2..52]);
    let later = TraceContext::parse(&later, None).unwrap();
    assert_eq!(
        later.to_string(),
        format!("{}03", &PARENT[..53]),
        "sent on in our version, with the flags we know"
    );
}
