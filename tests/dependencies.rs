//! What the binary is built from, held against `deny.toml`: each licence is one that may be, and no crate is there in two
//! versions but those named. Known vulnerabilities need a database from the net: `cargo deny check` asks it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Crates of the normal and build dependencies on this platform, as (name, version, licence).
fn crates() -> Vec<(String, String, String)> {
    let tree = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none", "--no-dedupe"])
        .args(["--format", "{p}\t{l}"])
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let mut found: Vec<_> = String::from_utf8(tree.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let (package, licence) = line.split_once('\t')?;
            let mut words = package.split(' ');
            Some((words.next()?.to_owned(), words.next()?.to_owned(), licence.to_owned()))
        })
        .collect();
    found.sort();
    found.dedup();
    assert!(found.len() > 50, "cargo tree lists the dependencies: {found:?}");
    found
}

fn policy() -> toml::Table {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml")).unwrap().parse().unwrap()
}

#[test]
fn every_licence_is_one_that_may_be() {
    let policy = policy();
    let allowed: BTreeSet<spdx::Licensee> = policy["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| spdx::Licensee::parse(name.as_str().unwrap()).unwrap())
        .collect();
    let mut used = BTreeSet::new();
    for (name, version, licence) in crates() {
        let expression = spdx::Expression::parse_mode(&licence, spdx::ParseMode::LAX)
            .unwrap_or_else(|e| panic!("{name} {version}: licence {licence:?}: {e}"));
        let fits = expression.evaluate(|wanted| {
            let have = allowed.iter().find(|have| have.satisfies(wanted));
            used.extend(have.cloned());
            have.is_some()
        });
        assert!(fits, "{name} {version} has the licence {licence:?}, which deny.toml does not allow");
    }
    let idle: Vec<_> = allowed.difference(&used).map(ToString::to_string).collect();
    assert!(idle.is_empty(), "deny.toml allows licences that no dependency has: {idle:?}");
}

#[test]
fn no_crate_is_there_in_two_versions() {
    let policy = policy();
    let skipped: BTreeSet<String> = policy["bans"]["skip"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skip| skip["crate"].as_str().unwrap().split('@').next().unwrap().to_owned())
        .collect();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, version, _) in crates() {
        versions.entry(name).or_default().insert(version);
    }
    let doubled: Vec<_> =
        versions.iter().filter(|(name, found)| found.len() > 1 && !skipped.contains(*name)).collect();
    assert!(doubled.is_empty(), "more than one version: {doubled:?}");
}
