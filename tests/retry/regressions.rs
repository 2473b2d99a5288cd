//! What once went wrong.

use std::sync::{Arc, Mutex};

use crate::support::{Bench, WAYS, fail, ms};

#[tokio::test(start_paused = true)]
async fn rt08_the_hook_runs_before_the_wait_and_knows_how_long_the_call_has_taken() {
    for way in WAYS {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let bench = Bench::new(way, |retry| {
            retry.before_retry(move |at| log.lock().unwrap().push(at.elapsed))
        });
        bench.call(fail).await.unwrap_err();
        assert_eq!(*seen.lock().unwrap(), [ms(0), ms(500)], "{way:?}");
    }
}
