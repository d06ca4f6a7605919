//! docs/rules-tests.md as its reader follows it: its files are written, its commands run in order,
//! and what they print is compared.
//!
//! A block with a name behind its language is a file. A block of the language `console` has
//! commands behind `$ `, each with its output: what is said beside the result, then the result.

use std::path::Path;
use std::process::{Command, Output};

use tests::program::{path, run};

/// The page.
const PAGE: &str = "docs/rules-tests.md";

/// The reader: a folder, and how the last command ended.
struct Reader<'a> {
    folder: &'a Path,
    code: i32,
    commands: usize,
}

impl Reader<'_> {
    /// Runs one line and returns what it shows.
    fn types(&mut self, line: &str) -> String {
        self.commands += 1;
        if line == "echo $?" {
            return format!("{}\n", self.code);
        }
        if let Some((words, file)) = line.split_once(" > ")
            && let Some(words) = words.strip_prefix("engine ")
        {
            let ran = self.runs(words);
            std::fs::write(self.folder.join(file), ran.stdout).unwrap();
            return String::new();
        }
        if let Some(words) = line.strip_prefix("engine ") {
            let ran = self.runs(words);
            return ran.stderr + &ran.stdout;
        }
        // What is no command of ours is the shell's.
        let shell = Command::new("sh").args(["-c", line]).current_dir(self.folder).output();
        let Output { status, stdout, .. } = shell.unwrap();
        self.code = status.code().unwrap();
        String::from_utf8(stdout).unwrap()
    }

    fn runs(&mut self, words: &str) -> tests::program::Ran {
        let ran = run(self.folder, &words.split(' ').collect::<Vec<_>>());
        self.code = ran.code.unwrap();
        ran
    }
}

#[test]
fn the_page_about_tests_of_rules_shows_what_its_commands_print() {
    let page = std::fs::read_to_string(tests::root().join(PAGE)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut reader = Reader { folder: folder.path(), code: 0, commands: 0 };
    let mut found = String::new();
    let mut files = 0;
    // Every second piece is a block.
    for (nth, piece) in page.split("```").enumerate() {
        if nth > 0 {
            found.push_str("```");
        }
        let (head, body) = piece.split_once('\n').unwrap_or((piece, ""));
        if nth % 2 == 0 {
            found.push_str(piece);
        } else if head == "console" {
            found.push_str("console\n");
            for line in body.lines().filter_map(|line| line.strip_prefix("$ ")) {
                found.push_str(&format!("$ {line}\n{}", reader.types(line)));
            }
        } else {
            let (_, name) = head.split_once(' ').unwrap();
            std::fs::write(folder.path().join(name), body).unwrap();
            files += 1;
            found.push_str(piece);
        }
    }
    assert!(files >= 4 && reader.commands >= 10, "{files} files, {} commands", reader.commands);
    assert!(path().is_file());
    if tests::updates() {
        std::fs::write(tests::root().join(PAGE), found).unwrap();
        return;
    }
    let mut lines = page.lines().zip(found.lines()).zip(1..);
    let differs = lines.find(|((page, found), _)| page != found);
    assert_eq!(differs, None, "{PAGE} is stale at this line: look, then renew it with UPDATE=1");
    assert!(page == found, "{PAGE} is longer or shorter than what is printed");
}
