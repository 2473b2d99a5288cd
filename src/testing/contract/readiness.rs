//! What may be said of readiness alone.

use std::task::Poll;

use tower_layer::Layer;
use tower_service::Service;

use super::Rules;
use super::law::Law;
use super::probe::{Backend, Probe};
use super::stage::{Caller, Signal, unbounded};

pub(super) async fn clones_carry_nothing<M, F, L, Q, Req, A, Res>(
    make: &M,
    request: &Q,
    response: &A,
    rules: &Rules,
) where
    M: Fn() -> (L, F),
    Q: Fn() -> Req,
    A: Fn() -> Res + Clone + Send + Sync + 'static,
    L: Layer<Probe<Res>>,
    L::Service: Service<Req> + Clone,
{
    let (layer, _) = make();
    let backend = Backend::new(response.clone());
    backend.places(1);
    let scene = "one place, and a clone of a ready service";
    let mut original = layer.layer(backend.probe());
    demand_ready(&mut original, rules, &scene);

    let mut clone = original.clone();
    let signal = Signal::new();
    let first = poll_ready(&mut clone, &signal);
    rules.demand(first.is_pending(), Law::CleanClone, "it is ready with nothing in hand", &scene);
    drop(original);
    rules.demand(signal.is_woken(), Law::NoLostWake, "a place came free, and no wake", &scene);
    demand_ready(&mut clone, rules, &scene);

    // A clone of a service with a call under way.
    drop(clone);
    backend.places(usize::MAX);
    let mut caller = Caller::new(layer.layer(backend.probe()));
    caller.run(request).await;
    rules.demand(backend.misused() == 0, Law::ReadyInstance, "another one was called", &scene);
}

pub(super) async fn readiness_is_free<M, F, L, Q, Req, A, Res>(
    make: &M,
    request: &Q,
    response: &A,
    rules: &Rules,
) where
    M: Fn() -> (L, F),
    F: Fn() -> bool,
    Q: Fn() -> Req,
    A: Fn() -> Res + Clone + Send + Sync + 'static,
    L: Layer<Probe<Res>>,
    L::Service: Service<Req> + Clone,
{
    const MANY: usize = 64;
    let scene = "many services that are ready and are not called";

    let (layer, _) = make();
    let mut alone = Caller::new(layer.layer(Backend::new(response.clone()).probe()));
    let alone = alone.run(request).await;

    let (layer, is_free) = make();
    let backend = Backend::new(response.clone());
    let service = layer.layer(backend.probe());
    let mut many = vec![service.clone(); MANY];
    for service in many.iter_mut().chain([&mut service.clone()]) {
        // Asking again changes nothing.
        demand_ready(service, rules, &scene);
        demand_ready(service, rules, &scene);
    }
    rules.demand(backend.held() == MANY, Law::FreeReadiness, "they hold too many places", &scene);
    rules.demand(is_free(), Law::FreeReadiness, "something of the layer is taken", &scene);
    let among = Caller::new(service).run(request).await;
    let same = rules.may_panic || alone == among;
    rules.demand(same, Law::FreeReadiness, "a call fares differently among them", &scene);
    drop(many);
    rules.demand(backend.held() == 0, Law::FreeReadiness, "dropped, they hold places", &scene);
    rules.demand(is_free(), Law::FreeReadiness, "dropped, they have taken something", &scene);
}

fn poll_ready<S: Service<Req>, Req>(service: &mut S, signal: &Signal) -> Poll<bool> {
    let ready = unbounded(signal, |cx| service.poll_ready(cx));
    ready.map(|ready| ready.is_ok())
}

fn demand_ready<S: Service<Req>, Req>(service: &mut S, rules: &Rules, scene: &dyn std::fmt::Debug) {
    let ready = poll_ready(service, &Signal::new());
    let what = "not ready although the service inside is";
    rules.demand(ready.is_ready(), Law::FreeReadiness, what, scene);
    rules.demand(ready != Poll::Ready(false), Law::RefusalInCall, "`poll_ready` failed", scene);
}
