//! What `cargo deny check bans licenses sources` says, for a machine that has no cargo-deny: every package that is
//! built here, and every one of the console, has a licence of deny.toml's list and comes from the registry.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};

struct Policy {
    licences: BTreeSet<String>,
    banned: BTreeSet<String>,
}

fn root(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

fn policy() -> Policy {
    let deny: toml::Table = std::fs::read_to_string(root("deny.toml")).unwrap().parse().unwrap();
    let texts = |value: &toml::Value| -> BTreeSet<String> {
        value.as_array().unwrap().iter().map(|v| v.get("name").unwrap_or(v).as_str().unwrap().to_owned()).collect()
    };
    Policy { licences: texts(&deny["licenses"]["allow"]), banned: texts(&deny["bans"]["deny"]) }
}

impl Policy {
    fn allows(&self, expression: &str) -> bool {
        // `MIT/Apache-2.0` is how it was written before SPDX expressions; crates of that age still do.
        let lax = ParseMode { allow_slash_as_or_operator: true, ..ParseMode::STRICT };
        let parsed = Expression::parse_mode(expression, lax);
        parsed.is_ok_and(|e| e.evaluate(|req: &LicenseReq| self.licences.contains(&req.to_string())))
    }
}

/// The packages that a build for this machine takes.
fn packages() -> Vec<Value> {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", host])
        .current_dir(root(""))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    let resolved: BTreeSet<&str> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().filter_map(|node| node["id"].as_str()).collect();
    let all = metadata["packages"].as_array().unwrap().iter();
    all.filter(|package| resolved.contains(package["id"].as_str().unwrap())).cloned().collect()
}

#[test]
fn every_crate_has_a_licence_of_the_list_and_comes_from_the_registry() {
    let policy = policy();
    let mut problems = Vec::new();
    let mut origins = BTreeSet::new();
    for package in packages() {
        let name = format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        let Some(origin) = package["source"].as_str() else {
            // Ours. What it asks for must name a version.
            for asked in package["dependencies"].as_array().unwrap() {
                if asked["req"] == "*" && asked["path"].is_null() {
                    problems.push(format!("{name} takes any version of {}", asked["name"]));
                }
            }
            continue;
        };
        origins.insert(origin.to_owned());
        let licence = package["license"].as_str().unwrap_or("none");
        if !policy.allows(licence) {
            problems.push(format!("{name} has the licence {licence}"));
        }
        if policy.banned.contains(package["name"].as_str().unwrap()) {
            problems.push(format!("{name} is banned"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert_eq!(origins.len(), 1, "one registry, no repositories: {origins:?}");
    assert!(origins.iter().all(|origin| origin.starts_with("registry+")), "{origins:?}");
}

#[test]
fn every_package_of_the_console_has_a_licence_of_the_list() {
    let policy = policy();
    let text = std::fs::read_to_string(root("dashboard/web/package-lock.json")).unwrap();
    let lock: Value = serde_json::from_str(&text).unwrap();
    let mut seen = 0;
    for (path, package) in lock["packages"].as_object().unwrap().iter().filter(|(path, _)| !path.is_empty()) {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(policy.allows(licence), "{path} has the licence {licence}");
        assert!(package.get("resolved").is_none(), "{path} names where it was downloaded from (see .npmrc)");
        seen += 1;
    }
    assert!(seen > 10, "the lock file lists what the console is made of");
}

#[test]
fn a_licence_outside_the_list_is_found() {
    let policy = policy();
    assert!(policy.allows("MIT OR GPL-3.0-only") && policy.allows("MIT/Apache-2.0"));
    assert!(!policy.allows("GPL-3.0-only") && !policy.allows("MIT AND AGPL-3.0-only") && !policy.allows("none"));
}
