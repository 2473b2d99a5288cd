//! Keys: what is in one, and which spellings are the same.

/// One step of a dotted key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Segment {
    pub(in crate::config) text: String,
    /// It stood in brackets, and so is a name to the letter (or a list's index).
    pub(in crate::config) bracketed: bool,
}

impl Segment {
    /// As it is written in a path.
    pub(in crate::config) fn push_to(&self, path: &mut String) {
        if self.bracketed {
            path.push('[');
            path.push_str(&self.text);
            path.push(']');
            return;
        }
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&self.text);
    }
}

/// Takes the first segment off a dotted key: `a.b`, `[a.b].c`, `a[0]`, `a[b.c].d`, `[[::1]:80].c`.
pub(in crate::config) fn split(key: &str) -> Result<(Segment, Option<&str>), &'static str> {
    if key.starts_with('[') {
        let Some(end) = closing(key) else {
            return Err("a key with no closing bracket");
        };
        let (name, rest) = (&key[1..end], &key[end + 1..]);
        if name.is_empty() {
            return Err("a key with an empty part");
        }
        let rest = match rest.strip_prefix('.') {
            Some("") => return Err("a key that ends with a dot"),
            Some(rest) => Some(rest),
            None if rest.is_empty() => None,
            None if rest.starts_with('[') => Some(rest),
            None => return Err("a key with no dot after a bracket"),
        };
        return Ok((Segment { text: name.to_owned(), bracketed: true }, rest));
    }
    let end = key.find(['.', '[']).unwrap_or(key.len());
    let (first, rest) = key.split_at(end);
    if first.is_empty() {
        return Err("a key with an empty part");
    }
    let rest = match rest.strip_prefix('.') {
        Some("") => return Err("a key that ends with a dot"),
        Some(rest) => Some(rest),
        None if rest.is_empty() => None,
        None => Some(rest),
    };
    Ok((Segment { text: first.to_owned(), bracketed: false }, rest))
}

/// Where the bracket is closed that a key begins with; a name may have brackets itself.
fn closing(key: &str) -> Option<usize> {
    let mut open = 0;
    for (at, byte) in key.bytes().enumerate() {
        match byte {
            b'[' => open += 1,
            b']' if open == 1 => return Some(at),
            b']' => open -= 1,
            _ => {}
        }
    }
    None
}

/// What all of Spring's spellings of a key have in common: camelCase, kebab-case, `snake_case`, UPPER.
pub(in crate::config) fn fold(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// The one of `known` that is nearest to `key`, if any is near enough to be meant.
pub(in crate::config) fn nearest<'a>(
    key: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    crate::near::near(key, known).first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut key: &str) -> Result<Vec<(String, bool)>, &'static str> {
        let mut segments = Vec::new();
        loop {
            let (segment, rest) = split(key)?;
            segments.push((segment.text, segment.bracketed));
            match rest {
                Some(rest) => key = rest,
                None => return Ok(segments),
            }
        }
    }

    #[test]
    fn keys_come_apart_at_dots_and_brackets() {
        let plain = |text: &str| (text.to_owned(), false);
        let exact = |text: &str| (text.to_owned(), true);
        assert_eq!(all("a.b-c").unwrap(), [plain("a"), plain("b-c")]);
        assert_eq!(all("[a.b].c").unwrap(), [exact("a.b"), plain("c")]);
        assert_eq!(all("a[b.c].d").unwrap(), [plain("a"), exact("b.c"), plain("d")]);
        assert_eq!(all("a[0][1]").unwrap(), [plain("a"), exact("0"), exact("1")]);
        assert_eq!(all("[[::1]:80].c").unwrap(), [exact("[::1]:80"), plain("c")]);
        assert_eq!(all("a[[b]].c").unwrap(), [plain("a"), exact("[b]"), plain("c")]);
        for wrong in
            ["", ".", "a.", ".a", "a..b", "[a", "[[a]", "[a]]", "[a]b", "a[b].", "a[", "[]", "a[]"]
        {
            assert!(all(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spellings_are_one() {
        for key in ["failureRateThreshold", "failure-rate-threshold", "FAILURE_RATE_THRESHOLD"] {
            assert_eq!(fold(key), "failureratethreshold");
        }
    }

    #[test]
    fn a_near_miss_finds_its_key_and_a_far_one_none() {
        let known = ["failure_rate_threshold", "max_attempts", "instances"];
        assert_eq!(nearest("failureRateTreshold", known), Some("failure_rate_threshold"));
        assert_eq!(nearest("maxAttemtps", known), Some("max_attempts"));
        assert_eq!(nearest("instance", known), Some("instances"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
    }
}
