//! Which known names somebody may have meant.

/// Up to three of `known` that are nearest to `wanted`, nearest first; none that is far off.
pub(crate) fn near<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    // What comes from outside may be long, and the work grows with the product of the lengths.
    const LONGEST: usize = 128;
    if wanted.len() > LONGEST {
        return Vec::new();
    }
    let folded = fold(wanted);
    let allowed = (folded.len() / 3).max(1);
    let mut found: Vec<_> = known
        .into_iter()
        .filter(|name| name.len() <= LONGEST)
        .map(|name| (distance(&folded, &fold(name)), name))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    found.sort_unstable();
    found.truncate(3);
    found.into_iter().map(|(_, name)| name).collect()
}

/// Spelling that people mix up is no difference.
fn fold(name: &str) -> Vec<char> {
    let letters = name.chars().filter(|letter| !matches!(letter, '-' | '_' | '.' | ' '));
    letters.flat_map(char::to_lowercase).collect()
}

/// How many letters to change, add, drop or swap with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (last[j + 1] + 1).min(row[j] + 1).min(last[j] + usize::from(x != y));
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row[j + 1] = least;
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let distance = |a, b| distance(&fold(a), &fold(b));
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("orders", "orders"), 0);
        assert_eq!(distance("order", "orders"), 1);
        assert_eq!(distance("oders", "orders"), 1);
        assert_eq!(distance("odrers", "orders"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("Back-End_A", "backendA"), 0);
    }

    #[test]
    fn the_nearest_come_first_and_the_far_not_at_all() {
        let known = ["orders", "order", "inventory", "borders"];
        assert_eq!(near("orderz", known), ["order", "orders", "borders"]);
        assert_eq!(near("ordrs", known), ["orders"]);
        assert!(near("payments", known).is_empty());
        assert!(near(&"x".repeat(1_000_000), known).is_empty());
    }
}
