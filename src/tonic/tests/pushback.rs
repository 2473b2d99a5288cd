use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::tonic::pushback::{PUSHBACK, Pushback, read, write};

fn said(values: &[&[u8]]) -> Pushback {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(PUSHBACK, HeaderValue::from_bytes(value).unwrap());
    }
    read(&headers)
}

#[test]
fn what_the_server_says_of_a_retry() {
    let after = |ms| Pushback::After(Duration::from_millis(ms));
    assert_eq!(said(&[]), Pushback::Silent);
    assert_eq!(said(&[b"0"]), after(0));
    assert_eq!(said(&[b"1500"]), after(1500));
    assert_eq!(said(&[b"2147483647"]), after(2_147_483_647));
    for never in ["-1", "-0.5", "", " 1", "1s", "soon", "2147483648", "99999999999999999999"] {
        assert_eq!(said(&[never.as_bytes()]), Pushback::Never, "{never:?}");
    }
    assert_eq!(said(&[b"\xff"]), Pushback::Never);
    assert_eq!(said(&[b"10", b"10"]), Pushback::Never);
}

#[test]
fn what_seawall_says_is_rounded_up_and_can_be_read() {
    for (wait, ms) in [
        (Duration::ZERO, 0),
        (Duration::from_nanos(1), 1),
        (Duration::from_millis(20), 20),
        (Duration::from_micros(20_001), 21),
        (Duration::MAX, i32::MAX),
    ] {
        assert_eq!(write(wait), ms);
        let read = said(&[ms.to_string().as_bytes()]);
        assert_eq!(read, Pushback::After(Duration::from_millis(ms.unsigned_abs().into())));
    }
}
