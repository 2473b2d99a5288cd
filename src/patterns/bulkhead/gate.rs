//! The word in its atomic, and the queue behind its lock. Knows neither time nor futures.
//!
//! As long as nobody is in line, coming and going is one compare-and-swap. The bit that says that
//! somebody is in line is set and cleared under the queue's lock only, and it is set in the same
//! swap that finds no place free: whoever leaves after that sees it and calls the next one.
//!
//! Where it is fair, the one who is called is in already: the place is handed over. Otherwise being
//! called is only advice to look, and a newcomer may be faster. As many are called as places are free.
//! Which of the two it is stands in the word too, for it can be changed; who was called keeps what that meant.

#[cfg(all(test, seawall_loom))]
mod loom;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use super::queue::{Queue, Standing};
use super::state::Word;
use crate::sync::{AtomicU64, Lock};

#[derive(Debug)]
pub(super) struct Gate {
    word: AtomicU64,
    queue: Lock<Queue>,
    /// So many may wait. Read and changed under the queue's lock.
    capacity: AtomicUsize,
}

/// What became of one who came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// It is in.
    In,
    /// It waits, with this ticket.
    InLine(usize),
    /// Too many wait already.
    Full,
}

impl Gate {
    pub(super) fn new(limit: u32, fair: bool, capacity: usize) -> Self {
        let word = AtomicU64::new(Word::new(limit).with_fair(fair).0);
        Self { word, queue: Lock::new(Queue::default()), capacity: AtomicUsize::new(capacity) }
    }

    pub(super) fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// Waiters that are neither in nor gone.
    pub(super) fn waiting(&self) -> usize {
        self.queue.lock().waiting()
    }

    // ## Coming

    /// Comes in if that is possible now.
    #[inline]
    pub(super) fn enter(&self) -> bool {
        self.update(Word::enter).is_some()
    }

    /// Comes in, or stands in line if there is room.
    pub(super) fn join(&self) -> Entry {
        let mut queue = self.queue.lock();
        if queue.waiting() >= self.capacity.load(Ordering::Relaxed) {
            return if self.enter() { Entry::In } else { Entry::Full };
        }
        if self.take_or_queue(Word::enter) { Entry::In } else { Entry::InLine(queue.join()) }
    }

    /// Is the waiter in by now? If not, `waker` is woken once it is called.
    pub(super) fn check(&self, ticket: usize, waker: &Waker) -> bool {
        // A waker is the executor's code: it is cloned and dropped while no lock is held.
        let waker = waker.clone();
        let mut queue = self.queue.lock();
        let standing = queue.standing(ticket);
        if standing == Standing::InLine {
            let spare = queue.set_waker(ticket, waker);
            drop(queue);
            drop(spare);
            return false;
        }
        let is_in = standing == Standing::In || self.take_or_queue(Word::take);
        if is_in {
            queue.leave(ticket);
            drop(queue);
        } else {
            queue.rejoin(ticket, waker);
        }
        is_in
    }

    /// The waiter's time is over. Is it in by now, so that it need not go?
    pub(super) fn withdraw(&self, ticket: usize) -> bool {
        let mut queue = self.queue.lock();
        let (standing, waker) = queue.leave(ticket);
        let is_in = match standing {
            Standing::In => true,
            Standing::Called => self.update(Word::take).is_some(),
            Standing::InLine => false,
        };
        self.note_line(&queue);
        drop(queue);
        drop(waker);
        is_in
    }

    // ## Going

    /// Leaves after having been in.
    #[inline]
    pub(super) fn leave(&self) {
        if self.update(Word::leave).is_none() {
            self.leave_to_next();
        }
    }

    #[cold]
    fn leave_to_next(&self) {
        let mut queue = self.queue.lock();
        self.update(|word| Some(word.give_back()));
        let called = self.call_next(&mut queue);
        drop(queue);
        wake(called);
    }

    /// The waiter goes without having looked again. What it was called for goes to the next one.
    pub(super) fn abandon(&self, ticket: usize) {
        let mut queue = self.queue.lock();
        let (standing, waker) = queue.leave(ticket);
        let mut called = None;
        if standing == Standing::In {
            self.update(|word| Some(word.give_back()));
        }
        if standing == Standing::InLine {
            self.note_line(&queue);
        } else {
            called = self.call_next(&mut queue);
        }
        drop(queue);
        drop(waker);
        wake(called);
    }

    // ## Other rules

