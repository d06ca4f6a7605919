//! What the program says of itself.

use tests::program::run;

/// Returns the commands below a command, as its help lists them.
fn below(path: &[&str]) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &[path, &["--help"]].concat());
    assert_eq!(ran.code, Some(0), "{path:?}: {ran:?}");
    let list = ran.stdout.split("Commands:\n").nth(1).unwrap_or_default();
    let list = list.split("\n\n").next().unwrap_or_default();
    let word = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
    // A long description goes on, further in.
    let names = list.lines().filter(|line| !line.starts_with("     ")).map(word);
    let names = names.filter(|name| name != "help" && !name.is_empty()).collect();
    (ran.stdout, names)
}

fn check(path: &[&str], seen: &mut Vec<String>) {
    let (help, names) = below(path);
    assert!(help.contains("Example"), "no example in the help of {path:?}:\n{help}");
    assert!(help.contains("  engine "), "no command line in the help of {path:?}:\n{help}");
    seen.push(path.join(" "));
    for name in &names {
        check(&[path, &[name.as_str()]].concat(), seen);
    }
}

#[test]
fn the_help_of_every_command_has_an_example() {
    let mut seen = Vec::new();
    check(&[], &mut seen);
    let expected = [
        "",
        "demo",
        "backtest",
        "run",
        "level",
        "config",
        "config show",
        "config check",
        "config default",
        "config schema",
        "replay",
        "rules",
        "rules check",
        "rules explain",
        "journal",
        "journal info",
        "journal verify",
        "journal dump",
        "slo",
    ];
    for command in expected {
        assert!(seen.iter().any(|name| name == command), "`{command}` is not in {seen:?}");
    }
}

#[test]
fn the_help_names_the_exit_codes() {
    let (help, _) = below(&[]);
    let codes = "0 fine, 1 a finding, 2 wrong usage or configuration, 3 corrupt data, 70 a defect \
                 or a failed disk";
    assert!(help.replace('\n', " ").contains(codes), "{help}");
}
