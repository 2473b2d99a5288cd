//! `rust-version` holds for all that users get: no dependency of any feature asks for more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

type Version = (u64, u64, u64);

/// All platforms' dependencies where all of them are at hand, else those of this one.
///
/// Of a package that has this one, with all features, and nothing else: what the tests and the workspace's other
/// members need besides need not be at hand.
fn metadata() -> &'static Value {
    static METADATA: LazyLock<Value> = LazyLock::new(look_up);
    &METADATA
}

fn look_up() -> Value {
    let user = user();
    let manifest = user.to_str().expect("UTF-8");
    let all = ["--manifest-path", manifest];
    let host = host();
    let here = ["--manifest-path", manifest, "--filter-platform", &host];
    ask(&all).or_else(|_| ask(&here)).expect("cargo knows the packages")
}

/// The manifest of that package, beside a copy of the lockfile.
fn user() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = ask(&["--no-deps"]).expect("cargo reads the manifest");
    let package = package["packages"].as_array().unwrap().iter().find(|it| it["name"] == "seawall");
    let features: Vec<_> = package.unwrap()["features"].as_object().unwrap().keys().collect();

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("msrv");
    fs::create_dir_all(folder.join("src")).expect("a folder");
    fs::write(folder.join("src/lib.rs"), "").expect("a file");
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("a lockfile");
    let manifest = folder.join("Cargo.toml");
    let text = format!(
        "[package]\nname = \"user\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nseawall = {{ path = {root:?}, features = {features:?} }}\n",
    );
    fs::write(&manifest, text).expect("a manifest");
    manifest
}

fn ask(more: &[&str]) -> Result<Value, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline"])
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(serde_json::from_slice(&output.stdout).expect("cargo writes JSON"))
}

fn host() -> String {
    let output = Command::new(env!("CARGO")).arg("-vV").output().expect("cargo runs");
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("cargo tells its host").to_owned()
}

fn version(text: &str) -> Version {
    let mut parts = text.split('.').map(|part| part.parse().expect("a number"));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

/// Is it there for users on any platform, and not only for our own tests?
fn is_normal(dependency: &Value) -> bool {
    dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"] != "dev")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// All that the package with this id brings along, over its normal and build dependencies.
fn reached<'m>(metadata: &'m Value, root: &'m str) -> BTreeSet<&'m str> {
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let nodes: BTreeMap<_, _> = nodes.iter().map(|node| (text(&node["id"]), node)).collect();
    let (mut seen, mut next) = (BTreeSet::from([root]), vec![root]);
    while let Some(id) = next.pop() {
        let below = nodes[id]["deps"].as_array().unwrap().iter();
        next.extend(
            below
                .filter(|dependency| is_normal(dependency))
                .map(|it| text(&it["pkg"]))
                .filter(|id| seen.insert(id)),
        );
    }
    seen
}

#[test]
fn no_normal_dependency_asks_for_a_newer_rust() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let packages: BTreeMap<_, _> =
        packages.iter().map(|package| (text(&package["id"]), package)).collect();
    let (root, _) = packages.iter().find(|(_, package)| package["name"] == "seawall").unwrap();
    let own = version(text(&packages[root]["rust_version"]));

    let reached = reached(metadata, root);
    let names: BTreeSet<_> = reached.iter().map(|id| text(&packages[id]["name"])).collect();
    for name in
        ["tokio", "pin-project-lite", "http", "hyper", "hyper-util", "h2", "reqwest", "tonic"]
    {
        assert!(names.contains(name), "the walk has missed {name}");
    }
    for name in ["proptest", "kube-client"] {
        assert!(!names.contains(name), "the walk has strayed to {name}, which no user gets");
    }
    let lockfile = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let lockfile = fs::read_to_string(lockfile).expect("a lockfile");
    for id in &reached {
        let [name, is] = ["name", "version"].map(|key| text(&packages[id][key]));
        let entry = format!("name = \"{name}\"\nversion = \"{is}\"\n");
        assert!(lockfile.contains(&entry), "{name} {is} is not what the lockfile holds");
    }

    let too_new: Vec<_> = reached
        .iter()
        .map(|id| packages[id])
        .filter(|package| package["rust_version"].as_str().is_some_and(|asks| version(asks) > own))
        .map(|package| {
            let [name, is, asks] =
                ["name", "version", "rust_version"].map(|key| text(&package[key]));
            format!("{name} {is} asks for Rust {asks}")
        })
        .collect();
    assert!(too_new.is_empty(), "{too_new:#?}");
}

#[test]
fn no_feature_needs_more_than_a_c_compiler() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let packages: BTreeMap<_, _> =
        packages.iter().map(|package| (text(&package["id"]), package)).collect();
    let (root, _) = packages.iter().find(|(_, package)| package["name"] == "seawall").unwrap();
    let names: BTreeSet<_> =
        reached(metadata, root).iter().map(|id| text(&packages[id]["name"])).collect();
    assert!(
        names.contains("zstd-sys") && names.contains("cc"),
        "the walk sees what is built by cc"
    );

    let asks_for_more = [
        "aws-lc-sys",
        "autotools",
        "bindgen",
        "cmake",
        "nasm-rs",
        "native-tls",
        "openssl-sys",
        "prost-build",
        "protobuf-src",
    ];
    let found: Vec<_> = asks_for_more.iter().filter(|name| names.contains(*name)).collect();
    assert!(
        found.is_empty(),
        "{found:?} want cmake, nasm, protoc, perl or foreign headers to be built"
    );
}
