//! What is compiled: names, headers, lengths, words that must not stay, unsafe code.

use super::tree::{File, clean, sees};

/// LIMIT: lines of a source file.
const LINES_MAX: usize = 1_000;
/// LIMIT: lines of a file of tables or tests that is listed below.
const LISTED_MAX: usize = 1_500;
/// Files of tables or tests that may be longer.
const LISTED: &[&str] = &[];
/// LIMIT: characters of a line.
const CHARS_MAX: usize = 100;
/// Files whose wide lines are the rows of a table, which a break would make harder to read.
const WIDE: &[&str] = &["bench/src/frames.rs", "dsl/src/schema.rs"];
/// LIMIT: bytes of any file.
const BYTES_MAX: usize = 500_000;
/// The files that may hold unsafe code; docs/unsafe.md has the same list.
const UNSAFE: &[&str] = &["journal/src/map.rs"];
/// Words of unfinished work, in pieces so that this file does not hold them.
const LEFT: [&str; 6] = [
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
    concat!("#[", "ignore"),
];
/// Tags at the beginning of a comment.
const TAGS: [&str; 5] = ["SAFETY", "ORDERING", "INVARIANT", "LIMIT", "QUIRK"];
/// Names of records that begin a comment as a tag would.
const RECORDS: [&str; 2] = ["BARRIER", "RECOVERED"];
/// In pieces, as the words above.
const UNSAFE_WORD: &str = concat!("un", "safe");

/// Returns a line without its comment and the texts in it. Good for rustfmt's lines; texts of
/// several lines count as code, which no check here minds.
pub(super) fn code(line: &str) -> String {
    let mut code = String::new();
    let mut in_text = false;
    let mut before = ' ';
    for letter in line.chars() {
        if letter == '"' && before != '\\' && before != '\'' {
            in_text = !in_text;
        } else if letter == '/' && before == '/' && !in_text {
            break;
        } else if !in_text {
            code.push(letter);
        }
        before = if before == '\\' { ' ' } else { letter };
    }
    code
}

/// Tells whether a text holds a word, as Rust cuts words.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let after = rest.strip_prefix(word).unwrap_or_default();
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

/// Returns `path:line: what` for each line of a source file that is wrong.
fn lines(file: &File, wrong: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let numbered = file.text.lines().enumerate();
    let finding = |(index, line): (usize, &str)| {
        wrong(line).map(|what| format!("{}:{}: {what}", file.path, index + 1))
    };
    if file.is("rs") { numbered.filter_map(finding).collect() } else { Vec::new() }
}

fn named_mod(file: &File) -> Vec<String> {
    let is_mod = file.path.ends_with("/mod.rs");
    is_mod.then(|| format!("{}: write name.rs beside name/", file.path)).into_iter().collect()
}

fn headless(file: &File) -> Vec<String> {
    let is_wrong = file.is("rs") && !file.text.starts_with("//! ");
    is_wrong.then(|| format!("{}: begin with what it is for, //!", file.path)).into_iter().collect()
}

fn too_long(file: &File) -> Vec<String> {
    let limit = if LISTED.contains(&file.path.as_str()) { LISTED_MAX } else { LINES_MAX };
    let count = file.text.lines().count();
    let is_wrong = file.is("rs") && count > limit;
    is_wrong.then(|| format!("{}: {count} lines, at most {limit}", file.path)).into_iter().collect()
}

fn too_wide(file: &File) -> Vec<String> {
    if WIDE.contains(&file.path.as_str()) {
        return Vec::new();
    }
    lines(file, |line| {
        let count = line.chars().count();
        (count > CHARS_MAX).then(|| format!("{count} characters, at most {CHARS_MAX}"))
    })
}

fn unfinished(file: &File) -> Vec<String> {
    lines(file, |line| {
        let left = LEFT.iter().find(|left| line.contains(**left));
        left.map(|left| format!("{left} is left over: finish it, or drop it"))
    })
}

fn misspelt(file: &File) -> Vec<String> {
    lines(file, |line| {
        let comment = line.trim_start().strip_prefix("//")?.trim_start_matches(['/', '!']).trim();
        let (tag, _) = comment.split_once(':')?;
        let tag = tag.split('(').next().unwrap_or_default();
        let is_tag = tag.len() > 3 && tag.chars().all(|letter| letter.is_ascii_uppercase());
        let is_wrong = is_tag && !TAGS.contains(&tag) && !RECORDS.contains(&tag);
        is_wrong.then(|| format!("no such tag as {tag}: the tags are {}", TAGS.join(", ")))
    })
}

fn not_safe(file: &File) -> Vec<String> {
    if UNSAFE.contains(&file.path.as_str()) {
        return Vec::new();
    }
    lines(file, |line| {
        let is_wrong = has_word(&code(line), UNSAFE_WORD);
        is_wrong.then(|| format!("unsafe code belongs into {}", UNSAFE.join(", ")))
    })
}

