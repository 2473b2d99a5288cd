//! The three formats, and all the ways in which a file can be one tree.

use seawall::config::{Config, Format, Loader};

use crate::support::{value, wrong, yaml};

const ATTEMPTS: &str = "retry.orders.max_attempts";

#[test]
fn three_formats_say_the_same() {
    let toml = "[resilience4j.retry.configs.default]\nwaitDuration = '2s'\n[seawall.retry.instances.orders]\nmax_attempts = 7\n";
    let json = r#"{"resilience4j": {"retry": {"configs": {"default": {"waitDuration": "2s"}}}},
                   "seawall": {"retry": {"instances": {"orders": {"max_attempts": 7}}}}}"#;
    let yml = "resilience4j: {retry: {configs: {default: {waitDuration: 2s}}}}\nseawall.retry.instances.orders.max_attempts: 7";
    for (format, text) in [(Format::Toml, toml), (Format::Json, json), (Format::Yaml, yml)] {
        let config = Config::from_text(format, "settings", text).unwrap();
        assert_eq!(value(&config, ATTEMPTS), "7", "{format}");
        assert_eq!(value(&config, "retry.orders.wait_duration"), "2s", "{format}");
    }
}

#[test]
fn each_format_has_places() {
    let place = |format, text| {
        let errors = Config::from_text(format, "f", text).unwrap_err();
        let problem = errors.iter().next().unwrap();
        (problem.line().unwrap(), problem.column().unwrap())
    };
    assert_eq!(
        place(Format::Toml, "# ä\n[seawall.retry.instances.a]\n  max_attempts = 0\n"),
        (3, 3)
    );
    assert_eq!(
        place(
            Format::Json,
            "{\"seawall\":\n {\"retry\": {\"instances\": {\"a\":\n  {\"maxAttempts\": 0}}}}}"
        ),
        (3, 4)
    );
    assert_eq!(
        place(Format::Yaml, "# ä\nä: 1\nseawall.retry.instances.a:\n  maxAttempts: 0"),
        (4, 3)
    );
}

#[test]
fn numbers_of_toml_are_numbers() {
    let text = "[seawall.retry.instances.orders]\nmax_attempts = 0x1F\nrandom_seed = 1_000\n";
    let config = Config::from_text(Format::Toml, "f", text).unwrap();
    assert_eq!(value(&config, ATTEMPTS), "31");
    assert_eq!(value(&config, "retry.orders.random_seed"), "1000");
}

#[test]
fn a_name_may_have_brackets_itself() {
    let yaml = "resilience4j.retry.instances: {'[[::1]:80]': {maxAttempts: 7}}";
    let toml = "[resilience4j.retry.instances.'[[::1]:80]']\nmaxAttempts = 7\n";
    for (format, text) in [(Format::Yaml, yaml), (Format::Toml, toml)] {
        let name = "RESILIENCE4J_RETRY_INSTANCES_180_WAITDURATION";
        let config = Loader::new().env([(name, "2s")]).read(format, "f", text.as_bytes()).unwrap();
        let retry = config.retries().get("[::1]:80").unwrap();
        assert_eq!(retry.max_attempts(), 7, "{format}");
        assert_eq!(value(&config, "retry.[::1]:80.wait_duration"), "2s", "{format}");
    }
}

#[test]
fn a_document_for_a_profile_out_of_a_variable() {
    let file =
        "spring.config.activate.on-profile: ${PROFILE:}\nresilience4j.retry.instances.a: {}\n";
    let instances = |profile: Option<&str>| {
        let variables = profile.map(|profile| ("PROFILE", profile));
        let loader = Loader::new().env(variables).profile("prod");
        loader.read(Format::Yaml, "f", file.as_bytes()).unwrap().explain().count()
    };
    assert!(instances(Some("prod")) > 0);
    assert!(instances(None) > 0, "none is every one");
    assert_eq!(instances(Some("test")), 0);
}

#[test]
fn dotted_nested_and_bracketed_keys_are_one_tree() {
    let text = "
resilience4j.retry.instances.orders.maxAttempts: 7
resilience4j:
  retry.instances:
    orders.waitDuration: 3s
    '[a.b]': {maxAttempts: 8}
    a[b.c].maxAttempts: 9
";
    let errors = wrong(text);
    // `a` is an instance, and `b.c` is none of its keys.
    assert!(errors.contains("[b.c]"), "{errors}");
    let config = yaml(&text.replace("    a[b.c].maxAttempts: 9\n", "")).unwrap();
    assert_eq!(value(&config, ATTEMPTS), "7");
    assert_eq!(value(&config, "retry.orders.wait_duration"), "3s");
    assert_eq!(value(&config, "retry.[a.b].max_attempts"), "8");
}

