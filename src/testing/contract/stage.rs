//! Plays a scene: polls whom somebody woke, and looks at the books after every step.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use tower_layer::Layer;
use tower_service::Service;

use super::Rules;
use super::law::Law;
use super::probe::{Act, Backend, End, Probe};
use super::scene::Scene;
use crate::deadline::Deadline;

/// Whoever is not woken in this time never will be.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a slow backend takes for a step.
const SLOW: Duration = Duration::from_millis(100);

/// Plays the scene, and says how many steps each caller took.
pub(super) async fn play<M, F, L, Q, Req, A, Res>(
    make: &M,
    request: &Q,
    response: &A,
    rules: &Rules,
    scene: Scene,
) -> Vec<usize>
where
    M: Fn() -> (L, F),
    F: Fn() -> bool,
    Q: Fn() -> Req,
    A: Fn() -> Res + Clone + Send + Sync + 'static,
    L: Layer<Probe<Res>>,
    L::Service: Service<Req> + Clone,
{
    let (layer, is_free) = make();
    let backend = Backend::new(response.clone());
    backend.script(scene.script.0, scene.script.1);
    backend.places(scene.places);
    backend.late_readiness(scene.late_readiness);
    let service = layer.layer(backend.probe());

    let callers = (0..scene.callers).map(|_| Caller::new(service.clone())).collect();
    let mut stage = Stage { callers, backend, rules, scene };
    stage.run(request).await;
    stage.close(&is_free);
    let steps = stage.callers.iter().map(|caller| caller.steps).collect();

    let Stage { backend, .. } = stage;
    if rules.refuses {
        let refused = backend.calls() == 0;
        rules.demand(refused, Law::RefusalInCall, "a call went through", &scene);
    }
    backend.script(&[], Act { pendings: 0, end: End::Answer });
    backend.places(1);
    backend.late_readiness(0);
    tokio::time::sleep(rules.recovers_after).await;
    let passed = Caller::new(service).run(request).await;
    let expected = if rules.refuses { Ending::Failed } else { Ending::Answered };
    let fine = rules.may_panic || passed == expected;
    rules.demand(fine, ending_law(&scene, &backend), "the next call fares differently", &scene);
    rules.demand(is_free(), Law::EndGivesBack, "the last call has left something", &scene);
    steps
}

struct Stage<'a, S: Service<Req>, Req, Res> {
    callers: Vec<Caller<S, Req>>,
    backend: Backend<Res>,
    rules: &'a Rules,
    scene: Scene,
}

