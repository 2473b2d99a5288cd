//! Over HTTP: to the end of the body.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use seawall::http::HttpClassifier;
use seawall::{Error, ErrorLayer, TimeLimitScope, TimeLimiter, TimeLimiterConfig};
use seawall::{TimeLimiterLayer, Timer, TimerLayer};
use tokio::time::{Sleep, advance, sleep};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

use crate::support::*;

/// Frames, each after its time.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    frames: VecDeque<(Duration, Result<Frame<Bytes>, io::ErrorKind>)>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Slow {
    pub(crate) fn data(mut self, after: Duration) -> Self {
        self.frames.push_back((after, Ok(Frame::data("half".into()))));
        self
    }

    pub(crate) fn trailers(mut self, after: Duration) -> Self {
        self.frames.push_back((after, Ok(Frame::trailers(HeaderMap::new()))));
        self
    }

    pub(crate) fn broken(mut self, after: Duration, kind: io::ErrorKind) -> Self {
        self.frames.push_back((after, Err(kind)));
        self
    }
}

impl Body for Slow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some((after, _)) = self.frames.front() else { return Poll::Ready(None) };
        let after = *after;
        let timer = self.sleep.get_or_insert_with(|| Box::pin(sleep(after)));
        ready!(timer.as_mut().poll(cx));
        self.sleep = None;
        let frame = self.frames.pop_front().map(|(_, frame)| frame.map_err(io::Error::from));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

pub(crate) fn answer(status: StatusCode, body: Slow) -> Response<Slow> {
    Response::builder().status(status).body(body).unwrap()
}