    /// Lets so many in at once from now on, fairly or not, lets so many wait, and calls those who now have room. Whom to
    /// wake, once no lock is held.
    #[must_use]
    pub(super) fn set(&self, limit: u32, fair: bool, capacity: usize) -> Vec<Waker> {
        let mut wakers = Vec::new();
        let mut queue = self.queue.lock();
        self.capacity.store(capacity, Ordering::Relaxed);
        self.update(|word| Some(word.with_limit(limit).with_fair(fair)));
        // Those who were only called have not taken their places yet.
        let places = (self.word().available() as usize).saturating_sub(queue.called());
        for _ in 0..places {
            match self.call_next(&mut queue) {
                Some(called) => wakers.extend(called),
                None => break,
            }
        }
        wakers
    }

    // ## Parts

    /// Calls the first in line if there is a place for it.
    fn call_next(&self, queue: &mut Queue) -> Option<Option<Waker>> {
        let is_fair = self.word().is_fair();
        let has_place = !queue.is_empty()
            && if is_fair {
                self.update(Word::take).is_some()
            } else {
                self.word().available() > 0
            };
        let called = if has_place { queue.call(is_fair) } else { None };
        self.note_line(queue);
        called
    }

    /// Tells those who come and go without the lock whether somebody is in line.
    fn note_line(&self, queue: &Queue) {
        if queue.is_empty() == self.word().is_queued() {
            self.update(|word| Some(word.with_queued(!queue.is_empty())));
        }
    }

    /// Takes a place, or says in the same swap that somebody is in line. Needs the queue's lock.
    fn take_or_queue(&self, take: impl Fn(Word) -> Option<Word>) -> bool {
        let before = self.update(|word| take(word).or(Some(word.with_queued(true))));
        before.is_some_and(|word| take(word).is_some())
    }

    /// Applies a transition; gives the word before it.
    #[inline]
    fn update(&self, transition: impl Fn(Word) -> Option<Word>) -> Option<Word> {
        self.word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                transition(Word(word)).map(|word| word.0)
            })
            .ok()
            .map(Word)
    }
}

