//! The arrows between the crates, as ARCHITECTURE.md draws them: each manifest names only what it may, and the rules
//! know neither a clock, nor chance, nor IO.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each crate with the crates of the workspace that it may use.
const ARROWS: &[(&str, &str, &[&str])] = &[
    ("domain", "domain", &[]),
    ("event-store", "event-store", &["domain"]),
    ("event-api", "event-api", &["domain", "event-store", "http-problem"]),
    ("http-problem", "command-api/http-problem", &[]),
    ("command-api", "command-api", &["domain", "event-store", "http-problem"]),
    ("projections", "projections", &["domain", "event-store", "http-problem"]),
    ("replay-tool", "replay-tool", &["domain", "event-store", "projections"]),
    ("bursar", "", &["domain", "event-store", "event-api", "command-api", "http-problem", "projections"]),
];

/// What the rules may use besides the standard library, and what their tests may use.
const OF_DOMAIN: &[&str] = &["chrono", "foldhash", "serde", "smol_str", "thiserror"];
const OF_DOMAIN_TESTS: &[&str] = &["proptest", "serde_json"];

/// Words that no file of the rules has.
const NOT_IN_DOMAIN: &[&str] = &[
    "SystemTime",
    "Instant",
    "Utc::now",
    "Local::now",
    "tokio",
    "rand::",
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::thread",
    "std::process",
    "println!",
    "async fn",
    "tracing",
    "sqlx",
    "axum",
];

/// Crates that belong to one side only.
const SQL: &str = "sqlx";
const HTTP: &[&str] = &["axum", "hyper", "hyper-util", "utoipa", "utoipa-axum", "reqwest"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn manifest(folder: &str) -> toml::Table {
    let path = root().join(folder).join("Cargo.toml");
    fs::read_to_string(&path).unwrap().parse().unwrap()
}

/// The names under `[dependencies]`, `[dev-dependencies]` or `[build-dependencies]`.
fn named(manifest: &toml::Table, kind: &str) -> BTreeSet<String> {
    manifest.get(kind).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys).cloned().collect()
}

fn all_named(manifest: &toml::Table) -> BTreeSet<String> {
    ["dependencies", "dev-dependencies", "build-dependencies"].iter().flat_map(|kind| named(manifest, kind)).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_crate_of_the_workspace_stands_in_the_table_of_arrows() {
    let members = manifest("")["workspace"]["members"].as_array().unwrap().clone();
    let members: BTreeSet<_> = members.iter().map(|member| member.as_str().unwrap().to_owned()).collect();
    let known: BTreeSet<_> =
        ARROWS.iter().map(|(_, folder, _)| (*folder).to_owned()).filter(|f| !f.is_empty()).collect();
    assert_eq!(members, known);
    for (name, folder, _) in ARROWS {
        assert_eq!(manifest(folder)["package"]["name"].as_str(), Some(*name), "{folder}");
    }
}

#[test]
fn each_crate_uses_only_the_crates_that_its_arrows_lead_to() {
    let ours: BTreeSet<_> = ARROWS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    for (name, folder, allowed) in ARROWS {
        let used: BTreeSet<_> = all_named(&manifest(folder)).intersection(&ours).cloned().collect();
        let allowed: BTreeSet<_> = allowed.iter().map(|a| (*a).to_owned()).collect();
        let forbidden: Vec<_> = used.difference(&allowed).collect();
        assert!(forbidden.is_empty(), "{name} must not use {forbidden:?}");
    }
}

#[test]
fn sql_and_http_stay_on_their_sides() {
    for (name, folder, _) in ARROWS {
        let used = all_named(&manifest(folder));
        if !["projections", "bursar"].contains(name) {
            assert!(!used.contains(SQL), "{name} must not use {SQL}");
        }
        if ["domain", "event-store", "replay-tool"].contains(name) {
            let http: Vec<_> = HTTP.iter().filter(|crate_| used.contains(**crate_)).collect();
            assert!(http.is_empty(), "{name} must not use {http:?}");
        }
    }
}

#[test]
fn the_rules_use_only_what_their_table_allows() {
    let manifest = manifest("domain");
    assert_eq!(named(&manifest, "dependencies"), OF_DOMAIN.iter().map(|d| (*d).to_owned()).collect());
    assert_eq!(named(&manifest, "dev-dependencies"), OF_DOMAIN_TESTS.iter().map(|d| (*d).to_owned()).collect());
    assert_eq!(named(&manifest, "build-dependencies"), BTreeSet::new());
}

#[test]
fn the_rules_know_no_clock_no_chance_and_no_io() {
    let files = rust_files(&root().join("domain/src"));
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for word in NOT_IN_DOMAIN {
            assert!(!text.contains(word), "{} must not have {word}", file.display());
        }
    }
}