impl<S: Service<Req>, Req, Res> Stage<'_, S, Req, Res> {
    async fn run(&mut self, request: &impl Fn() -> Req) {
        let notify = Arc::new(Notify::new());
        for index in 0..self.callers.len() {
            self.callers[index].notify = Some(notify.clone());
            self.leave(index, false);
        }
        let mut rested = false;
        loop {
            if self.step_those(Caller::is_due, request) {
                rested = false;
                continue;
            }
            if self.callers.iter().all(|caller| caller.ending.is_some()) {
                return;
            }
            if !rested && self.scene.spurious {
                rested = true;
                self.step_those(|_| true, request);
            } else if !rested && self.scene.slow {
                rested = true;
                let _ = timeout(SLOW, notify.notified()).await;
            } else if self.backend.release() {
                rested = false;
            } else if timeout(PATIENCE, notify.notified()).await.is_err() {
                self.demand(false, Law::NoLostWake, "nobody wakes the callers that are left");
                return;
            }
        }
    }

    /// Lets those that still run and are meant take a step. Was there one?
    fn step_those(
        &mut self,
        meant: impl Fn(&Caller<S, Req>) -> bool,
        request: &impl Fn() -> Req,
    ) -> bool {
        let mut any = false;
        for index in 0..self.callers.len() {
            if self.callers[index].ending.is_some() || !meant(&self.callers[index]) {
                continue;
            }
            any = true;
            if !self.leave(index, true) {
                self.step(index, request);
                self.leave(index, false);
            }
            self.look();
        }
        any
    }

    fn step(&mut self, index: usize, request: &impl Fn() -> Req) {
        let panics = self.backend.panicked();
        let deadline = Deadline::current();
        let caller = &mut self.callers[index];
        let pending = caller.step(request, self.scene.keep);
        let self_woken = pending && caller.signal.is_woken();
        let may_panic = self.rules.may_panic || self.backend.panicked() > panics;
        let own_panic = !may_panic && caller.ending == Some(Ending::Panicked);
        let refused = caller.ending == Some(Ending::NotReady);
        self.demand(!self_woken, Law::NoSelfWake, "pending, it has woken its own task");
        self.demand(!own_panic, Law::PanicGivesBack, "it panics by itself");
        self.demand(!refused, Law::RefusalInCall, "`poll_ready` failed");
        self.demand(Deadline::current() == deadline, Law::DeadlineStays, "it is another one");
    }

    /// Is it time for this caller to leave? Then it does.
    fn leave(&mut self, index: usize, woken: bool) -> bool {
        let caller = &mut self.callers[index];
        let is_time = self.scene.exit.is_some_and(|exit| {
            exit.caller == index && exit.step == caller.steps && exit.woken == woken
        });
        if is_time && caller.ending.is_none() {
            let deadline = Deadline::current();
            caller.leave();
            self.demand(Deadline::current() == deadline, Law::DeadlineStays, "dropped, it differs");
        }
        is_time
    }

    /// Looks at the probe's books.
    fn look(&self) {
        self.demand(self.backend.misused() == 0, Law::ReadyInstance, "another one was called");
        let ready = self.callers.iter().filter(|caller| caller.is_ready()).count();
        let kept = self.callers.iter().filter(|caller| caller.has_been_called()).count();
        let excess = self.backend.held().saturating_sub(ready);
        self.demand(excess <= kept, Law::WaitHoldsNothing, "a place is taken and not used");
        self.demand(excess == 0, Law::CallSpendsReadiness, "a place is still taken");
    }

    /// All callers have an ending: nothing may be left, first of the calls, then of the futures.
    fn close(&mut self, is_free: &dyn Fn() -> bool) {
        let law = ending_law(&self.scene, &self.backend);
        self.look();
        self.demand(self.backend.live() == 0, law, "a call is still alive");
        self.demand(is_free(), law, "something of the layer is still taken");
        // Once is enough: those who stay end the same whether somebody else has left or not, and each such poll may be a
        // panic with a backtrace.
        let callers = self.callers.iter_mut().filter(|_| self.scene.exit.is_none());
        for caller in callers {
            if let Some(what) = caller.poll_after_the_end() {
                self.rules.broken(Law::AfterTheEnd, &what, &self.scene);
            }
        }
        self.callers.iter_mut().for_each(Caller::clear);
        self.demand(self.backend.live() == 0, law, "a call is alive without its future");
        self.demand(self.backend.held() == 0, law, "a place is still taken at the end");
        self.demand(is_free(), law, "something of the layer is still taken at the end");
    }

    fn demand(&self, holds: bool, law: Law, what: &str) {
        self.rules.demand(holds, law, what, &self.scene);
    }
}

/// Which law it is that forbids a rest depends on what has happened.
fn ending_law<Res>(scene: &Scene, backend: &Backend<Res>) -> Law {
    if scene.exit.is_some() {
        Law::DropGivesBack
    } else if backend.panicked() > 0 {
        Law::PanicGivesBack
    } else {
        Law::EndGivesBack
    }
}

/// How it went for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Answered,
    Failed,
    NotReady,
    Panicked,
    Left,
}

/// Someone who readies a service, calls it, and waits for the response.
pub(super) struct Caller<S: Service<Req>, Req> {
    service: Option<S>,
    future: Option<Pin<Box<S::Future>>>,
    is_ready: bool,
    /// It has something to do, whether somebody wakes it or not.
    is_due: bool,
    /// Of the last poll: no other waker counts.
    signal: Signal,
    notify: Option<Arc<Notify>>,
    steps: usize,
    ending: Option<Ending>,
}

impl<S: Service<Req>, Req> Caller<S, Req> {
    pub(super) fn new(service: S) -> Self {
        Self {
            service: Some(service),
            future: None,
            is_ready: false,
            is_due: true,
            signal: Signal::new(),
            notify: None,
            steps: 0,
            ending: None,
        }
    }

