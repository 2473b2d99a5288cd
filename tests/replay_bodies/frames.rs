//! The body by itself, frame by frame.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use proptest::prelude::*;
use seawall::http::ReplayBody;
use tokio_test::{assert_pending, assert_ready, task};

use super::script::{Attempt, Does, Script, Sent, data, trailers};

const LIMIT: usize = 64 * 1024;

fn first(
    steps: impl IntoIterator<Item = Does>,
    limit: usize,
) -> (Attempt<Script>, seawall::http::BodyKit<Script>) {
    let (first, kit) = ReplayBody::first(Script::new(steps, false), limit);
    (Attempt::new(first), kit)
}

fn sent(data: &str) -> Sent {
    Sent { data: data.into(), end: Some(Ok(())), ..Sent::default() }
}

#[test]
fn a_second_attempt_sends_what_the_first_one_sent() {
    let (first, mut kit) = first([data("one "), data("two"), Does::Trailers(7)], LIMIT);
    let wanted = Sent { trailers: vec![trailers(7)], ..sent("one two") };
    assert_eq!(first.finish(), wanted);
    for _ in 0..3 {
        assert_eq!(Attempt::new(kit.again().unwrap()).finish(), wanted);
    }
}

#[test]
fn a_second_attempt_goes_on_where_the_first_one_stopped() {
    for stop in 0..5 {
        let steps = [data("one "), Does::Stay, data("two "), data("three")];
        let (mut first, mut kit) = first(steps, LIMIT);
        (0..stop).for_each(|_| first.step());
        drop(first);
        let second = Attempt::new(kit.again().unwrap());
        assert_eq!(second.finish(), sent("one two three"), "stopped after {stop}");
    }
}

#[test]
fn an_attempt_that_is_still_there_is_cut_off_with_an_error_once_the_next_one_begins() {
    let (mut first, mut kit) = first([data("one "), data("two")], LIMIT);
    first.step();
    let mut second = Attempt::new(kit.again().unwrap());
    second.step();
    let first = first.finish();
    assert_eq!(first.data, b"one ");
    assert_eq!(first.end, Some(Err("the attempt was given up for a later one".to_owned())));
    assert_eq!(second.finish(), sent("one two"));
}

#[test]
fn an_attempt_waits_while_the_next_one_stands_by_and_goes_on_if_that_is_never_made() {
    let (first, mut kit) = first([data("one "), data("two "), data("three")], 70);
    let mut body = task::spawn(first.body);
    assert_ready!(body.enter(|cx, mut body| body.as_mut().poll_frame(cx)));
    let second = kit.again().unwrap();
    // It would be over the limit with the next frame, and the second attempt impossible.
    assert_pending!(body.enter(|cx, mut body| body.as_mut().poll_frame(cx)));
    assert!(!body.is_woken());
    drop(second);
    assert!(body.is_woken());
    assert_ready!(body.enter(|cx, mut body| body.as_mut().poll_frame(cx)));
    assert!(kit.again().is_none());
    let rest = Attempt { body: body.into_inner(), sent: Sent::default() };
    assert_eq!(rest.finish().data, b"three");
}

#[test]
fn an_attempt_that_waits_for_its_own_body_hears_that_it_is_superseded() {
    let (first, mut kit) = first([Does::Stay, data("all of it")], LIMIT);
    let mut body = task::spawn(first.body);
    assert_pending!(body.enter(|cx, mut body| body.as_mut().poll_frame(cx)));
    let second = Attempt::new(kit.again().unwrap());
    assert!(!body.is_woken());
    assert_eq!(second.finish(), sent("all of it"));
    assert!(body.is_woken(), "its connection would hang for ever");
    let polled = assert_ready!(body.enter(|cx, mut body| body.as_mut().poll_frame(cx)));
    polled.unwrap().unwrap_err();
}

#[test]
fn what_is_larger_than_the_limit_is_sent_once_and_not_kept() {
    let frame = || Does::Data(Bytes::from(vec![b'.'; 1000]));
    let (mut first, mut kit) = first([frame(), frame(), frame()], 2000);
    first.step();
    first.step();
    assert!(kit.again().is_some());
    first.step();
    assert!(kit.again().is_none());
    assert_eq!(first.finish().data, vec![b'.'; 3000]);
}

