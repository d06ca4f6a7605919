//! Manifests: which crate may name which, lints, and why each dependency is taken.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::source::{code, has_word};
use super::tree::{File, clean, files, sees};

/// Which of our crates each one may name; `None` may name all, and none may name it.
const ARROWS: [(&str, Option<&[&str]>); 7] = [
    ("model", Some(&[])),
    ("journal", Some(&[])),
    ("dsl", Some(&["model"])),
    ("venues", Some(&["model"])),
    ("engine", Some(&["model", "journal", "dsl", "venues"])),
    ("bench", None),
    ("tests", None),
];

/// The tables of a manifest that name dependencies.
fn dependencies(manifest: &Table) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut take = |tables: &Table| {
        for name in ["dependencies", "dev-dependencies", "build-dependencies"] {
            if let Some(table) = tables.get(name).and_then(Value::as_table) {
                found.extend(table.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
        }
    };
    take(manifest);
    let targets = manifest.get("target").and_then(Value::as_table);
    for target in targets.into_iter().flat_map(Table::values) {
        target.as_table().into_iter().for_each(&mut take);
    }
    found
}

/// Returns a member's manifest: the file is `<member>/Cargo.toml`.
fn member(file: &File) -> Option<(&str, Table)> {
    let name = file.path.strip_suffix("/Cargo.toml").filter(|name| !name.contains('/'))?;
    Some((name, file.text.parse().unwrap()))
}

fn arrows(file: &File) -> Vec<String> {
    let Some((name, manifest)) = member(file) else { return Vec::new() };
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{}: no arrows are agreed for this crate", file.path)];
    };
    let ours = |known: &str| ARROWS.iter().any(|(name, _)| *name == known);
    let named = dependencies(&manifest);
    let wrong = named.keys().filter(|other| {
        let is_open = ARROWS.iter().any(|(known, arrows)| known == other && arrows.is_none());
        let may = allowed.is_none_or(|allowed| allowed.contains(&other.as_str()));
        ours(other) && (is_open || !may)
    });
    wrong.map(|other| format!("{}: may not depend on {other}", file.path)).collect()
}

/// The library of the engine does not know the venues: only the program puts them together.
fn names_venues(file: &File) -> Vec<String> {
    let is_library = file.path.starts_with("engine/src/")
        && !file.path.starts_with("engine/src/app")
        && file.path != "engine/src/main.rs";
    if !is_library {
        return Vec::new();
    }
    let numbered = file.text.lines().enumerate();
    let names = |line: &str| {
        let code = code(line);
        has_word(&code, "venues::") || code.contains("venues::") || code.trim() == "use venues;"
    };
    let found = numbered.filter(|(_, line)| names(line));
    found.map(|(index, _)| format!("{}:{}: names venues", file.path, index + 1)).collect()
}

fn without_lints(file: &File) -> Vec<String> {
    let Some((_, manifest)) = member(file) else { return Vec::new() };
    let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    let is_wrong = lints.and_then(Value::as_bool) != Some(true);
    is_wrong.then(|| format!("{}: [lints] workspace = true", file.path)).into_iter().collect()
}

/// Versions stand once, in the workspace's table. What one member takes for one target may differ.
fn with_version(file: &File) -> Vec<String> {
    let Some((_, mut manifest)) = member(file) else { return Vec::new() };
    manifest.remove("target");
    let is_shared = |value: &Value| value.get("workspace").and_then(Value::as_bool) == Some(true);
    let all = dependencies(&manifest);
    let wrong = all.iter().filter(|(_, value)| !is_shared(value));
    wrong.map(|(name, _)| format!("{}: {name}.workspace = true", file.path)).collect()
}

/// Each dependency has its reason behind it, or stands in a group with a heading.
fn without_reason(file: &File) -> Vec<String> {
    if file.path != "Cargo.toml" {
        return Vec::new();
    }
    let mut found = Vec::new();
    let (mut is_inside, mut has_heading) = (false, false);
    for (index, line) in file.text.lines().enumerate() {
        if line.starts_with('[') {
            is_inside = line == "[workspace.dependencies]";
            has_heading = false;
        } else if line.trim().is_empty() {
            has_heading = false;
        } else if line.starts_with('#') {
            has_heading = true;
        } else if is_inside && !has_heading && !line.contains(" # ") {
            found.push(format!("{}:{}: say why: {line}", file.path, index + 1));
        }
    }
    found
}

#[test]
fn crates_name_only_those_that_they_may() {
    clean(arrows);
    let names: Vec<String> =
        files().iter().filter_map(|file| member(file).map(|(name, _)| name.to_owned())).collect();
    for (name, _) in ARROWS {
        assert!(names.iter().any(|known| known == name), "no crate {name}: {names:?}");
    }
    let with = |other: &str| format!("[dependencies]\n{other} = {{ workspace = true }}\n");
    sees(arrows, "model/Cargo.toml", &with("journal"), &with("jiff"));
    sees(arrows, "dsl/Cargo.toml", &with("engine"), &with("model"));
    sees(arrows, "engine/Cargo.toml", &with("tests"), &with("dsl"));
    sees(arrows, "bench/Cargo.toml", &with("tests"), &with("engine"));
    sees(arrows, "venues/Cargo.toml", "[dev-dependencies]\ndsl = {}", "[dev-dependencies]\n");
    sees(arrows, "model/Cargo.toml", "[target.'cfg(loom)'.dependencies]\ndsl = {}", "");
    assert_eq!(arrows(&File::made("sidecar/Cargo.toml", "")).len(), 1, "a crate without arrows");
}

#[test]
fn the_engine_as_a_library_does_not_name_the_venues() {
    clean(names_venues);
    let good = "/// As venues::binance does.\nlet venues = 3;";
    sees(names_venues, "engine/src/feed.rs", "use venues::binance::Frame;", good);
    sees(names_venues, "engine/src/feed.rs", "let p = ::venues::binance::Parser::new();", good);
    let inside = File::made("engine/src/app/data/raw.rs", "use venues::binance::Frame;");
    assert_eq!(names_venues(&inside), [""; 0]);
}

#[test]
fn every_member_takes_the_lints_of_the_workspace() {
    clean(without_lints);
    sees(without_lints, "model/Cargo.toml", "[package]", "[lints]\nworkspace = true");
}

#[test]
fn versions_stand_in_the_workspace_only() {
    clean(with_version);
    let with = |value: &str| format!("[dependencies]\nserde = {value}");
    sees(with_version, "model/Cargo.toml", &with("'1'"), &with("{ workspace = true }"));
}

#[test]
fn every_dependency_says_why_it_is_taken() {
    clean(without_reason);
    let table = "[workspace.dependencies]\n";
    let bad = format!("{table}# Text.\nserde = '1'\n\nzstd = '0.13'\n");
    sees(without_reason, "Cargo.toml", &bad, &format!("{table}zstd = '0.13' # recorded data\n"));
}
