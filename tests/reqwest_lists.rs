//! reqwest's public methods and features beside ours. Whatever reqwest adds makes this fail, until it is forwarded
//! or stands here with the reason why not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, FnArg, ImplItem, Item, Meta, Signature, Token, Type, Visibility};

const TYPES: [&str; 3] = ["Client", "ClientBuilder", "RequestBuilder"];

/// What reqwest has and we do not.
const METHODS_LEFT_OUT: [(&str, &str); 13] = [
    ("ClientBuilder::retry", "reqwest's own retries are off, since two levels of them multiply"),
    ("ClientBuilder::connector_layer", "its bounds name types that reqwest keeps to itself"),
    ("ClientBuilder::tls_backend_native", NATIVE_TLS),
    ("ClientBuilder::use_native_tls", NATIVE_TLS),
    ("ClientBuilder::tls_early_data", HTTP3),
    ("ClientBuilder::http3_prior_knowledge", HTTP3),
    ("ClientBuilder::http3_max_idle_timeout", HTTP3),
    ("ClientBuilder::http3_stream_receive_window", HTTP3),
    ("ClientBuilder::http3_conn_receive_window", HTTP3),
    ("ClientBuilder::http3_send_window", HTTP3),
    ("ClientBuilder::http3_congestion_bbr", HTTP3),
    ("ClientBuilder::http3_max_field_section_size", HTTP3),
    ("ClientBuilder::http3_send_grease", HTTP3),
];

const NATIVE_TLS: &str = "no feature of ours needs OpenSSL; `with` reaches it";
const HTTP3: &str = "unstable in reqwest (needs RUSTFLAGS) and bound to aws-lc; `with` reaches it";

/// What we have and reqwest does not.
const METHODS_OF_OURS: [(&str, &str); 13] = [
    ("Client::wrap", "a pipeline around a client that is there"),
    ("Client::pipeline", "what the calls go through"),
    ("ClientBuilder::name", "the default pipeline's"),
    ("ClientBuilder::pipeline", "what the calls go through"),
    ("ClientBuilder::per_host", "a pipeline for each host"),
    ("ClientBuilder::keyed", "a pipeline for each key"),
    ("ClientBuilder::with", "any setting that is not forwarded"),
    ("RequestBuilder::with", "any setting that is not forwarded"),
    ("RequestBuilder::idempotent", "said of this call alone"),
    ("RequestBuilder::no_retry", "said of this call alone"),
    ("RequestBuilder::url_template", "said of this call alone"),
    ("RequestBuilder::deadline", "said of this call alone"),
    ("RequestBuilder::through", "said of this call alone"),
];

/// reqwest's features that are not ours. Those that begin with `__` are nobody's.
const FEATURES_LEFT_OUT: [(&str, &str); 9] = [
    ("default", "what a program's own reqwest dependency has stays its choice"),
    ("default-tls", "brings a crypto provider"),
    ("rustls", "brings a crypto provider, aws-lc, which wants cmake or nasm on some targets"),
    ("http3", "brings `rustls`, and is unstable"),
    ("native-tls", "needs OpenSSL's headers"),
    ("native-tls-no-alpn", "needs OpenSSL's headers"),
    ("native-tls-vendored", "needs perl and make"),
    ("native-tls-vendored-no-alpn", "needs perl and make"),
    ("blocking", "seawall is asynchronous"),
];

/// A public method: how many arguments it takes, and what has to be so for it to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Method {
    arguments: usize,
    conditions: BTreeSet<String>,
}

type Methods = BTreeMap<String, Method>;

// ## Reading

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

fn package<'m>(metadata: &'m Value, name: &str) -> &'m Value {
    let packages = metadata["packages"].as_array().unwrap();
    let found: Vec<_> = packages.iter().filter(|package| package["name"] == name).collect();
    assert_eq!(found.len(), 1, "there is one `{name}`");
    found[0]
}

fn sources(package: &Value) -> PathBuf {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    manifest.with_file_name("src")
}

/// All Rust files below, but for the folders of these names.
fn files(folder: &Path, but: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !but.contains(&name) {
            found.extend(files(&path, but));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The public methods of [`TYPES`] in these files.
fn methods(files: &[PathBuf]) -> Methods {
    let mut methods = Methods::new();
    for path in files {
        let text = fs::read_to_string(path).unwrap();
        let file = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        file.items.iter().for_each(|item| collect(item, &mut methods));
    }
    methods
}

fn collect(item: &Item, methods: &mut Methods) {
    let Item::Impl(block) = item else { return };
    let (Type::Path(path), None) = (&*block.self_ty, &block.trait_) else { return };
    let owner = path.path.segments.last().unwrap().ident.to_string();
    if !TYPES.contains(&&*owner) {
        return;
    }
    let mut add = |attributes: &[Attribute], signature: &Signature| {
        let conditions = conditions(&block.attrs).chain(conditions(attributes)).collect();
        let taken = |input: &&FnArg| matches!(input, FnArg::Typed(_));
        let arguments = signature.inputs.iter().filter(taken).count();
        let name = format!("{owner}::{}", signature.ident);
        methods.insert(name, Method { arguments, conditions });
    };
    for item in &block.items {
        match item {
            ImplItem::Fn(method) if matches!(method.vis, Visibility::Public(_)) => {
                add(&method.attrs, &method.sig);
            }
            ImplItem::Macro(call) if call.mac.path.is_ident("forward") => {
                let Forwarded(methods) = call.mac.parse_body().unwrap();
                methods.iter().for_each(|(attributes, signature)| add(attributes, signature));
            }
            _ => {}
        }
    }
}

/// What stands in `forward! { .. }`.
struct Forwarded(Vec<(Vec<Attribute>, Signature)>);

impl Parse for Forwarded {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut methods = Vec::new();
        while !input.is_empty() {
            methods.push((input.call(Attribute::parse_outer)?, input.parse()?));
            input.parse::<Token![;]>()?;
        }
        Ok(Self(methods))
    }
}

/// The `cfg`s. All of reqwest's TLS is one feature of ours.
fn conditions(attributes: &[Attribute]) -> impl Iterator<Item = String> + '_ {
    attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let words: String = list.tokens.to_string().split_whitespace().collect();
            let words = words.replace(",)", ")");
            Some(match &*words {
                r#"feature="__tls""#
                | r#"feature="__rustls""#
                | r#"any(feature="__native-tls",feature="__rustls")"# => {
                    r#"feature="rustls-no-provider""#.to_owned()
                }
                _ => words,
            })
        }
        _ => None,
    })
}

