//! Every help text: kept as a file, short enough, and with examples first.

use bench_tests::bench;

/// Most lines of a short help: a screen.
const SCREEN: usize = 40;

fn stdout(args: &[&str]) -> String {
    let output = bench().env_remove("COLUMNS").args(args).assert().code(0);
    String::from_utf8_lossy(&output.get_output().stdout).into_owned()
}

/// Every verb, with the verbs below it, as the program lists them.
fn verbs(above: &[String]) -> Vec<Vec<String>> {
    let args: Vec<&str> = above.iter().map(String::as_str).chain(["-h"]).collect();
    let help = stdout(&args);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let mut found = Vec::new();
    for line in listed.take_while(|line| !line.is_empty()) {
        // Deeper lines continue the one above.
        let Some(rest) = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')) else { continue };
        let name = rest.split(' ').next().expect("a name");
        if name == "help" {
            continue;
        }
        let verb: Vec<String> = above.iter().cloned().chain([name.to_owned()]).collect();
        found.extend(verbs(&verb));
        found.push(verb);
    }
    found
}

#[test]
fn a_short_help_fits_a_screen_and_a_long_one_opens_with_three_examples() {
    let verbs = verbs(&[]);
    assert!(verbs.len() > 25, "{verbs:?}");
    for verb in verbs.iter().chain([&Vec::new()]) {
        let with = |flag: &'static str| -> Vec<&str> { verb.iter().map(String::as_str).chain([flag]).collect() };
        let name = verb.join(" ");
        let short = stdout(&with("-h"));
        assert!(short.lines().count() <= SCREEN, "`bench {name} -h` has {} lines:\n{short}", short.lines().count());
        let long = stdout(&with("--help"));
        // A verb that only holds others has its examples there.
        if short.contains("\nCommands:\n") && !name.is_empty() {
            continue;
        }
        let mut lines = long.lines();
        assert_eq!(lines.next(), Some("Examples:"), "`bench {name} --help`:\n{long}");
        let examples: Vec<&str> = lines.take_while(|line| line.starts_with("  ")).collect();
        let calls = examples.iter().filter(|line| line.contains("bench ")).count();
        assert!(calls >= 3, "`bench {name} --help` has {calls} examples:\n{long}");
        assert!(
            examples.iter().filter(|l| l.contains("bench ")).all(|l| l.contains(&format!("bench {name}"))),
            "{long}"
        );
    }
}

#[test]
fn every_help_text_reads_as_kept() {
    for verb in verbs(&[]).iter().chain([&Vec::new()]) {
        let args: Vec<&str> = verb.iter().map(String::as_str).chain(["--help"]).collect();
        let name = if verb.is_empty() { "bench".to_owned() } else { format!("bench-{}", verb.join("-")) };
        insta::with_settings!({ snapshot_path => "../snapshots/help", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, stdout(&args));
        });
    }
}

#[test]
fn every_verb_is_in_the_completions_and_has_a_man_page() {
    let folder = bench_tests::folder();
    stdout(&["man", "--dir", folder.path().to_str().expect("a path")]);
    let completions = ["bash", "zsh", "fish"].map(|shell| stdout(&["completions", shell]));
    for verb in verbs(&[]) {
        let page = folder.path().join(format!("bench-{}.1", verb.join("-")));
        assert!(page.is_file(), "{}", page.display());
        let last = verb.last().expect("a name");
        assert!(completions.iter().all(|script| script.contains(last.as_str())), "{last}");
    }
    assert!(folder.path().join("bench.1").is_file());
}
