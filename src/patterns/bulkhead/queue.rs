//! Those who wait, in the order in which they came.
//!
//! A list through slots that are used again, so that leaving from the middle costs no search. A
//! waiter owns its slot until it goes by itself; whoever calls it only takes it out of the list.

use std::task::Waker;

#[derive(Debug)]
enum Slot {
    Vacant { next: Option<usize> },
    InLine { previous: Option<usize>, next: Option<usize>, waker: Option<Waker> },
    Called,
    In,
}

/// How a waiter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// In the list.
    InLine,
    /// It was its turn to look for a place.
    Called,
    /// It was its turn, and it was given a place.
    In,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    slots: Vec<Slot>,
    vacant: Option<usize>,
    head: Option<usize>,
    tail: Option<usize>,
    in_line: usize,
    /// Waiters that were called to look and have not gone yet.
    called: usize,
}

impl Queue {
    /// Is nobody in line?
    pub(super) const fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    #[cfg(test)]
    pub(super) const fn in_line(&self) -> usize {
        self.in_line
    }

    /// Waiters that are neither in nor gone.
    pub(super) const fn waiting(&self) -> usize {
        self.in_line + self.called
    }

    /// Waiters that were called to look and have not gone yet.
    pub(super) const fn called(&self) -> usize {
        self.called
    }

    /// Stands at the end of the line. Gives the ticket of the new waiter.
    pub(super) fn join(&mut self) -> usize {
        let slot = Slot::InLine { previous: self.tail, next: None, waker: None };
        let ticket = match self.vacant {
            Some(ticket) => {
                if let Slot::Vacant { next } = std::mem::replace(&mut self.slots[ticket], slot) {
                    self.vacant = next;
                }
                ticket
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        };
        self.set_next(self.tail, Some(ticket));
        self.tail = Some(ticket);
        self.in_line += 1;
        ticket
    }

    /// One who was called in vain stands at the front again.
    pub(super) fn rejoin(&mut self, ticket: usize, waker: Waker) {
        self.slots[ticket] = Slot::InLine { previous: None, next: self.head, waker: Some(waker) };
        self.set_previous(self.head, Some(ticket));
        self.head = Some(ticket);
        self.in_line += 1;
        self.called -= 1;
    }

    /// Calls the first in line, with a place or to look for one. Its waker is woken by the caller, once no lock is held.
    pub(super) fn call(&mut self, with_place: bool) -> Option<Option<Waker>> {
        let head = self.head?;
        let waker = self.unlink(head);
        self.slots[head] = if with_place { Slot::In } else { Slot::Called };
        self.called += usize::from(!with_place);
        Some(waker)
    }

    pub(super) fn standing(&self, ticket: usize) -> Standing {
        match self.slots[ticket] {
            Slot::Called => Standing::Called,
            Slot::In => Standing::In,
            _ => Standing::InLine,
        }
    }

    /// Who is to be woken. Gives back the waker that is not needed, to be dropped without the lock.
    pub(super) fn set_waker(&mut self, ticket: usize, new: Waker) -> Option<Waker> {
        match &mut self.slots[ticket] {
            Slot::InLine { waker, .. } => match waker {
                Some(old) if old.will_wake(&new) => Some(new),
                _ => waker.replace(new),
            },
            _ => Some(new),
        }
    }

    /// Goes, from wherever it stands. Says where that was, and gives back the waker.
    pub(super) fn leave(&mut self, ticket: usize) -> (Standing, Option<Waker>) {
        let standing = self.standing(ticket);
        let waker = match standing {
            Standing::InLine => self.unlink(ticket),
            Standing::Called => {
                self.called -= 1;
                None
            }
            Standing::In => None,
        };
        self.slots[ticket] = Slot::Vacant { next: self.vacant };
        self.vacant = Some(ticket);
        (standing, waker)
    }

    fn unlink(&mut self, ticket: usize) -> Option<Waker> {
        let Slot::InLine { previous, next, waker } = &mut self.slots[ticket] else { return None };
        let (previous, next, waker) = (*previous, *next, waker.take());
        self.set_next(previous, next);
        self.set_previous(next, previous);
        self.in_line -= 1;
        waker
    }

    /// What comes after `of`; after nobody comes the head.
    fn set_next(&mut self, of: Option<usize>, to: Option<usize>) {
        match of.map(|of| &mut self.slots[of]) {
            Some(Slot::InLine { next, .. }) => *next = to,
            _ => self.head = to,
        }
    }

    /// What comes before `of`; before nobody comes the tail.
    fn set_previous(&mut self, of: Option<usize>, to: Option<usize>) {
        match of.map(|of| &mut self.slots[of]) {
            Some(Slot::InLine { previous, .. }) => *previous = to,
            _ => self.tail = to,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::task::Waker;

    use proptest::prelude::*;

    use super::{Queue, Standing};

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Join,
        Call,
        Leave(usize),
        Rejoin(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => Just(Step::Join),
            1 => Just(Step::Call),
            2 => (0..16_usize).prop_map(Step::Leave),
            1 => (0..16_usize).prop_map(Step::Rejoin),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn it_is_a_queue_that_can_be_left_from_anywhere(steps in steps()) {
            let mut queue = Queue::default();
            let (mut line, mut called) = (VecDeque::new(), Vec::new());
            let mut most = 0;
            for step in steps {
                match step {
                    Step::Join => line.push_back(queue.join()),
                    Step::Call => {
                        prop_assert_eq!(queue.call(false).is_some(), !line.is_empty());
                        called.extend(line.pop_front());
                    }
                    Step::Leave(n) if n < line.len() => {
                        let ticket = line.remove(n).unwrap();
                        prop_assert_eq!(queue.leave(ticket).0, Standing::InLine);
                    }
                    Step::Leave(n) if n - line.len() < called.len() => {
                        let ticket = called.remove(n - line.len());
                        prop_assert_eq!(queue.leave(ticket).0, Standing::Called);
                    }
                    Step::Rejoin(n) if n < called.len() => {
                        let ticket = called.remove(n);
                        queue.rejoin(ticket, Waker::noop().clone());
                        line.push_front(ticket);
                    }
                    Step::Leave(_) | Step::Rejoin(_) => {}
                }
                most = most.max(line.len() + called.len());
                prop_assert_eq!((queue.in_line(), queue.called()), (line.len(), called.len()));
                prop_assert_eq!(queue.is_empty(), line.is_empty());
                prop_assert_eq!((queue.head, queue.tail), (line.front().copied(), line.back().copied()));
                prop_assert!(called.iter().all(|&ticket| queue.standing(ticket) == Standing::Called));
            }
            prop_assert!(queue.slots.len() <= most, "slots are used again");
            while let Some(ticket) = line.pop_front() {
                prop_assert_eq!(queue.head, Some(ticket));
                prop_assert!(queue.call(true).is_some());
            }
        }
    }
}
