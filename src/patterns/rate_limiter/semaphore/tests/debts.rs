//! What is owed from another algorithm.

use super::*;

#[test]
fn debts_stand_in_the_queue_and_leave_nothing_behind() {
    let (mut semaphore, start) = semaphore(4, 10, 100);
    assert_eq!(semaphore.acquire(start, 4, ANY), Answer::Granted);
    semaphore.owe(start, 4);
    semaphore.owe(start, 3);
    assert_eq!(semaphore.owed(start), 7);
    let id = promised(semaphore.acquire(start, 2, ANY));
    assert_eq!(semaphore.poll(start, id), Turn::Pending(start + ns(30)));
    // A lower limit forgives what could never be there at once, and nobody hangs.
    semaphore.set_limit(start, 2);
    assert_eq!(semaphore.owed(start), 4);
    assert_eq!(semaphore.owed(start + ns(10)), 2);
    assert_eq!(semaphore.owed(start + ns(20)), 0);
    assert_eq!(woken(&mut semaphore).last(), None);
    assert_eq!(semaphore.poll(start + ns(30), id), Turn::Granted);
    assert_eq!(woken(&mut semaphore), [id]);
    assert!(semaphore.settled.is_empty());
}