#[test]
fn what_is_kept_is_freed_as_soon_as_it_is_of_no_use() {
    let piece = || Bytes::from(vec![b'.'; 1000]);
    // Over the limit …
    let pieces = [piece(), piece(), piece()];
    let (mut attempt, kit) = first(pieces.clone().map(Does::Data), 2000);
    (0..2).for_each(|_| attempt.step());
    assert!(pieces[..2].iter().all(|piece| !piece.is_unique()));
    attempt.step();
    assert!(pieces.iter().all(Bytes::is_unique));
    drop(kit);
    // … with the end of the call …
    let pieces = [piece(), piece(), piece()];
    let (mut attempt, kit) = first(pieces.clone().map(Does::Data), LIMIT);
    (0..2).for_each(|_| attempt.step());
    drop(kit);
    assert!(pieces[..2].iter().all(Bytes::is_unique));
    assert_eq!(attempt.finish().data.len(), 3000);
    // … or once a later attempt has sent it.
    let pieces = [piece(), piece(), piece()];
    let (mut attempt, mut kit) = first(pieces.clone().map(Does::Data), LIMIT);
    (0..2).for_each(|_| attempt.step());
    let mut second = Attempt::new(kit.again().unwrap());
    drop(attempt);
    second.step();
    drop(kit);
    assert!(!pieces[1].is_unique());
    second.step();
    assert!(pieces[..2].iter().all(Bytes::is_unique));
    assert_eq!(second.finish().data.len(), 3000);
    // When the original breaks.
    let pieces = [piece()];
    let (mut attempt, _kit) = first([Does::Data(pieces[0].clone()), Does::Fail], LIMIT);
    attempt.step();
    assert!(!pieces[0].is_unique());
    attempt.step();
    assert!(pieces[0].is_unique());
}

#[test]
fn a_body_that_says_that_it_is_too_large_is_not_even_begun_to_be_kept() {
    let steps = (0..10).map(|_| Does::Data(Bytes::from(vec![b'.'; 1000])));
    let (first, mut kit) = ReplayBody::first(Script::new(steps, true), 9_999);
    let mut first = Attempt::new(first);
    assert!(kit.again().is_some());
    first.step();
    assert!(kit.again().is_none());
    assert_eq!(first.finish().data.len(), 10_000);
}

#[test]
fn tiny_frames_count_for_more_and_empty_ones_for_nothing() {
    let tiny = |n| (0..n).map(|_| data("."));
    let (body, mut kit) = first(tiny(10), 640);
    body.finish();
    assert!(kit.again().is_some());
    let (body, mut kit) = first(tiny(11), 640);
    body.finish();
    assert!(kit.again().is_none());
    let (body, mut kit) = first((0..5000).map(|_| data("")), 0);
    body.finish();
    assert_eq!(Attempt::new(kit.again().unwrap()).finish(), sent(""));
}

#[test]
fn an_error_of_the_body_is_passed_on_as_it_is_and_ends_replay() {
    let (mut first, mut kit) = first([data("one"), Does::Fail], LIMIT);
    first.step();
    let error = task::spawn(()).enter(|cx, _| first.body.as_mut().poll_frame(cx));
    let error = assert_ready!(error).unwrap().unwrap_err();
    let error = error.downcast_ref::<io::Error>().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert!(kit.again().is_none());
    assert!(first.body.is_end_stream());
}

#[test]
fn a_body_that_panics_is_lost_but_nobody_waits_for_it() {
    let (mut first, mut kit) = first([data("one"), Does::Panic], LIMIT);
    first.step();
    catch_unwind(AssertUnwindSafe(|| first.step())).unwrap_err();
    assert!(kit.again().is_none());
    assert!(first.finish().end.unwrap().is_err());
}

#[test]
fn the_length_is_the_originals_in_every_attempt() {
    let (first, mut kit) = ReplayBody::first(Full::new(Bytes::from("all of it")), LIMIT);
    let mut first = Attempt::new(first);
    assert_eq!(first.sent.length, Some(9));
    first.step();
    assert_eq!(first.body.size_hint().exact(), Some(0));
    let second = Attempt::new(kit.again().unwrap());
    assert_eq!(second.finish(), Sent { length: Some(9), ..sent("all of it") });
    // A stream that was sent in chunks is sent in chunks again, with its trailers.
    let (first, mut kit) = ReplayBody::first(Script::new([data("some")], false), LIMIT);
    Attempt::new(first).finish();
    let again = kit.again().unwrap();
    assert_eq!(again.size_hint().exact(), None);
    assert!(!again.is_end_stream());
}

#[test]
fn an_empty_body_stays_empty() {
    let (first, mut kit) = ReplayBody::first(Empty::<Bytes>::new(), LIMIT);
    for body in [first, kit.again().unwrap(), kit.again().unwrap()] {
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
    }
}

#[test]
fn a_body_sent_once_is_as_if_it_were_not_wrapped() {
    let script = Script::new([data("one"), Does::Trailers(1)], true);
    let polls = script.polls.clone();
    let body = ReplayBody::once(script);
    assert_eq!(body.size_hint().exact(), Some(3));
    let sent = Attempt::new(body).finish();
    assert_eq!((sent.data, sent.trailers), (b"one".to_vec(), vec![trailers(1)]));
    assert_eq!(polls.load(Ordering::Relaxed), 2);
}