/// The head comes after 10 ms.
async fn ask(
    timer: &Timer,
    status: StatusCode,
    body: Slow,
) -> Response<impl Body<Data = Bytes, Error: std::fmt::Debug> + use<>> {
    let response = std::sync::Mutex::new(Some(answer(status, body)));
    let service = ServiceBuilder::new()
        .layer(TimerLayer::new(timer.clone()).http())
        .layer(ErrorLayer)
        .service(service_fn(async |_: Request<()>| {
            sleep(ms(10)).await;
            Ok::<_, io::Error>(response.lock().unwrap().take().unwrap())
        }));
    service.oneshot(Request::new(())).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_measures_to_the_end_of_the_body() {
    let timer = timer();
    let heard = listen(&timer);
    let response = ask(&timer, StatusCode::OK, Slow::default().data(ms(20)).data(ms(30))).await;
    assert_eq!((successes(&timer).0, heard().len()), (0, 1), "it has begun, and goes on");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "halfhalf");
    assert_eq!(successes(&timer), (1, ms(10 + 20 + 30)));
    assert_eq!((failures(&timer).len(), heard().len()), (0, 1));

    // A reader that takes its time is part of it; and trailers are an end.
    let response = ask(&timer, StatusCode::NOT_FOUND, Slow::default().trailers(ms(5))).await;
    advance(ms(500)).await;
    let mut body = Box::pin(response.into_body());
    assert!(body.frame().await.unwrap().unwrap().is_trailers());
    assert_eq!(successes(&timer), (2, ms(60 + 515)), "although the body is still there");
    drop(body);
    assert_eq!(successes(&timer).0, 2);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_is_a_failure_with_its_cause() {
    let timer = timer();
    let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::TimedOut, io::ErrorKind::Other];
    for kind in kinds {
        let body = Slow::default().data(ms(20)).broken(ms(30), kind);
        let response = ask(&timer, StatusCode::OK, body).await;
        response.into_body().collect().await.unwrap_err();
    }
    let expected = ["reset", "timeout", "other"].map(|tag| (tag, 1, ms(60)));
    assert_eq!(failures(&timer), expected);
    assert_eq!(successes(&timer).0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_dropped_half_way_is_a_success_until_then() {
    let timer = timer();
    let body = || Slow::default().data(ms(20)).data(ms(1_000));
    let response = ask(&timer, StatusCode::OK, body()).await;
    let mut body_half = Box::pin(response.into_body());
    assert!(body_half.frame().await.unwrap().is_ok());
    advance(ms(7)).await;
    drop(body_half);
    assert_eq!(successes(&timer), (1, ms(37)));
    // Of one that nobody read at all as well.
    drop(ask(&timer, StatusCode::OK, body()).await);
    assert_eq!(successes(&timer), (2, ms(47)));
    assert_eq!(failures(&timer), []);
}

#[tokio::test(start_paused = true)]
async fn a_bad_head_ends_the_call() {
    let timer = timer();
    let statuses = [(500, "500"), (503, "503"), (429, "429")];
    for (status, _) in statuses {
        let status = StatusCode::from_u16(status).unwrap();
        let response = ask(&timer, status, Slow::default().data(ms(700))).await;
        response.into_body().collect().await.unwrap();
    }
    assert_eq!(failures(&timer), statuses.map(|(_, tag)| (tag, 1, ms(10))));
    assert_eq!(successes(&timer).0, 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_body_a_call_ends_with_the_head() {
    let timer = timer();
    let mut kept = Vec::new();
    for (index, status) in [204, 304, 200].into_iter().enumerate() {
        kept.push(ask(&timer, StatusCode::from_u16(status).unwrap(), Slow::default()).await);
        assert_eq!(successes(&timer).0, index as u64 + 1, "{status}");
    }
    // What follows a switch of protocols is no body.
    let switched = StatusCode::SWITCHING_PROTOCOLS;
    kept.push(ask(&timer, switched, Slow::default().data(ms(9_000))).await);
    advance(ms(300)).await;
    assert_eq!(successes(&timer), (4, ms(40)));
    drop(kept);
    assert_eq!((successes(&timer).0, failures(&timer).len()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn with_the_classifier_alone_it_measures_to_the_head() {
    let timer = timer();
    let layer = TimerLayer::new(timer.clone()).classifier(HttpClassifier::default());
    let service = layer.layer(service_fn(async |status: StatusCode| {
        sleep(ms(10)).await;
        Ok::<_, Error<io::Error>>(answer(status, Slow::default().data(ms(500))))
    }));
    let response = service.clone().oneshot(StatusCode::OK).await.unwrap();
    assert_eq!(successes(&timer), (1, ms(10)));
    response.into_body().collect().await.unwrap();
    service.oneshot(StatusCode::BAD_GATEWAY).await.unwrap();
    assert_eq!((successes(&timer), failures(&timer)), ((1, ms(10)), vec![("502", 1, ms(10))]));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_client_is_a_failure_by_its_kind() {
    let timer = timer();
    let service = ServiceBuilder::new()
        .layer(TimerLayer::new(timer.clone()).http())
        .layer(ErrorLayer)
        .service(service_fn(async |_: Request<()>| {
            after(ms(10), Err::<Response<Slow>, _>(io::Error::from(io::ErrorKind::BrokenPipe)))
                .await
        }));
    assert!(service.oneshot(Request::new(())).await.is_err());
    assert_eq!(failures(&timer), [("reset", 1, ms(10))]);
}

/// As in a pipeline: what ends because a limit outside strikes is not a body that nobody wanted to read on.
#[tokio::test(start_paused = true)]
async fn a_limit_of_a_layer_outside_is_a_timeout_in_the_body_too() {
    let timer = timer();
    let config = TimeLimiterConfig::builder().timeout(ms(100)).scope(TimeLimitScope::WholeBody);
    let limiter = TimeLimiter::new("limit", config.build().unwrap());
    let service = ServiceBuilder::new()
        .layer(TimeLimiterLayer::new(limiter.clone()).http())
        .layer(TimerLayer::new(timer.clone()).http())
        .layer(ErrorLayer)
        .service(service_fn(async |_: Request<()>| {
            Ok::<_, io::Error>(answer(StatusCode::OK, Slow::default().data(ms(500))))
        }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert!(response.into_body().collect().await.unwrap_err().to_string().contains("given up"));
    assert_eq!(limiter.metrics().timeout, 1);
    assert_eq!((successes(&timer).0, failures(&timer)), (0, vec![("timeout", 1, ms(100))]));
}
