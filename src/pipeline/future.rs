//! The response future: all steps in one.

mod phase;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use phase::{Phase, PhaseProj, Waited};

use super::Held;
use super::attempt::{Gate, Moment, Permits};
use super::steps::Steps;
use crate::deadline::{Deadline, later};
use crate::ends::{Discard, Ends};
use crate::error::{FromRejected, Rejected};
use crate::outcome::{Classify, judge};
use crate::patterns::oneshot::Oneshot;
use crate::patterns::retry::{Attempts, Next, Pause};
use crate::replay::Replay;
use crate::telemetry::Trace;

/// What one call has of its pipeline, whatever becomes of that.
pub(super) struct Settled<C, N, R> {
    pub(super) steps: Arc<Steps>,
    pub(super) classifier: C,
    pub(super) ends: N,
    pub(super) replay: R,
}

pin_project! {
    #[project = ResponseFutureProj]
    /// The response future of [`PipelineService`](super::PipelineService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Req, C, N, R>
    where
        R: Replay<Req>,
        S: Service<R::Attempt>,
        N: Discard<S::Response>,
    {
        // Declared, and so dropped, before the permits: the work ends before its places are free.
        #[pin]
        phase: Phase<S, R::Attempt, N::Rest>,
        // Made only when something keeps the call waiting.
        #[pin]
        timer: Option<Sleep>,
        permits: Permits,
        deadline: Option<Deadline>,
        attempts: Option<Attempts>,
        // Nothing where nothing is made again.
        kit: Option<R::Kit>,
        // Clones of it are made ready after a wait; nothing if there can be none.
        service: Option<S>,
        pipeline: Settled<C, N, R>,
        // What each attempt pays at the rate limiter.
        cost: u32,
        // Ends last.
        trace: Trace,
    }
}

impl<S, Req, C, N, R> ResponseFuture<S, Req, C, N, R>
where
    R: Replay<Req>,
    S: Service<R::Attempt> + Clone,
    N: Discard<S::Response>,
{
    #[inline]
    pub(super) fn new(ready: S, request: Req, pipeline: Settled<C, N, R>, cost: u32) -> Self {
        let trace = Trace::begin(&pipeline.steps.name);
        if trace.is_none() {
            return Self::begin(ready, request, pipeline, cost, trace);
        }
        Self::begin_traced(ready, request, pipeline, cost, trace)
    }

    #[cold]
    fn begin_traced(
        ready: S,
        request: Req,
        pipeline: Settled<C, N, R>,
        cost: u32,
        trace: Trace,
    ) -> Self {
        let _call = trace.enter_call();
        Self::begin(ready, request, pipeline, cost, trace)
    }

    // In both, so that the call that nobody traces is moved no more often than before.
    #[inline(always)]
    fn begin(
        mut ready: S,
        request: Req,
        pipeline: Settled<C, N, R>,
        cost: u32,
        mut trace: Trace,
    ) -> Self {
        let steps = &*pipeline.steps;
        let mut moment = Moment::default();
        let own = steps.deadline.map(|span| Deadline::at(later(moment.now(), span)));
        let deadline = Deadline::earlier(own, Deadline::current());
        // Known to the replay too, which may send it on.
        let entered = deadline.map(Deadline::enter);
        let mut permits = Permits::default();
        let (attempt, kit) = match &steps.retry {
            Some(_) => {
                let (attempt, kit) = pipeline.replay.first(request);
                (attempt, Some(kit))
            }
            None => (pipeline.replay.once(request), None),
        };

        let attempts = steps.retry.as_ref().map(crate::Retry::start);
        let gate = steps.enter(&mut permits, cost, deadline, false, moment);
        let service = (attempts.is_some() || !matches!(gate, Gate::Open)).then(|| ready.clone());
        let inner = permits.limit.map(Deadline::enter);
        // A ready instance that is not called now must not keep its place in the inner service.
        let traced = (&mut trace, &pipeline.replay);
        let call = move |attempt| Oneshot::calling(ready.call(attempt));
        let phase = Phase::behind::<Req, R>(gate, attempt, traced, call);
        drop((inner, entered));

        Self {
            phase,
            timer: None,
            permits,
            deadline,
            attempts,
            kit,
            service,
            pipeline,
            cost,
            trace,
        }
    }
}

impl<S, Req, C, N, R> Future for ResponseFuture<S, Req, C, N, R>
where
    R: Replay<Req>,
    S: Service<R::Attempt> + Clone,
    S::Error: FromRejected,
    C: Classify<Result<S::Response, S::Error>>,
    N: Ends<S::Response, Held> + Discard<S::Response>,
{
    type Output = Result<N::Out, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.trace.is_none() { self.advance(cx) } else { self.advance_traced(cx) }
    }
}

