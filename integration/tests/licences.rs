//! Every crate we are built from comes from where it should, under a licence we accept.
//!
//! The rules are those of `.cargo/deny.toml`, so `cargo deny check licenses sources` says the same;
//! this needs nothing to be installed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a parent")
        .to_owned()
}

/// What is built for users: the workspace, and the Python package beside it.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "clients/python/Cargo.toml"];

fn packages() -> Vec<Value> {
    MANIFESTS.into_iter().flat_map(packages_of).collect()
}

fn packages_of(manifest: &str) -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .args(["--manifest-path", manifest])
        .current_dir(workspace())
        .output()
        .expect("run cargo metadata");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let used: BTreeSet<String> = metadata["resolve"]["nodes"]
        .as_array()
        .expect("a graph")
        .iter()
        .map(|node| node["id"].as_str().expect("an id").to_owned())
        .collect();
    let Value::Array(packages) = metadata["packages"].take() else {
        panic!("no packages")
    };
    packages
        .into_iter()
        .filter(|package| used.contains(package["id"].as_str().unwrap_or("")))
        .collect()
}

/// The strings of the list `name` in `.cargo/deny.toml`.
fn rule(name: &str) -> Vec<String> {
    let rules = fs::read_to_string(workspace().join(".cargo/deny.toml")).expect("read deny.toml");
    let rules: String = rules
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .collect();
    let start = rules
        .find(&format!("{name} = ["))
        .expect("the list is there");
    let list = rules[start..].split(['[', ']']).nth(1).expect("a list");
    list.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_licence_is_one_we_accept() {
    let allowed = rule("allow");
    let refused: Vec<String> = packages()
        .iter()
        .filter(|package| {
            let licence = package["license"].as_str().unwrap_or("");
            // Old manifests write `/` for `OR`.
            let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX);
            !expression.is_ok_and(|expression| {
                expression.evaluate(|requirement| allowed.contains(&requirement.to_string()))
            })
        })
        .map(|package| {
            format!(
                "{} {}: {}",
                package["name"], package["version"], package["license"]
            )
        })
        .collect();
    assert!(
        refused.is_empty(),
        "not in {allowed:?}:\n{}",
        refused.join("\n")
    );
}

#[test]
fn every_crate_comes_from_the_public_registry_or_this_workspace() {
    let strange: Vec<String> = packages()
        .iter()
        .filter_map(|package| package["source"].as_str())
        // What cargo calls its default registry, and deny.toml has as its default.
        .filter(|source| !source.ends_with("/crates.io-index"))
        .map(str::to_owned)
        .collect();
    assert!(strange.is_empty(), "from elsewhere: {strange:?}");
}