/// Attempts on other threads: the one before is in the midst of a poll when the next one begins.
#[test]
fn an_attempt_waits_for_the_original_while_another_thread_polls_it() {
    use std::sync::mpsc;

    struct Slow(mpsc::Receiver<&'static str>, mpsc::Sender<()>);
    impl Body for Slow {
        type Data = Bytes;
        type Error = io::Error;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, io::Error>>> {
            self.1.send(()).unwrap();
            let frame = self.0.recv().ok().map(Bytes::from).map(http_body::Frame::data);
            std::task::Poll::Ready(frame.map(Ok))
        }
    }

    let ((send, receive), (began, begun)) = (mpsc::channel(), mpsc::channel());
    let (first, mut kit) = ReplayBody::first(Slow(receive, began), LIMIT);
    let mut first = Attempt::new(first);
    let polling = std::thread::spawn(move || {
        first.step();
        first
    });
    begun.recv().unwrap();
    let second = Attempt::new(kit.again().unwrap());
    let mut body = task::spawn(second.body);
    assert_pending!(body.enter(|cx, mut body| body.as_mut().poll_frame(cx)));
    assert!(!body.is_woken());
    send.send("one").unwrap();
    let first = polling.join().unwrap();
    assert!(body.is_woken());
    let frame = assert_ready!(body.enter(|cx, mut body| body.as_mut().poll_frame(cx)));
    assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "one");
    assert!(first.finish().end.unwrap().is_err());
    send.send("two").unwrap();
    drop(send);
    let rest = Attempt { body: body.into_inner(), sent: Sent::default() };
    assert_eq!(rest.finish().data, b"two");
}

#[tokio::test]
async fn bodies_of_any_erasure_fit() {
    let boxed = Full::new(Bytes::from("all")).boxed();
    let (first, mut kit) = ReplayBody::first(boxed, LIMIT);
    first.collect().await.unwrap();
    assert_eq!(kit.again().unwrap().collect().await.unwrap().to_bytes(), "all");
    fn is_send<T: Send + 'static>(_: &T) {}
    fn is_sync<T: Sync>(_: &T) {}
    is_send(&kit);
    is_sync(&kit.again());
}

// ## Any body, any limit, any cut

fn step() -> impl Strategy<Value = Does> {
    prop_oneof![
        6 => (0_usize..300).prop_map(|n| Does::Data(Bytes::from(vec![n as u8; n]))),
        2 => Just(Does::Stay),
        1 => (0_u8..9).prop_map(Does::Trailers),
        1 => Just(Does::Fail),
    ]
}

#[derive(Clone, Debug)]
struct Cut {
    /// Polls that the attempt gets before the next one is made.
    polls: usize,
    /// Is it dropped by then, before that one is polled, or still polled afterwards?
    former: u8,
}

fn cut() -> impl Strategy<Value = Cut> {
    (0_usize..12, 0_u8..3).prop_map(|(polls, former)| Cut { polls, former })
}

proptest! {
    #[test]
    fn whatever_happened_before_an_attempt_sends_the_whole_or_there_is_none(
        steps in prop::collection::vec(step(), 0..10),
        honest: bool,
        limit in 0_usize..2000,
        cuts in prop::collection::vec(cut(), 0..5),
    ) {
        let wanted = Attempt::new(ReplayBody::once(Script::new(steps.clone(), honest))).finish();
        let (first, mut kit) = ReplayBody::first(Script::new(steps.clone(), honest), limit);
        let mut attempt = Attempt::new(first);
        let mut former = Vec::new();
        let mut given_up = false;
        for Cut { polls, former: kind } in cuts {
            (0..polls).for_each(|_| attempt.step());
            // Nothing but a body over the limit, or a broken one, ends replay.
            let cost = |step: &Does| match step {
                Does::Data(data) if data.is_empty() => 0,
                Does::Data(data) => data.len().max(64),
                Does::Trailers(_) => 69,
                _ => 0,
            };
            let cost = steps.iter().map(cost).sum::<usize>();
            let Some(again) = kit.again() else {
                prop_assert!(cost > limit || steps.contains(&Does::Fail));
                given_up = true;
                break;
            };
            let next = Attempt::new(again);
            prop_assert_eq!(next.sent.length, wanted.length);
            let before = std::mem::replace(&mut attempt, next);
            match kind {
                0 => drop(before),
                1 => {
                    attempt.step();
                    drop(before);
                }
                _ => former.push(before),
            }
            for former in &mut former {
                former.step();
            }
        }
        let last = attempt.finish();
        prop_assert_eq!(last, wanted.clone());
        if !given_up {
            drop(kit);
        }
        // None that was given up has sent anything else, or looks as if it were whole.
        for former in former {
            let had_ended = former.sent.end.is_some();
            let former = former.finish();
            prop_assert!(wanted.data.starts_with(&former.data));
            prop_assert!(had_ended || former.end.unwrap().is_err() || wanted.data == former.data);
        }
    }
}