#[test]
fn lists_in_all_their_ways() {
    let classes = "[java.io.IOException, java.util.concurrent.TimeoutException]";
    for text in [
        "retryExceptions: [java.io.IOException, java.util.concurrent.TimeoutException]",
        "retryExceptions: java.io.IOException, java.util.concurrent.TimeoutException",
        "retryExceptions[0]: java.io.IOException\n  retryExceptions[1]: java.util.concurrent.TimeoutException",
        "retryExceptions:\n  - java.io.IOException\n  - java.util.concurrent.TimeoutException",
    ] {
        let config = yaml(&format!("resilience4j.retry.instances.orders:\n  {text}\n")).unwrap();
        assert_eq!(value(&config, "retry.orders.retry_exceptions"), classes, "{text}");
    }
    let gap = wrong("resilience4j.retry.instances.orders.retryExceptions[1]: java.io.IOException");
    assert!(gap.contains("indices"), "{gap}");
}

#[test]
fn later_documents_win_and_others_trees_are_left_alone() {
    let text = "
spring: {a: 1, a: 2}
'': x
a..b: y
resilience4j.retry.instances.orders: {maxAttempts: 2, waitDuration: 1s}
---
resilience4j: {retry: {instances: {orders: {max-attempts: 3}}}}
---
";
    let config = yaml(text).unwrap();
    assert_eq!(value(&config, ATTEMPTS), "3");
    assert_eq!(value(&config, "retry.orders.wait_duration"), "1s");
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
}

#[test]
fn merge_keys_give_what_is_not_there() {
    let text = "
a: &a {maxAttempts: 2, waitDuration: 1s}
b: &b {wait-duration: 2s, failAfterMaxAttempts: true}
resilience4j.retry.instances.orders:
  max-attempts: 5
  <<: [*a, *b]
";
    let config = yaml(text).unwrap();
    assert_eq!(value(&config, ATTEMPTS), "5");
    assert_eq!(value(&config, "retry.orders.wait_duration"), "1s");
    assert_eq!(value(&config, "retry.orders.fail_after_max_attempts"), "true");
}

#[test]
fn a_file_that_is_large_deep_or_explodes_is_refused_at_once() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (this, above) in ('b'..'m').zip('a'..) {
        bomb.push_str(&format!("{this}: &{this} [{}]\n", vec![format!("*{above}"); 10].join(",")));
    }
    let mut chain = "a0: &a0 [1]\n".to_owned();
    let mut merges = "m0: &m0 {k: 1}\n".to_owned();
    for i in 1..20_000 {
        chain.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
        merges.push_str(&format!("m{i}: &m{i} {{<<: *m{}, k{i}: 1}}\n", i - 1));
    }
    merges.truncate(merges.len().min(1 << 20));
    for (text, part) in [
        (bomb, "more than 200000 values"),
        (chain, "levels deep"),
        ("x".repeat((1 << 20) + 1), "larger than"),
        ("- ".repeat(100_000), "deep"),
        ("[".repeat(100_000), "levels deep"),
        ("a: &a [*a]".to_owned(), "within itself"),
        ("a: &a {<<: *a}".to_owned(), "within itself"),
        ("a:\n\tb: 1".to_owned(), "tab"),
        ("a: [".to_owned(), ""),
        ("a: *b".to_owned(), ""),
    ] {
        let errors = wrong(&text);
        assert!(errors.contains(part), "{part}: {errors}");
    }
    let _ = yaml(&merges);
    for (format, text) in [(Format::Json, "["), (Format::Toml, "a = ["), (Format::Json, "{\"a\":")]
    {
        let text = text.repeat(50_000);
        assert!(Config::from_text(format, "f", &text).is_err(), "{format}");
    }
    let errors = Loader::new().read(Format::Yaml, "f", b"a: \xff").unwrap_err();
    assert_eq!(errors.to_string(), "f:1:4: not UTF-8");
}

#[test]
fn json_has_no_comments_and_no_trailing_commas() {
    for text in ["{} // x", "{\"a\": 1,}", "{a: 1}", "{'a': 1}", "[1] [2]", ""] {
        assert!(Config::from_text(Format::Json, "f", text).is_err(), "{text}");
    }
}

#[test]
fn an_empty_file_is_fine() {
    for format in [Format::Yaml, Format::Toml] {
        assert_eq!(Config::from_text(format, "f", "").unwrap().explain().count(), 0);
    }
    assert_eq!(Config::from_text(Format::Json, "f", "{}").unwrap().explain().count(), 0);
}

#[test]
fn messages_cannot_move_the_cursor() {
    let text = "resilience4j.retry.instances.a:\n  maxAttempts: \"\\e[2J\\n5\"\n  \"x\\ny\": 1\n";
    let errors = wrong(text);
    assert_eq!(errors.lines().count(), 2, "{errors}");
    assert!(!errors.contains('\u{1b}'), "{errors}");
}