fn theirs(metadata: &Value) -> Methods {
    let sources = sources(package(metadata, "reqwest"));
    methods(&files(&sources, &["wasm", "blocking"]))
}

fn ours() -> Methods {
    methods(&files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/reqwest"), &[]))
}

/// The names in a table, each of which must have its reason and be told once.
fn names<'t>(table: &'t [(&'t str, &'t str)]) -> BTreeSet<&'t str> {
    let names: BTreeSet<_> = table.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), table.len());
    assert!(table.iter().all(|(_, reason)| !reason.is_empty()));
    names
}

// ## Comparing

#[test]
fn every_method_of_reqwest_is_ours_or_left_out_for_a_reason() {
    let (theirs, ours) = (theirs(&metadata()), ours());
    // So that reading nothing cannot pass for agreement.
    for method in ["Client::get", "Client::execute", "ClientBuilder::gzip", "RequestBuilder::json"]
    {
        assert!(theirs.contains_key(method), "{method} was not found in reqwest's source");
    }
    let left_out = names(&METHODS_LEFT_OUT);
    for (name, method) in &theirs {
        match (ours.get(name), left_out.contains(&**name)) {
            (None, true) => {}
            (None, false) => panic!("reqwest has `{name}`: forward it, or say why not"),
            (Some(_), true) => panic!("`{name}` is there, and in the list of what is left out"),
            (Some(ours), false) => assert_eq!(ours, method, "{name}, ours and reqwest's"),
        }
    }
    let of_ours = names(&METHODS_OF_OURS);
    for name in ours.keys() {
        let both = (theirs.contains_key(name), of_ours.contains(&**name));
        assert!(both == (true, false) || both == (false, true), "{name}: {both:?}");
    }
    let gone = left_out.iter().find(|name| !theirs.contains_key(**name));
    assert_eq!(gone, None, "reqwest no longer has it");
    let gone = of_ours.iter().find(|name| !ours.contains_key(**name));
    assert_eq!(gone, None, "we no longer have it");
}

#[test]
fn every_feature_of_reqwest_is_ours_or_left_out_for_a_reason() {
    let metadata = metadata();
    let features = |name| package(&metadata, name)["features"].as_object().unwrap();
    let (theirs, ours) = (features("reqwest"), features("seawall"));
    let left_out = names(&FEATURES_LEFT_OUT);
    for feature in theirs.keys().filter(|feature| !feature.starts_with("__")) {
        let forwarded = ours.get(feature).is_some_and(|brings| {
            let forwarded = Value::String(format!("reqwest?/{feature}"));
            brings.as_array().unwrap().contains(&forwarded)
        });
        // A default of ours has the same name and is something else.
        let ours = ours.contains_key(feature) && feature != "default";
        assert_eq!(forwarded, ours, "`{feature}` forwards reqwest's");
        assert_ne!(
            forwarded,
            left_out.contains(&**feature),
            "`{feature}`: forward it, or say why not"
        );
    }
    let gone = left_out.iter().find(|name| !theirs.contains_key(**name));
    assert_eq!(gone, None, "reqwest no longer has it");
}

/// A crypto provider comes only from the program's own dependencies.
#[test]
fn no_feature_of_ours_brings_a_crypto_provider() {
    let metadata = metadata();
    let features = package(&metadata, "seawall")["features"].as_object().unwrap();
    let all = features.values().flat_map(|brings| brings.as_array().unwrap());
    for brought in all.map(|brought| brought.as_str().unwrap()) {
        let feature = brought.strip_prefix("reqwest?/").unwrap_or(brought);
        let provider = ["rustls", "default-tls", "native-tls", "http3"].contains(&feature);
        assert!(!provider && !feature.contains("aws") && feature != "ring", "{brought}");
    }
}

/// Where reqwest is the browser's `fetch`, our features end in a sentence of ours: under the very condition under which it is.
#[test]
fn the_condition_for_webassembly_is_reqwests_own() {
    let condition = r#"all(target_arch="wasm32",any(target_os="unknown",target_os="none"))"#;
    let without_spaces = |path: PathBuf| -> String {
        fs::read_to_string(path).unwrap().split_whitespace().collect()
    };
    let theirs = without_spaces(sources(package(&metadata(), "reqwest")).join("lib.rs"));
    assert!(
        theirs.contains(&format!("macro_rules!if_wasm{{($($item:item)*)=>{{$(#[cfg({condition})]"))
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let features = r#"any(feature="reqwest",feature="hyper")"#;
    let guard = format!("#[cfg(all({features},{condition}))]compile_error!(");
    assert!(without_spaces(root.join("src/lib.rs")).contains(&guard));
    // hyper-util does not compile there, and would have the first word.
    let target = format!("[target.'cfg(not({condition}))'.dependencies]hyper-util=");
    assert!(without_spaces(root.join("Cargo.toml")).contains(&target));
}
