//! What people read: one heading of the first rank, links that lead somewhere, and pages that are
//! made from a table of the program (`UPDATE=1` renews them).

use model::reject::REJECTS;

use super::tree::{File, clean, sees};

/// The book's table of contents, whose headings are those of its parts.
const CONTENTS: &str = "docs/SUMMARY.md";

/// Returns the lines of a page outside of code blocks, numbered from 1.
fn prose(file: &File) -> Vec<(usize, &str)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push((index + 1, line));
        }
    }
    if file.is("md") { lines } else { Vec::new() }
}

fn headings(file: &File) -> Vec<String> {
    let count = prose(file).iter().filter(|(_, line)| line.starts_with("# ")).count();
    let is_contents = file.path == CONTENTS;
    let is_wrong = file.is("md") && !is_contents && count != 1;
    let text = || format!("{}: {count} headings of the first rank, not one", file.path);
    is_wrong.then(text).into_iter().collect()
}

/// Returns what the links of a line lead to.
fn targets(line: &str) -> Vec<&str> {
    let behind = line.split("](").skip(1);
    behind.filter_map(|rest| rest.split(')').next()).filter(|target| !target.is_empty()).collect()
}

fn dead_links(file: &File) -> Vec<String> {
    let folder = tests::root().join(&file.path);
    let folder = folder.parent().unwrap_or(tests::root());
    let mut found = Vec::new();
    for (number, line) in prose(file) {
        for target in targets(line) {
            let is_foreign = target.contains("://") || target.starts_with("mailto:");
            let path = target.split('#').next().unwrap_or_default();
            if !is_foreign && !path.is_empty() && !folder.join(path).exists() {
                found.push(format!("{}:{number}: leads nowhere: {target}", file.path));
            }
        }
    }
    found
}

/// Returns the page of built-in reasons.
fn reject_codes() -> String {
    let mut page = String::from(
        "# Reject codes\n\
         \n\
         Reasons for which the engine itself refuses an order, whatever the rules say. They\n\
         stand in the `refusals` of a result, and their numbers in a journal's `Decision`\n\
         records; a number is never given to another reason. Reasons of rules have the names\n\
         that their files give them, and numbers from 1,000 on, in the order of the session's\n\
         rule table.\n\
         \n\
         This page is made from the table in `model/src/reject.rs`, by\n\
         `UPDATE=1 cargo test -p tests tidy`.\n\
         \n\
         | number | code | meaning |\n\
         |---|---|---|\n",
    );
    for (reject, name, meaning) in REJECTS {
        page.push_str(&format!("| {} | `{name}` | {meaning} |\n", reject as u16));
    }
    page
}

#[test]
fn every_page_has_one_heading_of_the_first_rank() {
    clean(headings);
    sees(headings, "docs/a.md", "# One\n# Two\n", "# One\n## Two\n```sh\n# three\n```\n");
    sees(headings, "docs/a.md", "text\n", "# One\n");
}

#[test]
fn links_inside_the_tree_lead_somewhere() {
    clean(dead_links);
    let good = "[a](unsafe.md#why) [b](../Cargo.toml) [c](https://a.example/x.md) [d](#here)";
    sees(dead_links, "docs/a.md", "see [this](nowhere.md)", good);
    sees(dead_links, "docs/a.md", "see [this](unsafe.md) and [that](../nowhere/)", good);
}

#[test]
fn the_book_lists_each_page_once() {
    let root = tests::root();
    let contents = std::fs::read_to_string(root.join(CONTENTS)).unwrap();
    let mut listed: Vec<&str> = contents.lines().flat_map(targets).collect();
    listed.sort_unstable();
    let mut pages: Vec<String> = std::fs::read_dir(root.join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md") && !CONTENTS.ends_with(name.as_str()))
        .collect();
    pages.sort_unstable();
    assert_eq!(listed, pages, "{CONTENTS} beside the pages of docs/");
}

#[test]
fn every_built_in_reason_is_documented() {
    let path = tests::root().join("docs/reject-codes.md");
    let page = reject_codes();
    if tests::updates() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "docs/reject-codes.md is stale: renew it with UPDATE=1");
    assert!(page.contains("| 1 | `NO_PRICE` |") && page.lines().count() > REJECTS.len() + 8);
    let mut names: Vec<&str> = REJECTS.iter().map(|(_, name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), REJECTS.len(), "a name is given twice");
}
