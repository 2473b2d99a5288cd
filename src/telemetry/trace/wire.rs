//! `traceparent` and `tracestate` as they are written, by the W3C's recommendation (level 1).

/// Room for the version, two ids, the flags, and the hyphens between them.
const LENGTH: usize = 55;
const MOST_ENTRIES: usize = 32;
const MOST_CHARACTERS: usize = 512;
/// Entries longer than this are the first to go when it gets too much.
const LONG_ENTRY: usize = 128;

/// The ids (which may be zero) and the flags.
pub(super) fn read(traceparent: &str) -> Option<(u128, u64, u8)> {
    let (known, more) = traceparent.split_at_checked(LENGTH)?;
    let mut fields = known.split('-');
    let mut field = |length| fields.next().filter(|text| is_lower_hex(text, length));
    let (version, trace_id, parent_id, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
    let goes_on = match version {
        "ff" => false,
        "00" => more.is_empty(),
        // What a later version adds it sets off.
        _ => more.is_empty() || more.starts_with('-'),
    };
    if !goes_on {
        return None;
    }
    let trace_id = u128::from_str_radix(trace_id, 16).ok()?;
    let parent_id = u64::from_str_radix(parent_id, 16).ok()?;
    Some((trace_id, parent_id, u8::from_str_radix(flags, 16).ok()?))
}

fn is_lower_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The state as it is to be passed on; nothing if it is malformed or empty.
pub(super) fn state<S: for<'a> From<&'a str>>(tracestate: &str) -> Option<S> {
    let mut keys = [""; MOST_ENTRIES];
    let mut count = 0;
    for entry in entries(tracestate) {
        let (key, value) = entry.split_once('=')?;
        if count == MOST_ENTRIES || !is_key(key) || !is_value(value) || keys[..count].contains(&key)
        {
            return None;
        }
        keys[count] = key;
        count += 1;
    }
    match count {
        0 => None,
        _ if tracestate.len() <= MOST_CHARACTERS => Some(tracestate.into()),
        _ => shortened(tracestate).as_deref().map(S::from),
    }
}

/// Empty entries are allowed, and say nothing.
fn entries(tracestate: &str) -> impl Iterator<Item = &str> {
    tracestate.split(',').map(|entry| entry.trim_matches([' ', '\t'])).filter(|it| !it.is_empty())
}

fn shortened(tracestate: &str) -> Option<String> {
    let mut entries: Vec<&str> = entries(tracestate).collect();
    let length = |entries: &[&str]| entries.iter().map(|it| it.len() + 1).sum::<usize>() - 1;
    while !entries.is_empty() && length(&entries) > MOST_CHARACTERS {
        let long = entries.iter().rposition(|entry| entry.len() > LONG_ENTRY);
        entries.remove(long.unwrap_or(entries.len() - 1));
    }
    (!entries.is_empty()).then(|| entries.join(","))
}

/// A vendor's name, or a tenant's at a vendor's.
fn is_key(key: &str) -> bool {
    let rest_fits = |rest: &[u8], most| {
        let fits =
            |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
        rest.len() <= most && rest.iter().all(fits)
    };
    let is_named = |name: &str, most| match name.as_bytes() {
        [b'a'..=b'z', rest @ ..] => rest_fits(rest, most),
        _ => false,
    };
    match key.split_once('@') {
        None => is_named(key, 255),
        Some((tenant, vendor)) => {
            let tenant = tenant.as_bytes();
            matches!(tenant, [b'a'..=b'z' | b'0'..=b'9', rest @ ..] if rest_fits(rest, 240))
                && is_named(vendor, 13)
        }
    }
}

fn is_value(value: &str) -> bool {
    let fits = |byte| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn kept(text: &str) -> Option<String> {
        state(text)
    }

    #[test]
    fn a_good_traceparent_is_read() {
        let ids = (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7, 1);
        assert_eq!(read(GOOD), Some(ids));
    }

    #[test]
    fn malformed_ones_are_not() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-001",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0é",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn later_versions_are_read_as_far_as_they_are_known() {
        let later = |more: &str| read(&format!("cc{}{more}", &GOOD[2..]));
        assert_eq!(later(""), read(GOOD));
        assert_eq!(later("-what-the-future-brings"), read(GOOD));
        assert_eq!(later(".no"), None);
    }

    #[test]
    fn a_good_state_is_kept_to_the_letter() {
        for good in [
            "a=1",
            "foo=1,bar=2",
            "foo=1 , bar=2\t,, ,x=y",
            "0tenant@vendor=a b",
            "a-b_c*d/e=!~ x",
            "k= 1",
        ] {
            assert_eq!(kept(good).as_deref(), Some(good));
        }
        assert_eq!(kept(&format!("{}=1", "k".repeat(256))).map(|it| it.len()), Some(258));
        assert_eq!(kept(&format!("k={}", "v".repeat(256))).map(|it| it.len()), Some(258));
    }

    #[test]
    fn a_malformed_one_is_dropped() {
        let long = [
            format!("{}=1", "k".repeat(257)),
            format!("k={}", "v".repeat(257)),
            format!("{}@v=1", "t".repeat(242)),
            format!("t@{}=1", "v".repeat(15)),
            (0..33).map(|i| format!("k{i}=1")).collect::<Vec<_>>().join(","),
        ];
        let short = [
            "",
            " ",
            ",",
            "foo",
            "=1",
            "foo=",
            "Foo=1",
            "1foo=1",
            "foo@=1",
            "@foo=1",
            "foo@@bar=1",
            "foo@bar@baz=1",
            "foo =1",
            "foo=1=2",
            "foo=\u{7f}",
            "foo=é",
            "foo=1,foo=2",
        ];
        for bad in long.iter().map(String::as_str).chain(short) {
            assert_eq!(kept(bad), None, "{bad}");
        }
    }

    #[test]
    fn of_a_long_one_whole_entries_go() {
        let long = format!("a=1,b={},c={},d=4", "x".repeat(200), "y".repeat(200));
        assert_eq!(kept(&long), Some(long.clone()));
        let longer = format!("{long},e={}", "z".repeat(120));
        let left = kept(&longer).unwrap();
        assert_eq!(left, format!("a=1,b={},d=4,e={}", "x".repeat(200), "z".repeat(120)));
        let many: Vec<_> = (10..42).map(|i| format!("k{i}={}", "v".repeat(20))).collect();
        let left = kept(&many.join(",")).unwrap();
        assert_eq!(left, many[..20].join(","));
        assert!(left.len() <= 512 && left.len() + 1 + many[20].len() > 512);
    }
}
