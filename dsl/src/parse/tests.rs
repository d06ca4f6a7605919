//! The grammar under layout, cuts and noise.

use proptest::prelude::*;

use super::*;

const FILES: [&str; 3] = [
    include_str!("../../../rules/crash.rules"),
    include_str!("../../../rules/crossover.rules"),
    include_str!("../../../rules/limits.rules"),
];

fn tree(text: &str) -> File {
    let parsed = parse(0, text);
    assert_eq!(parsed.diagnostics, [], "{text}");
    parsed.file
}

/// Replaces the space between tokens; a number and its unit stay on one line, as the language says.
fn lay_out(text: &str, gap: &str) -> String {
    let scan = Scan::new(0, text);
    let mut out = String::new();
    for index in 0..scan.tokens.len() {
        let word = scan.word(index);
        let is_amount = index > 0
            && scan.kind(index - 1) == Some(TokenKind::Number)
            && (scan.kind(index) == Some(TokenKind::Upper) || is_in("ticks lots", word));
        let glued = index > 0 && scan.tokens[index - 1].end == scan.tokens[index].start;
        let gap = match scan.kind(index.wrapping_sub(1)) {
            // A documentation comment ends with its line.
            Some(TokenKind::Doc) => "\n",
            _ if glued => "",
            _ if is_amount => " ",
            _ => gap,
        };
        out.push_str(gap);
        out.push_str(word);
    }
    out
}

#[test]
fn layout_does_not_matter() {
    for text in FILES {
        let wanted = tree(text);
        for gap in [" ", "\n", "\t  \r\n", " // a comment\n"] {
            assert_eq!(tree(&lay_out(text, gap)), wanted);
        }
    }
}

#[test]
fn statement_by_statement_is_the_same_as_the_rule_for_files() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut texts: Vec<String> = FILES.iter().map(|text| (*text).to_owned()).collect();
    for kind in ["ok", "warn", "err"] {
        for entry in std::fs::read_dir(folder.join(kind)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rules") {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    for text in texts {
        let whole = Grammar::parse(Rule::file, &text).is_ok();
        let faults = parse(0, &text).diagnostics;
        // Beyond the grammar: versions, limits of size and numbers, characters, empty invariants.
        let beyond = "R0105 R0106 R0115 R0118 R0119 R0906";
        let faults = faults.iter().filter(|fault| !is_in(beyond, fault.code)).count();
        if whole {
            assert_eq!(faults, 0, "{text}");
        } else {
            assert!(!parse(0, &text).diagnostics.is_empty(), "{text}");
        }
    }
}

#[test]
fn reserved_words_are_those_of_the_grammar() {
    let grammar = include_str!("../grammar.pest");
    let start = grammar.find("reserved = @{").unwrap();
    let rule = grammar.get(start..).unwrap().split("~ !idc").next().unwrap();
    let words: Vec<&str> = rule.split('"').skip(1).step_by(2).collect();
    let known: Vec<&str> = RESERVED.split(' ').collect();
    assert_eq!(words, known);
    for word in known {
        assert!(Grammar::parse(Rule::ident, word).is_err(), "{word}");
    }
}

#[test]
fn every_shipped_file_cut_anywhere_is_refused_and_never_panics() {
    for text in FILES {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)).step_by(11) {
            let head = text.get(..end).unwrap();
            let parsed = parse(0, head);
            let scan = Scan::new(0, head);
            let open = scan.tokens.iter().enumerate().fold(0_i32, |open, (index, _)| {
                open + i32::from(scan.word(index) == "{") - i32::from(scan.word(index) == "}")
            });
            assert!(open <= 0 || !parsed.diagnostics.is_empty(), "cut at {end}");
        }
    }
}

#[test]
fn deleting_any_token_never_panics_and_mostly_refuses() {
    let mut tried = 0;
    let mut accepted = 0;
    for text in FILES {
        let scan = Scan::new(0, text);
        for token in &scan.tokens {
            let mut cut = text.to_owned();
            cut.replace_range(token.start..token.end, " ");
            tried += 1;
            let sources = [crate::span::Source { name: "cut".to_owned(), text: cut }];
            if !crate::check::check(&sources).has_errors() {
                accepted += 1;
            }
        }
    }
    // What may go: comments, `not`, a minus, a number of a list, optional clauses.
    assert!(accepted * 8 < tried, "{accepted} of {tried} deletions still check");
}

#[test]
fn spans_end_with_what_they_mean() {
    let text = "rules 1\nrisk a hard {\n  applies to all\n  deny X when feed.age > 2s // why\n}\n";
    let Item::Risk { block, .. } = &tree(text).items[0] else { panic!("no risk block") };
    let span = block.statements[1].span;
    let bytes = usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap();
    let shown = text.get(bytes).unwrap();
    assert_eq!(shown, "deny X when feed.age > 2s");
}

#[test]
fn hostile_texts_end_soon() {
    let many = |text: &str, count: usize| text.repeat(count);
    let texts = [
        many("(", 100_000),
        format!("rules 1 risk a hard {{ deny X when {}", many("(", 63)),
        format!("rules 1 risk a hard {{ deny X when {}a {}", many("(", 61), many(")", 61)),
        format!("rules 1 risk a hard {{ deny X when {}a }}", many("not ", 100_000)),
        format!("rules 1 risk a hard {{ deny X when {}a }}", many("- ", 100_000)),
        format!("rules 1 risk a hard {{ deny X when a{} }}", many(" and a", 9_000)),
        format!("rules 1 risk a hard {{ deny X when {} }}", many("if a then b else ", 60_000)),
        format!("rules 1 risk a hard {{ deny X when {} }}", many("if ", 63)),
        format!("rules 1 risk a hard {{ let a = b{} }}", many("[1]", 100_000)),
        format!("rules 1 risk a hard {{ {} }}", many("deny X when a\n", 5_000)),
        format!("rules 1 risk a hard {{ {} }}", many("deny X whn a\n", 50_000)),
        format!("rules 1 {}", many("risk a hard { applies to all }\n", 20_000)),
        format!("rules 1 {}", many("{ ", 100_000)),
        many("/// doc\n", 100_000),
        many("\"", 100_000),
        many("@", 100_000),
    ];
    for text in texts {
        let sources = [crate::span::Source { name: "hostile".to_owned(), text }];
        drop(crate::check::check(&sources));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_text_never_panics(text in "\\PC*") {
        drop(parse(0, &text));
        drop(parse(0, &format!("rules 1\nrisk a hard {{ {text} }}")));
    }

    #[test]
    fn random_words_never_panic(words in proptest::collection::vec(word(), 0..40)) {
        for head in ["risk a hard", "strategy a", "test \"a\" for b", "invariant a for b"] {
            let text = format!("rules 1\n{head} {{ {} }}", words.join(" "));
            let sources = [crate::span::Source { name: "words".to_owned(), text }];
            drop(crate::check::check(&sources));
        }
    }
}

/// Words that occur in files, so that noise gets past the first token.
fn word() -> impl Strategy<Value = String> {
    let words: Vec<String> = FILES
        .iter()
        .flat_map(|text| {
            let scan = Scan::new(0, text);
            (0..scan.tokens.len()).map(|index| scan.word(index).to_owned()).collect::<Vec<_>>()
        })
        .filter(|word| !word.starts_with("///"))
        .collect();
    proptest::sample::select(words)
}