fn too_large(file: &File) -> Vec<String> {
    let is_wrong = file.bytes > BYTES_MAX;
    let text = || format!("{}: {} bytes, at most {BYTES_MAX}", file.path, file.bytes);
    is_wrong.then(text).into_iter().collect()
}

fn of_this_machine(file: &File) -> Vec<String> {
    let folders = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let is_path = |line: &str, folder: &str| {
        line.match_indices(folder).any(|(at, _)| {
            let before = line.split_at(at).0;
            !before.ends_with(|letter: char| letter.is_alphanumeric() || "._-})>".contains(letter))
        })
    };
    let found = file.text.lines().enumerate().filter_map(|(index, line)| {
        let folder = folders.iter().find(|folder| is_path(line, folder))?;
        Some(format!("{}:{}: a path of one machine, {folder}", file.path, index + 1))
    });
    found.collect()
}

fn secret(file: &File) -> Vec<String> {
    let signs = [concat!("PRIVATE ", "KEY-----"), concat!("AKI", "AI"), concat!("ghp", "_")];
    let found = signs.iter().filter(|sign| file.text.contains(**sign));
    found.map(|sign| format!("{}: looks like a secret: {sign}", file.path)).collect()
}

#[test]
fn no_file_is_named_mod() {
    clean(named_mod);
    assert_eq!(named_mod(&File::made("dsl/src/parse/mod.rs", "")).len(), 1);
    assert_eq!(named_mod(&File::made("dsl/src/parse.rs", "mod rs;")), [""; 0]);
}

#[test]
fn every_source_file_begins_with_what_it_is_for() {
    clean(headless);
    sees(headless, "a/src/b.rs", "use std::fmt;\n", "//! Prices.\n");
}

#[test]
fn no_source_file_is_too_long() {
    clean(too_long);
    sees(too_long, "a/src/b.rs", &"\n".repeat(1_001), &"\n".repeat(1_000));
}

#[test]
fn no_line_is_too_wide() {
    clean(too_wide);
    sees(too_wide, "a/src/b.rs", &"é".repeat(101), &"é".repeat(100));
}

#[test]
fn nothing_is_left_unfinished() {
    clean(unfinished);
    for left in LEFT {
        sees(unfinished, "a/src/b.rs", &format!("fn f() {{ {left} }}"), "fn f() { g() }");
    }
}

#[test]
fn tags_are_spelled_as_agreed() {
    clean(misspelt);
    sees(misspelt, "a/src/b.rs", "    // SAFTEY: it holds", "    // SAFETY: it holds");
    sees(misspelt, "a/src/b.rs", "/// QUIRKS(kraken): odd", "/// QUIRK(kraken): odd");
}

#[test]
fn unsafe_code_stays_in_its_file_and_the_document_lists_it() {
    clean(not_safe);
    let with = |text: &str| text.replace('@', UNSAFE_WORD);
    sees(not_safe, "a/src/b.rs", &with("let x = @ { *y };"), &with("let x = \"@\"; // @"));
    sees(not_safe, "a/src/b.rs", &with("@ impl Send for X {}"), &with("#![deny(@_code)]"));
    let document = std::fs::read_to_string(tests::root().join("docs/unsafe.md")).unwrap();
    for file in UNSAFE {
        let text = std::fs::read_to_string(tests::root().join(file)).unwrap();
        let blocks = text.lines().filter(|line| has_word(&code(line), UNSAFE_WORD)).count();
        assert!(blocks > 0, "{file} holds no unsafe code any more");
        assert!(document.contains(file), "docs/unsafe.md does not list {file}");
    }
}

#[test]
fn no_file_is_too_large() {
    clean(too_large);
    sees(too_large, "a/data.csv", &"x".repeat(500_001), &"x".repeat(500_000));
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    clean(of_this_machine);
    let (bad, good) = (concat!("in `/wo", "rk/main`"), "in https://a.example/work/b");
    sees(of_this_machine, "docs/a.md", bad, good);
    sees(of_this_machine, "tests/a.py", concat!("F = '/ro", "ot/x'"), "F = 'x'");
}

#[test]
fn nothing_looks_like_a_secret() {
    clean(secret);
    sees(secret, "a.pem", concat!("-----BEGIN PRIVATE ", "KEY-----"), "a key is private");
}

#[test]
fn comments_and_texts_are_told_from_code() {
    let rows = [
        ("a(); // b", "a(); /"),
        ("a(\"b // c\", d);", "a(, d);"),
        ("a(\"\\\"b\", c)", "a(, c)"),
        ("a('\"', b)", "a('\"', b)"),
    ];
    for (line, expected) in rows {
        assert_eq!(code(line), expected, "{line}");
    }
    assert!(has_word("x moved{", "moved") && !has_word("moved_on", "moved"));
}
