use std::collections::VecDeque;
use std::io;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready, task};

use crate::ends::{AtBodyEnd, Ends, Guard};
use crate::error::{Error, Reason, Rejected};
use crate::http::{GuardedBody, JudgeEnd};
use crate::outcome::Cause;

/// What a body does when it is polled; after the last of it, it ends.
enum Does {
    Data(&'static str),
    Trailers,
    Fail,
    Stay,
    Panic,
}

use Does::{Data, Fail, Panic, Stay, Trailers};

struct Script {
    steps: VecDeque<Does>,
    /// Does it say that it has ended once nothing is left?
    honest: bool,
    log: Log,
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match self.steps.pop_front() {
            None => None,
            Some(Data(data)) => Some(Ok(Frame::data(data.into()))),
            Some(Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Some(Fail) => Some(Err(io::ErrorKind::ConnectionReset.into())),
            Some(Panic) => panic!("the body's own panic"),
            Some(Stay) => {
                self.steps.push_front(Stay);
                let _ = cx;
                return Poll::Pending;
            }
        })
    }

    fn size_hint(&self) -> SizeHint {
        let data = |step: &Does| if let Data(data) = step { data.len() as u64 } else { 0 };
        SizeHint::with_exact(self.steps.iter().map(data).sum())
    }

    fn is_end_stream(&self) -> bool {
        self.honest && self.steps.is_empty()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.log.0.lock().unwrap().push("body dropped");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

struct Watch {
    log: Log,
    deadline: Option<Instant>,
}

impl Guard for Watch {
    fn fail(self, cause: Cause) {
        assert_eq!(cause, Cause::Reset);
        self.log.0.lock().unwrap().push("failed");
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn expire(self) -> Option<Rejected> {
        self.log.0.lock().unwrap().push("expired");
        Some(Rejected::new("inventory".into(), Reason::DeadlineExceeded))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.log.0.lock().unwrap().push("guard dropped");
    }
}

struct Guarded {
    body: task::Spawn<GuardedBody<Script, Watch>>,
    log: Log,
}

type Frames = Poll<Option<Result<Frame<Bytes>, Error<io::Error>>>>;

impl Guarded {
    fn new(steps: impl Into<VecDeque<Does>>) -> Self {
        Self::with(steps, true, None)
    }

    fn with(steps: impl Into<VecDeque<Does>>, honest: bool, limit: Option<Duration>) -> Self {
        let log = Log::default();
        let body = Script { steps: steps.into(), honest, log: log.clone() };
        let deadline = limit.map(|limit| Instant::now() + limit);
        let guard = Watch { log: log.clone(), deadline };
        Self { body: task::spawn(GuardedBody::new(body, Some(guard))), log }
    }

    fn poll(&mut self) -> Frames {
        self.body.enter(|cx, body| body.poll_frame(cx))
    }

    fn data(&mut self) -> Bytes {
        assert_ready!(self.poll()).expect("a frame").expect("no error").into_data().unwrap()
    }

    fn error(&mut self) -> Error<io::Error> {
        assert_ready!(self.poll()).expect("a frame").expect_err("an error")
    }

    fn ends(&mut self) -> bool {
        assert_ready!(self.poll()).is_none()
    }
}

const MS: Duration = Duration::from_millis(1);

// ## To the end

#[test]
fn a_body_that_says_where_it_ends_is_over_with_its_last_frame() {
    let mut body = Guarded::new([Data("a"), Data("bc")]);
    assert_eq!(body.body.size_hint().exact(), Some(3));
    assert_eq!(body.data(), "a");
    assert_eq!(body.body.size_hint().exact(), Some(2));
    assert!(!body.body.is_end_stream());
    assert!(body.log.take().is_empty());
    assert_eq!(body.data(), "bc");
    assert_eq!(body.log.take(), ["guard dropped"]);
    assert!(body.body.is_end_stream());
    assert!(body.ends());
    assert!(body.ends(), "polled once more");
    drop(body.body);
    assert_eq!(body.log.take(), ["body dropped"]);
}

#[test]
fn a_body_that_does_not_say_is_over_at_its_end() {
    let mut body = Guarded::with([Data("a")], false, None);
    body.data();
    assert!(body.log.take().is_empty());
    assert!(body.ends());
    assert_eq!(body.log.take(), ["guard dropped"]);
    assert!(body.ends());
}

#[test]
fn trailers_pass() {
    let mut body = Guarded::new([Data("a"), Trailers]);
    body.data();
    assert!(body.log.take().is_empty());
    assert!(assert_ready!(body.poll()).unwrap().unwrap().is_trailers());
    assert_eq!(body.log.take(), ["guard dropped"]);
}

#[test]
fn trailers_are_the_end_whatever_the_body_says() {
    let mut body = Guarded::with([Data("a"), Trailers], false, None);
    body.data();
    assert!(assert_ready!(body.poll()).unwrap().unwrap().is_trailers());
    assert_eq!(body.log.take(), ["guard dropped"]);
    assert!(body.ends());
}

/// Takes an end without trailers for a reset, and one with trailers for a good one.
struct Strict;

impl JudgeEnd<io::Error> for Strict {
    type Error = Error<io::Error>;

    fn judge_end(&self, trailers: Option<&HeaderMap>) -> Option<Cause> {
        trailers.is_none().then_some(Cause::Reset)
    }
}

#[test]
fn the_end_can_be_judged_once() {
    for (steps, honest, said) in [
        (vec![Data("a"), Trailers], true, vec!["guard dropped"]),
        (vec![Data("a"), Trailers], false, vec!["guard dropped"]),
        (vec![Data("a")], true, vec!["failed", "guard dropped"]),
        (vec![Data("a")], false, vec!["failed", "guard dropped"]),
    ] {
        let log = Log::default();
        let script = Script { steps: steps.into(), honest, log: log.clone() };
        let guard = Watch { log: log.clone(), deadline: None };
        let mut body = task::spawn(GuardedBody::judged(script, Some(guard), Strict));
        while assert_ready!(body.enter(|cx, body| body.poll_frame(cx))).is_some() {}
        assert_eq!(log.take(), said);
    }
}

#[test]
fn a_default_body_is_empty() {
    let mut body = task::spawn(GuardedBody::<Script, Watch>::default());
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(assert_ready!(body.enter(|cx, body| body.poll_frame(cx))).is_none());
}

#[test]
fn a_body_that_is_empty_holds_nothing_from_the_start() {
    let body = Guarded::new([]);
    assert_eq!(body.log.take(), ["guard dropped"]);
    assert!(body.body.is_end_stream());
}

#[test]
fn a_response_that_is_over_with_its_head_says_so() {
    let response = |steps: Vec<Does>, status| {
        let body = Script { steps: steps.into(), honest: true, log: Log::default() };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response
    };
    let is_over = |response: &Response<Script>| Ends::<_, Watch>::is_over(&AtBodyEnd, response);
    assert!(is_over(&response(vec![], StatusCode::OK)));
    assert!(is_over(&response(vec![Data("a")], StatusCode::SWITCHING_PROTOCOLS)));
    assert!(!is_over(&response(vec![Data("a")], StatusCode::OK)));
}

#[test]
fn a_body_without_a_guard_is_only_a_body() {
    let log = Log::default();
    let script = Script { steps: [Data("a"), Fail].into(), honest: true, log };
    let mut body = task::spawn(GuardedBody::<_, Watch>::new(script, None));
    let mut next = || assert_ready!(body.enter(|cx, body| body.poll_frame(cx)));
    assert!(next().unwrap().unwrap().is_data());
    assert!(matches!(next(), Some(Err(Error::Service(_)))));
    assert!(next().is_none());
}

// ## Before the end

#[test]
fn an_error_fails_the_guard_once() {
    let mut body = Guarded::with([Data("a"), Fail, Fail], false, Some(MS));
    body.data();
    assert_eq!(body.error().into_service().unwrap().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(body.log.take(), ["failed", "guard dropped"]);
    assert!(matches!(body.error(), Error::Service(_)));
    assert!(body.ends());
    drop(body.body);
    assert_eq!(body.log.take(), ["body dropped"]);
}

#[test]
fn an_early_drop_drops_the_body_and_then_the_guard() {
    let mut body = Guarded::new([Data("a"), Data("b")]);
    body.data();
    drop(body.body);
    assert_eq!(body.log.take(), ["body dropped", "guard dropped"]);
    // The same if nobody ever looked at it.
    let body = Guarded::new([Stay]);
    drop(body.body);
    assert_eq!(body.log.take(), ["body dropped", "guard dropped"]);
}

#[test]
fn a_body_that_panics_leaves_the_guard_to_the_drop() {
    let mut body = Guarded::new([Panic]);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body.poll()));
    assert!(panicked.is_err());
    assert!(body.log.take().is_empty());
    drop(body.body);
    assert_eq!(body.log.take(), ["body dropped", "guard dropped"]);
}

// ## The deadline

#[tokio::test(start_paused = true)]
async fn the_deadline_strikes_while_the_body_is_silent() {
    let mut body = Guarded::with([Data("a"), Stay], true, Some(MS * 10));
    body.data();
    assert_pending!(body.poll());
    advance(MS * 9).await;
    assert_pending!(body.poll());
    assert!(!body.body.is_woken());
    advance(MS).await;
    assert!(body.body.is_woken());
    let error = body.error();
    assert_eq!(error.rejected().unwrap().reason(), Reason::DeadlineExceeded);
    // The work ends before its places are free.
    assert_eq!(body.log.take(), ["body dropped", "expired", "guard dropped"]);
    assert!(body.body.is_end_stream());
    assert!(body.ends());
    assert!(body.ends());
    drop(body.body);
    assert!(body.log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_strikes_at_the_first_silence() {
    let mut body = Guarded::with([Data("a"), Data("b"), Stay], true, Some(Duration::ZERO));
    // What is there is handed on: the clock is asked only when there is nothing.
    assert_eq!(body.data(), "a");
    advance(MS * 1000).await;
    assert_eq!(body.data(), "b");
    assert!(body.error().is_timeout());
}

/// A timer can be pending for want of tokio's budget, and a firehose uses that up.
#[tokio::test(start_paused = true)]
async fn a_firehose_is_cut_once_it_pends_though_the_tasks_budget_is_used_up() {
    let steps = (0..10_000).map(|_| Data("drop")).chain([Stay]);
    let mut body = Guarded::with(steps.collect::<VecDeque<_>>(), true, Some(MS));
    tokio::task::unconstrained(async {
        for _ in 0..10_000 {
            body.data();
        }
    })
    .await;
    advance(MS).await;
    // No budget is left for any timer of this task.
    while tokio::task::coop::has_budget_remaining() {
        let mut consume = task::spawn(tokio::task::coop::consume_budget());
        let _ = consume.poll();
    }
    assert!(body.error().is_timeout());
}

#[tokio::test(start_paused = true)]
async fn a_body_in_time_hears_nothing_of_its_deadline() {
    let mut body = Guarded::with([Data("a")], false, Some(MS));
    body.data();
    assert!(body.ends());
    assert_eq!(body.log.take(), ["guard dropped"]);
    advance(MS * 10).await;
    assert!(body.ends());
}

#[test]
fn a_body_without_a_deadline_needs_no_timer() {
    let mut body = Guarded::new([Stay]);
    assert_pending!(body.poll());
}

// ## Its type

#[test]
fn a_body_that_could_be_moved_still_can_be() {
    fn is_unpin<T: Unpin>() {}
    struct Pinned(#[allow(dead_code)] PhantomPinned);
    impl Guard for Pinned {
        fn fail(self, _: Cause) {}
    }
    is_unpin::<GuardedBody<Script, Watch>>();
    // Whatever the guard is like.
    is_unpin::<GuardedBody<Script, Pinned>>();
}

#[test]
fn a_body_that_cannot_be_shown_needs_no_debug_of_its_guard() {
    let body = GuardedBody::new(http_body_util::Full::<Bytes>::from("a"), None::<Watch>);
    assert!(format!("{body:?}").starts_with("GuardedBody { body: Some("), "{body:?}");
}