    /// Plays alone.
    pub(super) async fn run(&mut self, request: &impl Fn() -> Req) -> Ending {
        let notify = Arc::new(Notify::new());
        self.notify = Some(notify.clone());
        loop {
            if let Some(ending) = self.ending {
                self.clear();
                return ending;
            }
            if !self.is_due() {
                let woken = timeout(PATIENCE, notify.notified()).await;
                assert!(woken.is_ok(), "contract broken: {}: alone, it hangs", Law::NoLostWake);
            }
            let deadline = Deadline::current();
            self.step(request, false);
            let stays = Deadline::current() == deadline;
            assert!(stays, "contract broken: {}: after a step it is another", Law::DeadlineStays);
        }
    }

    fn is_due(&self) -> bool {
        self.is_due || self.signal.is_woken()
    }

    fn is_ready(&self) -> bool {
        self.is_ready && self.service.is_some()
    }

    fn has_been_called(&self) -> bool {
        !self.is_ready && self.service.is_some() && self.future.is_some()
    }

    /// The next step, whatever it is. Is it pending now?
    fn step(&mut self, request: &impl Fn() -> Req, keep: bool) -> bool {
        self.steps += 1;
        self.signal = Signal(Arc::new(Flag { notify: self.notify.clone(), ..Flag::default() }));
        match catch_unwind(AssertUnwindSafe(|| self.advance(request, keep))) {
            Ok(Poll::Pending) => self.is_due = false,
            Ok(Poll::Ready(ending)) => {
                self.is_due = true;
                self.ending = ending;
            }
            Err(_) => {
                self.ending = Some(Ending::Panicked);
                self.clear();
            }
        }
        !self.is_due
    }

    fn advance(&mut self, request: &impl Fn() -> Req, keep: bool) -> Poll<Option<Ending>> {
        if let Some(future) = &mut self.future {
            let result = unbounded(&self.signal, |cx| future.as_mut().poll(cx));
            return result.map(|result| Some(Ending::of(&result)));
        }
        let service = self.service.as_mut().expect("it is there until it was called");
        if self.is_ready {
            self.is_ready = false;
            self.future = Some(Box::pin(service.call(request())));
            if !keep {
                self.service = None;
            }
            return Poll::Ready(None);
        }
        unbounded(&self.signal, |cx| service.poll_ready(cx)).map(|ready| {
            self.is_ready = ready.is_ok();
            ready.is_err().then_some(Ending::NotReady)
        })
    }

    fn leave(&mut self) {
        self.clear();
        self.ending = Some(Ending::Left);
    }

    fn clear(&mut self) {
        self.future = None;
        self.service = None;
    }

    /// What is wrong with a future that is polled although it has ended.
    fn poll_after_the_end(&mut self) -> Option<String> {
        let future = self.future.as_mut()?;
        let again = || unbounded(&Signal::new(), |cx| future.as_mut().poll(cx)).is_ready();
        match catch_unwind(AssertUnwindSafe(again)) {
            Ok(true) => None,
            Ok(false) => Some("it is pending for ever".to_owned()),
            Err(panic) => {
                let said = message(&*panic);
                let clear = said.contains("complet");
                (!clear).then(|| format!("the panic does not tell of the completion: {said}"))
            }
        }
    }
}

impl Ending {
    const fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Answered } else { Self::Failed }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or_default()
}

/// Notes that it was woken.
#[derive(Clone, Debug)]
pub(super) struct Signal(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    woken: AtomicBool,
    notify: Option<Arc<Notify>>,
}

impl Signal {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    pub(super) fn is_woken(&self) -> bool {
        self.0.woken.load(Ordering::SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        if let Some(notify) = &self.notify {
            notify.notify_one();
        }
    }
}

/// Polls once. Outside tokio's budget, the end of which looks like a self-wake.
pub(super) fn unbounded<T>(
    signal: &Signal,
    poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    let waker = Waker::from(signal.0.clone());
    let poll = pin!(tokio::task::unconstrained(poll_fn(poll)));
    poll.poll(&mut Context::from_waker(&waker))
}