fn wake(called: Option<Option<Waker>>) {
    if let Some(Some(waker)) = called {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use proptest::prelude::*;

    use super::{Entry, Gate};

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Bell {
        fn rung(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    /// Stands in line and looks once.
    fn wait(gate: &Gate) -> (usize, Arc<Bell>) {
        let Entry::InLine(ticket) = gate.join() else { panic!("there was a place") };
        let bell = Arc::new(Bell::default());
        assert!(!gate.check(ticket, &bell.clone().into()));
        (ticket, bell)
    }

    fn full(limit: u32, fair: bool) -> Gate {
        let gate = Gate::new(limit, fair, usize::MAX);
        (0..limit).for_each(|_| assert!(gate.enter()));
        gate
    }

    #[test]
    fn a_place_is_handed_to_the_first_and_nobody_else_is_woken() {
        let gate = full(2, true);
        let (first, second) = (wait(&gate), wait(&gate));
        gate.leave();
        assert_eq!((first.1.rung(), second.1.rung()), (1, 0));
        assert_eq!((gate.word().in_flight(), gate.waiting()), (2, 1));
        assert!(!gate.enter(), "the place is taken before its new owner looks");
        assert!(gate.check(first.0, Waker::noop()));
    }

    #[test]
    fn only_the_latest_waker_is_woken() {
        let gate = full(1, true);
        let (ticket, old) = wait(&gate);
        let new = Arc::new(Bell::default());
        assert!(!gate.check(ticket, &new.clone().into()));
        gate.leave();
        assert_eq!((old.rung(), new.rung()), (0, 1));
        assert_eq!(Arc::strong_count(&old), 1, "the old one is not kept");
    }

    #[test]
    fn a_newcomer_may_be_faster_where_it_is_not_fair() {
        let gate = full(1, false);
        let (first, second) = (wait(&gate), wait(&gate));
        gate.leave();
        assert_eq!((first.1.rung(), second.1.rung()), (1, 0));
        assert!(gate.enter(), "the first was only woken");

        assert!(!gate.check(first.0, &first.1.clone().into()));
        gate.leave();
        assert_eq!((first.1.rung(), second.1.rung()), (2, 0), "it has kept its turn");
        assert!(gate.check(first.0, Waker::noop()));
    }

    #[test]
    fn nobody_is_called_for_a_place_that_is_gone() {
        let gate = full(1, false);
        let (first, second) = (wait(&gate), wait(&gate));
        gate.leave();
        assert!(gate.enter(), "the first was only woken");
        gate.abandon(first.0);
        assert_eq!(second.1.rung(), 0);
        gate.leave();
        assert_eq!(second.1.rung(), 1);
    }

    #[test]
    fn one_who_goes_passes_on_what_it_was_called_for() {
        for fair in [true, false] {
            let gate = full(1, fair);
            let (first, second) = (wait(&gate), wait(&gate));
            gate.leave();
            gate.abandon(first.0);
            assert_eq!(second.1.rung(), 1);
            assert!(gate.check(second.0, Waker::noop()));
            gate.leave();
            assert_eq!((gate.word().in_flight(), gate.waiting()), (0, 0));
            assert!(gate.enter(), "the way without the lock is open again");
        }
    }

    #[test]
    fn one_whose_time_is_over_keeps_the_place_that_it_was_handed() {
        for fair in [true, false] {
            let gate = full(1, fair);
            let (first, second) = (wait(&gate), wait(&gate));
            gate.leave();
            assert!(gate.withdraw(first.0));
            assert!(!gate.withdraw(second.0));
            assert_eq!((gate.word().in_flight(), gate.waiting()), (1, 0));
        }
    }

    #[test]
    fn no_more_wait_than_there_is_room_for() {
        for fair in [true, false] {
            let gate = Gate { capacity: 1.into(), ..full(1, fair) };
            let first = wait(&gate);
            assert_eq!(gate.join(), Entry::Full);
            gate.leave();
            if fair {
                // It is in already, though it does not know.
                let second = wait(&gate);
                assert_eq!(gate.join(), Entry::Full);
                gate.abandon(second.0);
            } else {
                // Called, but not in: it waits, and the place is anybody's.
                assert_eq!(gate.join(), Entry::In);
                assert_eq!(gate.join(), Entry::Full);
                gate.leave();
            }
            assert!(gate.check(first.0, Waker::noop()));
            wait(&gate);
            assert_eq!(gate.join(), Entry::Full);
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Enter,
        Join,
        Leave,
        Check(usize),
        Abandon(usize),
        Withdraw(usize),
        Set(u32, bool, usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            2 => Just(Step::Enter),
            4 => Just(Step::Join),
            4 => Just(Step::Leave),
            3 => (0..8_usize).prop_map(Step::Check),
            1 => (0..8_usize).prop_map(Step::Abandon),
            1 => (0..8_usize).prop_map(Step::Withdraw),
            1 => (0..6_u32, any::<bool>(), capacity()).prop_map(|(limit, fair, room)| Step::Set(limit, fair, room)),
        ];
        proptest::collection::vec(step, 0..200)
    }

    fn capacity() -> impl Strategy<Value = usize> {
        prop_oneof![Just(usize::MAX), 0..4_usize]
    }

    proptest! {
        #[test]
        fn no_place_stays_free_unnoticed(
            fair: bool,
            limit in 0..6_u32,
            capacity in capacity(),
            steps in steps(),
        ) {
            let gate = Gate::new(limit, fair, capacity);
            let mut capacity = capacity;
            let (mut inside, mut waiters) = (0_u32, Vec::new());
            for step in steps {
                match step {
                    Step::Enter => inside += u32::from(gate.enter()),
                    Step::Join => {
                        let waiting = gate.waiting();
                        match gate.join() {
                            Entry::In => inside += 1,
                            Entry::InLine(ticket) => {
                                prop_assert!(waiting < capacity);
                                waiters.push(ticket);
                            }
                            Entry::Full => prop_assert!(waiting >= capacity),
                        }
                    }
                    Step::Leave if inside > 0 => {
                        gate.leave();
                        inside -= 1;
                    }
                    Step::Check(n)
                        if n < waiters.len() && gate.check(waiters[n], Waker::noop()) =>
                    {
                        waiters.remove(n);
                        inside += 1;
                    }
                    Step::Abandon(n) if n < waiters.len() => gate.abandon(waiters.remove(n)),
                    Step::Withdraw(n) if n < waiters.len() => {
                        inside += u32::from(gate.withdraw(waiters.remove(n)));
                    }
                    Step::Set(limit, fair, room) => {
                        drop(gate.set(limit, fair, room));
                        capacity = room;
                    }
                    _ => {}
                }
                let word = gate.word();
                let (line, called) = {
                    let queue = gate.queue.lock();
                    (queue.in_line(), queue.called())
                };
                prop_assert_eq!(word.is_queued(), line > 0);
                prop_assert_eq!(line + called, gate.waiting());
                let in_unknowingly = waiters.len() - line - called;
                prop_assert_eq!(word.in_flight() as usize, inside as usize + in_unknowingly);
                prop_assert!(line == 0 || called >= word.available() as usize);
            }
            waiters.into_iter().for_each(|ticket| gate.abandon(ticket));
            (0..inside).for_each(|_| gate.leave());
            prop_assert_eq!((gate.word().in_flight(), gate.waiting()), (0, 0));
        }
    }
}
