//! Reading and looking at small files.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use seawall::config::{Config, ConfigErrors, Format};

pub(crate) fn yaml(text: &str) -> Result<Config, ConfigErrors> {
    Config::from_text(Format::Yaml, "application.yml", text)
}

/// What is wrong, in one text.
#[track_caller]
pub(crate) fn wrong(text: &str) -> String {
    match yaml(text) {
        Ok(_) => panic!("nothing is wrong with\n{text}"),
        Err(errors) => errors.to_string(),
    }
}

/// The value that `explain` shows for a key, without where it comes from.
#[track_caller]
pub(crate) fn value(config: &Config, key: &str) -> String {
    line(config, key).0
}

/// The value and where it comes from.
#[track_caller]
pub(crate) fn line(config: &Config, key: &str) -> (String, String) {
    let start = format!("{key} = ");
    let line = config.explain().find(|line| line.starts_with(&start));
    let line = line.unwrap_or_else(|| {
        panic!("no {key} in\n{}", config.explain().collect::<Vec<_>>().join("\n"))
    });
    let (value, from) = line[start.len()..].split_once("  # ").unwrap();
    (value.to_owned(), from.to_owned())
}

/// A directory of its own that goes away.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "seawall-config-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
