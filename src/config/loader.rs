//! How a file is read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::Path;

use super::document::{Document, ROOTS};
use super::placeholders::Variables;
use super::problem::{ConfigErrors, Origin, Report};
use super::read::Reader;
use super::tree::branch::Branch;
use super::tree::{MOST_BYTES, Node, parse};
use super::{ClassMap, Config, Format, env, profiles};

/// Reads files of settings, with an environment, profiles and classes of your own.
///
/// ```
/// use seawall::config::{Format, Loader};
///
/// let file = "resilience4j.retry.instances.orders.maxAttempts: ${ATTEMPTS:5}";
/// let loader = Loader::new().env([("RESILIENCE4J_RETRY_INSTANCES_ORDERS_WAITDURATION", "2s")]);
/// let config = loader.read(Format::Yaml, "application.yml", file.as_bytes())?;
/// assert_eq!(config.retries().get("orders").unwrap().max_attempts(), 5);
/// # Ok::<(), seawall::config::ConfigErrors>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a loader does nothing until it reads"]
pub struct Loader {
    env: BTreeMap<String, String>,
    /// The variables are all there are, and some that begin as ours do may be others'.
    foreign: bool,
    profiles: Vec<String>,
    classes: ClassMap,
    lenient: bool,
}

impl Loader {
    /// One without an environment and without profiles.
    pub fn new() -> Self {
        Self::default()
    }

    /// One with the environment of this process, and with the profiles in `SPRING_PROFILES_ACTIVE`.
    ///
    /// Of its variables that match nothing in a file, only those are errors that begin with `SEAWALL_` or `RESILIENCE4J_` and
    /// the name of a pattern: others may belong to somebody else (Kubernetes makes some out of a service's name).
    pub fn from_env() -> Self {
        Self::of_process(std::env::vars_os())
    }

    fn of_process(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        // One that is no text fits nowhere, and shall be told where it would have counted.
        let text = |text: OsString| text.to_string_lossy().into_owned();
        let env = variables.into_iter().map(|(name, value)| (text(name), text(value)));
        let mut loader = Self::new().env(env);
        loader.foreign = true;
        if let Some(active) = loader.env.get("SPRING_PROFILES_ACTIVE") {
            let names = active.split(',').map(|name| name.trim().to_owned());
            loader.profiles = names.filter(|name| !name.is_empty()).collect();
        }
        loader
    }

    /// Variables for placeholders (`${NAME:default}`), and settings of their own: each whose name begins with
    /// `RESILIENCE4J_` or `SEAWALL_` overrides one in the file, and it is an error if there is none. Default: none.
    pub fn env<N, V>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<String>,
    {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.env.extend(variables);
        self
    }

    /// Makes a Spring profile active: documents for it (`spring.config.activate.on-profile`) apply. Default: none.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profiles.push(name.into());
        self
    }

    /// What the names of Java classes stand for. Default: [`ClassMap::default`].
    pub fn classes(mut self, classes: ClassMap) -> Self {
        self.classes = classes;
        self
    }

    /// Shall unknown keys be warnings and not errors? Default: no.
    pub const fn lenient_unknown_keys(mut self, lenient: bool) -> Self {
        self.lenient = lenient;
        self
    }

    /// Reads a file of at most 1 MiB, whose format its name tells: `.yml`, `.yaml`, `.toml`, `.json`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Config, ConfigErrors> {
        let path = path.as_ref();
        let name = path.to_string_lossy();
        let Some(format) = Format::of(path) else {
            let message = "its name does not tell its format (.yml, .yaml, .toml or .json)";
            return Err(ConfigErrors::unreadable(&name, message));
        };
        let bytes = read_file(path).map_err(|error| {
            ConfigErrors::unreadable(&name, format_args!("cannot be read: {error}"))
        })?;
        self.read(format, &name, &bytes)
    }

    /// Reads a text. `name` is what messages call it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn read(&self, format: Format, name: &str, text: &[u8]) -> Result<Config, ConfigErrors> {
        let mut report = Report::new(name);
        let documents = match parse(format, text) {
            Ok(documents) => documents,
            Err(error) => {
                report.syntax(&error);
                Vec::new()
            }
        };
        let documents: Vec<&Node> =
            documents.iter().filter(|document| self.applies(document, &mut report)).collect();
        let mut root = Branch::root(documents);
        let overrides = if report.has_errors() {
            Vec::new()
        } else {
            env::overrides(&self.env, &root, self.foreign, &mut report)
        };
        for found in &overrides {
            root.set(&found.key, &found.node, Origin::Env(found.name.clone()));
        }
        let variables = Variables::new(&self.env, root.clone());
        let mut reader = Reader::new(&mut report, variables, self.lenient);
        let document = Document::read(&mut reader, &root);
        Config::build(document, &self.classes, report)
    }

    fn applies(&self, document: &Node, report: &mut Report) -> bool {
        let Some(reason) = profiles::left_out(document, &self.profiles, &self.env) else {
            return true;
        };
        let mut quiet = Report::new("");
        if let Some(ours) = Branch::root([document]).open_ours(&ROOTS, &mut quiet).first() {
            let path = &ours.branch.path;
            report.warn(ours.branch.at(), path, format!("this document is left out: {reason}"));
        }
        false
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_variable_that_is_no_text_is_not_passed_over() {
        let broken = || OsString::from_vec(b"5\xff".to_vec());
        let file = "resilience4j.retry.instances.a: {maxAttempts: '${ATTEMPTS:3}'}";
        for name in ["RESILIENCE4J_RETRY_INSTANCES_A_MAXATTEMPTS", "ATTEMPTS"] {
            let loader = Loader::of_process([(name.into(), broken())]);
            let errors = loader.read(Format::Yaml, "f", file.as_bytes()).unwrap_err();
            assert!(errors.to_string().contains("is not allowed"), "{errors}");
        }
    }
}

/// Reads no more than one byte too many.
pub(super) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    // A pipe would have whoever opens it wait for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