impl<S, Req, C, N, R> ResponseFuture<S, Req, C, N, R>
where
    R: Replay<Req>,
    S: Service<R::Attempt> + Clone,
    S::Error: FromRejected,
    C: Classify<Result<S::Response, S::Error>>,
    N: Ends<S::Response, Held> + Discard<S::Response>,
{
    #[cold]
    fn advance_traced(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<N::Out, S::Error>> {
        let _call = self.trace.enter_call();
        self.advance(cx)
    }

    #[inline(always)]
    fn advance(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<N::Out, S::Error>> {
        let mut this = self.project();
        // Whoever polls need not be whoever called: behind a buffer it is another task that calls.
        *this.deadline = Deadline::earlier(*this.deadline, Deadline::current());
        let deadline = *this.deadline;
        let _entered = deadline.map(Deadline::enter);
        loop {
            // Announced to the attempt alone: neither to the user's functions that judge it nor to the
            // next attempt.
            let limit = this.permits.limit.map(Deadline::enter);

            let result = match this.phase.as_mut().project() {
                PhaseProj::Calling { call } => match this.trace.in_attempt(|| call.poll(cx)) {
                    Poll::Ready(result) => {
                        // The call goes before its places do.
                        this.phase.set(Phase::Shut { rejected: None });
                        result
                    }
                    Poll::Pending => match this.poll_end(deadline, cx) {
                        Some(rejected) => Err(S::Error::from_rejected(rejected)),
                        None => return Poll::Pending,
                    },
                },
                _ => match this.poll_gate(deadline, cx) {
                    Waited::Over => continue,
                    Waited::Shut(rejected) => Err(S::Error::from_rejected(rejected)),
                    Waited::Late(rejected) => {
                        this.trace.reject(&rejected);
                        return Poll::Ready(Err(S::Error::from_rejected(rejected)));
                    }
                    Waited::Pending => return Poll::Pending,
                },
            };
            drop(limit);

            let Settled { steps, classifier, ends, replay } = &*this.pipeline;
            let verdict = judge(classifier, &result);
            this.trace.judged(&verdict, || Some(ends.describe(result.as_ref().ok()?)));
            let over = result.as_ref().map_or(true, |response| ends.is_over(response));
            let (measurement, pending, time_limit) = if over {
                steps.settle(this.permits, &result, &verdict);
                (None, None, None)
            } else {
                steps.settle_head(this.permits, &result, &verdict)
            };
            if let Some(attempts) = this.attempts {
                let mut next = None;
                let repeat = || {
                    next = this.kit.as_mut().and_then(|kit| replay.again(kit, &verdict));
                    next.is_some()
                };
                match attempts.judge(&verdict, result.is_err(), repeat) {
                    Next::Done => {}
                    Next::Fail(rejected) => {
                        this.trace.reject(&rejected);
                        drop(result);
                        *this.permits = Permits::default();
                        return Poll::Ready(Err(S::Error::from_rejected(rejected)));
                    }
                    Next::Wait(span) => {
                        // The response goes before its places do, but for what is left of it: that holds no
                        // place. The attempt's timer would only wake the task in the midst of the pause.
                        let rest = result.ok().and_then(|response| ends.discard(response));
                        this.timer.set(None);
                        *this.permits = Permits::default();
                        let pause = Pause::new(span, rest);
                        let yields = pause.is_none() && attempts.has_hurried();
                        this.phase.set(Phase::Pausing { pause, attempt: next });
                        if yields {
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                        continue;
                    }
                }
            }
            // The events of the bulkhead come last.
            let bulkhead = this.permits.bulkhead.take();
            let result = match (result, &*this.attempts) {
                (Err(error), Some(attempts)) => attempts.finish(Err(error)),
                (result, _) => result,
            };
            this.trace.finish(&verdict, &result);
            return Poll::Ready(match result {
                Ok(response) if over => {
                    drop(bulkhead);
                    Ok(ends.attach(response, None))
                }
                Ok(response) => {
                    let (steps, trace) = (steps.clone(), std::mem::take(this.trace));
                    let held =
                        Held { steps, measurement, pending, bulkhead, deadline, time_limit, trace };
                    Ok(ends.attach(response, (!held.is_empty()).then_some(held)))
                }
                Err(error) => Err(error),
            });
        }
    }
}

impl<S, Req, C, N, R> ResponseFutureProj<'_, S, Req, C, N, R>
where
    R: Replay<Req>,
    S: Service<R::Attempt> + Clone,
    N: Discard<S::Response>,
{
    /// Goes on with what stands before the call.
    #[cold]
    fn poll_gate(&mut self, deadline: Option<Deadline>, cx: &mut Context<'_>) -> Waited {
        let steps = &*self.pipeline.steps;
        let again = self.attempts.as_ref().is_some_and(|attempts| attempts.failed() > 0);
        let (gate, attempt) = match self.phase.as_mut().project() {
            PhaseProj::Limited { wait, attempt } => match wait.as_mut().poll(cx) {
                Poll::Ready(Ok(())) => (steps.enter_late(self.permits, deadline, again), attempt),
                Poll::Ready(Err(rejected)) => return self.shut(rejected),
                Poll::Pending => return self.waits(deadline, cx),
            },
            PhaseProj::Queued { wait, attempt } => match wait.as_mut().poll(cx) {
                Poll::Ready(Ok(permit)) => {
                    self.permits.bulkhead = Some(permit);
                    let gate = match steps.passed(deadline, again) {
                        Some(rejected) => Gate::Shut(rejected),
                        None => steps.open(self.permits, Moment::default()),
                    };
                    (gate, attempt)
                }
                Poll::Ready(Err(rejected)) => return self.shut(rejected),
                Poll::Pending => return self.waits(deadline, cx),
            },
            PhaseProj::Pausing { pause, attempt } => {
                let over = pause.as_mut().is_none_or(|pause| pause.as_mut().poll(cx).is_ready());
                // One that outlasts the call is given up, over or not.
                if !over || steps.passed(deadline, again).is_some() {
                    let Some(rejected) = self.poll_end(deadline, cx) else {
                        return Waited::Pending;
                    };
                    // There was no attempt that could be judged.
                    self.attempts.as_mut().expect("a retry made the pause").overtaken();
                    return Waited::Late(rejected);
                }
                let attempts = self.attempts.as_mut().expect("a retry made the pause");
                if let Err(rejected) = attempts.resume() {
                    self.phase.set(Phase::Shut { rejected: None });
                    return Waited::Late(rejected);
                }
                let moment = Moment::default();
                (steps.enter(self.permits, *self.cost, deadline, again, moment), attempt)
            }
            PhaseProj::Shut { rejected } => {
                return Waited::Shut(rejected.take().expect("polled again after completion"));
            }
            PhaseProj::Calling { .. } => unreachable!("no gate stands before a call"),
        };
        let attempt = attempt.take().expect("an attempt waits");
        let traced = (&mut *self.trace, &self.pipeline.replay);
        let phase = Phase::behind::<Req, R>(gate, attempt, traced, readying(self.service));
        self.phase.set(phase);
        Waited::Over
    }

    /// The wait is over, and in vain.
    fn shut(&mut self, rejected: Rejected) -> Waited {
        self.phase.set(Phase::Shut { rejected: None });
        Waited::Shut(rejected)
    }

    /// The wait goes on, if the time allows.
    fn waits(&mut self, deadline: Option<Deadline>, cx: &mut Context<'_>) -> Waited {
        self.poll_end(deadline, cx).map_or(Waited::Pending, Waited::Shut)
    }

    /// Ends what is under way once the attempt's time is over, or the whole call's.
    fn poll_end(&mut self, deadline: Option<Deadline>, cx: &mut Context<'_>) -> Option<Rejected> {
        let end = self.permits.earliest(deadline)?;
        if !has_passed(end.instant(), self.timer.as_mut(), cx) {
            return None;
        }
        let rejected = self.pipeline.steps.time_out(self.permits, deadline);
        // The work ends here, while the deadline that it missed is still announced.
        self.phase.set(Phase::Shut { rejected: None });
        Some(rejected)
    }
}

/// After a wait the call needs an instance of its own that is ready.
fn readying<S: Service<A> + Clone, A>(service: &Option<S>) -> impl FnOnce(A) -> Oneshot<S, A> {
    move |attempt| {
        let service = service.clone().expect("a service is kept wherever a wait is possible");
        Oneshot::readying(service, attempt)
    }
}

/// The clock has the last word: a timer is coarse, and may be held up by work that has used up the
/// task's budget.
fn has_passed(limit: Instant, mut timer: Pin<&mut Option<Sleep>>, cx: &mut Context<'_>) -> bool {
    if Instant::now() >= limit {
        return true;
    }
    if timer.as_ref().as_pin_ref().is_none_or(|timer| timer.deadline() != limit) {
        timer.set(Some(sleep_until(limit)));
    }
    timer.as_pin_mut().is_some_and(|timer| timer.poll(cx).is_ready())
}

impl<S, Req, C, N, R> fmt::Debug for ResponseFuture<S, Req, C, N, R>
where
    R: Replay<Req>,
    S: Service<R::Attempt>,
    N: Discard<S::Response>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("permits", &self.permits)
            .field("deadline", &self.deadline)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
