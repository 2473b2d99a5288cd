use std::time::{Duration, SystemTime};

use http::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

use crate::http::retry_after;

fn asks(value: &[u8]) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, HeaderValue::from_bytes(value).expect("may stand in a header"));
    retry_after(&headers)
}

const fn secs(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn seconds_are_digits_and_nothing_else() {
    let table: &[(&[u8], _)] = &[
        (b"0", secs(0)),
        (b"1", secs(1)),
        (b"007", secs(7)),
        (b" 120\t", secs(120)),
        (b"18446744073709551615", secs(u64::MAX)),
        // More digits than fit are still a very long time.
        (b"18446744073709551616", secs(u64::MAX)),
        (b"99999999999999999999999999999999999999999999", secs(u64::MAX)),
        (b"", None),
        (b"   ", None),
        (b"-1", None),
        (b"+1", None),
        (b"1.5", None),
        (b"1e3", None),
        (b"0x10", None),
        (b"1 2", None),
        (b"1,2", None),
        (b"120s", None),
        (b"soon", None),
        (b"\xff\xfe", None),
        ("١٢".as_bytes(), None),
    ];
    for (value, wanted) in table {
        assert_eq!(asks(value), *wanted, "{}", value.escape_ascii());
    }
}

#[test]
fn a_header_that_is_not_there_asks_nothing() {
    assert_eq!(retry_after(&HeaderMap::new()), None);
}

#[test]
fn of_several_headers_the_first_counts() {
    let mut headers = HeaderMap::new();
    headers.append(RETRY_AFTER, HeaderValue::from_static("5"));
    headers.append(RETRY_AFTER, HeaderValue::from_static("600"));
    assert_eq!(retry_after(&headers), secs(5));
}

fn by(date: &'static str, retry_at: &'static str) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    headers.insert(DATE, HeaderValue::from_static(date));
    headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_at));
    retry_after(&headers)
}

#[test]
fn a_date_in_any_of_its_three_forms_counts_from_the_servers_own() {
    let now = "Sun, 06 Nov 1994 08:49:37 GMT";
    let table = [
        ("Sun, 06 Nov 1994 08:50:37 GMT", secs(60)),
        ("Sunday, 06-Nov-94 08:50:37 GMT", secs(60)),
        ("Sun Nov  6 08:50:37 1994", secs(60)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", secs(0)),
        ("Sun, 06 Nov 1994 08:49:36 GMT", secs(0)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", secs(0)),
        ("Sun, 06 Nov 1994 08:50:37 CET", None),
        ("Sun, 32 Nov 1994 08:50:37 GMT", None),
        ("06 Nov 1994", None),
        ("1994-11-06T08:50:37Z", None),
    ];
    for (date, wanted) in table {
        assert_eq!(by(now, date), wanted, "{date}");
    }
    assert_eq!(by("Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:40 1994"), secs(3));
}

#[test]
fn a_date_without_a_readable_date_counts_from_the_local_clock() {
    let soon = crate::clock::wall() + Duration::from_secs(3600);
    let soon = httpdate::fmt_http_date(soon);
    let about_an_hour = |asked: Option<Duration>| {
        let seconds = asked.expect("a date").as_secs();
        assert!((3500..=3600).contains(&seconds), "{seconds}");
    };
    about_an_hour(asks(soon.as_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, HeaderValue::from_str(&soon).unwrap());
    headers.insert(DATE, HeaderValue::from_static("today"));
    about_an_hour(retry_after(&headers));
    headers.insert(DATE, HeaderValue::from_bytes(b"\xff").unwrap());
    about_an_hour(retry_after(&headers));

    let past = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH);
    assert_eq!(asks(past.as_bytes()), secs(0));
}
