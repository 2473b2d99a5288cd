//! Which documents of a file apply: Spring's `spring.config.activate.on-profile`.

use std::collections::BTreeMap;

use super::placeholders::Variables;
use super::tree::branch::{Branch, Leaf};
use super::tree::{Node, Value};

const CONDITIONS: [&str; 2] = ["spring.config.activate.on-profile", "spring.profiles"];

/// Why a document does not apply, if it does not.
pub(super) fn left_out(
    document: &Node,
    active: &[String],
    env: &BTreeMap<String, String>,
) -> Option<String> {
    let variables = Variables::new(env, Branch::root([document]));
    if let Some(Leaf::Scalar(platform)) =
        variables.lookup("spring.config.activate.on-cloud-platform")
    {
        return Some(format!("the platform {} is not active", super::problem::shown(platform)));
    }
    // What cannot be replaced is no profile's name.
    let split = |text: &str| -> Vec<String> {
        let text = variables.expand(text).unwrap_or_else(|_| text.to_owned().into());
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    };
    let conditions: Vec<String> = CONDITIONS
        .iter()
        .filter_map(|key| match variables.lookup(key)? {
            Leaf::Scalar(text) => Some(split(text)),
            Leaf::List(items) => {
                let texts = items.iter().filter_map(|(node, _)| match &node.value {
                    Value::Scalar(text) => Some(split(text)),
                    _ => None,
                });
                Some(texts.flatten().collect())
            }
            _ => None,
        })
        .flatten()
        .collect();
    if conditions.is_empty() || conditions.iter().any(|condition| holds(condition, active)) {
        return None;
    }
    let conditions = super::problem::shown(&conditions.join(", "));
    Some(format!("its profile {conditions} is not active"))
}

/// `a & b`, `a | b`, `!a` and parentheses. What is malformed does not hold.
fn holds(condition: &str, active: &[String]) -> bool {
    let mut parser = Condition { rest: condition.trim(), active, depth: 0, malformed: false };
    let value = parser.any();
    value && parser.rest.is_empty() && !parser.malformed
}

struct Condition<'a> {
    rest: &'a str,
    active: &'a [String],
    depth: usize,
    malformed: bool,
}

impl Condition<'_> {
    fn any(&mut self) -> bool {
        let mut value = self.all();
        while self.eat('|') {
            value |= self.all();
        }
        value
    }

    fn all(&mut self) -> bool {
        let mut value = self.one();
        while self.eat('&') {
            value &= self.one();
        }
        value
    }

    fn one(&mut self) -> bool {
        let mut negated = false;
        while self.eat('!') {
            negated = !negated;
        }
        self.depth += 1;
        let value = if self.depth < 32 && self.eat('(') {
            let value = self.any();
            self.malformed |= !self.eat(')');
            value
        } else {
            let end = self.rest.find(['&', '|', '!', '(', ')']).unwrap_or(self.rest.len());
            let (name, rest) = self.rest.split_at(end);
            self.rest = rest;
            let name = name.trim();
            self.malformed |= name.is_empty();
            // Without any active profile, Spring's `default` is.
            self.active.iter().any(|active| active == name)
                || (self.active.is_empty() && name == "default")
        };
        self.depth -= 1;
        value != negated
    }

    fn eat(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_hold_as_in_spring() {
        let active = ["prod".to_owned(), "eu".to_owned()];
        for (condition, expected) in [
            ("prod", true),
            ("test", false),
            ("!test", true),
            ("prod & eu", true),
            ("prod & us", false),
            ("us | eu", true),
            ("prod & (us | eu)", true),
            ("!(prod & us)", true),
            ("prod)", false),
            ("", false),
            ("!", false),
            ("prod & ", false),
            ("prod | ", false),
            ("prod | (eu", false),
            ("!(test", false),
            ("!test)", false),
        ] {
            assert_eq!(holds(condition, &active), expected, "{condition}");
        }
        assert!(holds("default", &[]));
        assert!(!holds(&"(".repeat(100_000), &active));
    }
}
