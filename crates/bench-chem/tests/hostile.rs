//! Text that means harm: an error each time, no panic, no overflow of a thread's small stack.

use bench_chem::{Molecule, Morgan, Sanitisation};
use proptest::prelude::*;

/// Reads a text with both policies and asks a molecule for everything.
fn exercise(smiles: &str) -> bool {
    let mut accepted = false;
    for policy in [Sanitisation::Rdkit, Sanitisation::Lenient] {
        match Molecule::from_smiles(smiles, policy) {
            Ok(molecule) => {
                accepted = true;
                let graph = molecule.graph();
                assert_eq!(graph.edges.len(), graph.bonds.len());
                assert!(graph.edges.iter().flatten().all(|&atom| (atom as usize) < graph.atoms.len()));
                let kind = Morgan::new(2, 64).expect("a defined fingerprint");
                let _ = molecule.morgan(&kind);
                let _ = molecule.morgan(&kind.with_chirality());
                let _ = molecule.scaffold();
                molecule.maccs();
            }
            Err(error) => assert!(error.to_string().len() < 1000, "messages stay short"),
        }
    }
    accepted
}

/// On a stack half as large as a worker thread's.
fn refused_on_a_small_stack(smiles: String) {
    let text: String = smiles.chars().take(40).collect();
    let read = move || exercise(&smiles);
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(read).expect("a thread");
    assert!(!thread.join().expect("no panic"), "`{text}` is refused");
}

#[test]
fn deep_long_and_tangled_texts_are_errors() {
    let nested = |n: usize| format!("{}C{}", "C(".repeat(n), ")".repeat(n));
    let texts = [
        String::new(),
        " \t".to_owned(),
        nested(1200),
        nested(100_000),
        "(".repeat(10_000),
        "[".repeat(10_000),
        "C1".repeat(5_000),
        "C".repeat(100_000),
        format!("C1{}1", "C".repeat(4000)),
        ".".repeat(1000),
        "=".repeat(1000),
        "%".repeat(1000),
        "[C".repeat(1000),
        "C%(99999999999)C".to_owned(),
        "[99999999999C]".to_owned(),
        "[C+99999999999]".to_owned(),
        "[CH99999999999]".to_owned(),
        "C\0C".to_owned(),
        "Ć".repeat(1000),
        "🧪".to_owned(),
        "CC(=O)O\n".repeat(2),
        // A complete graph of eight placeholders.
        (0..8)
            .map(|i| {
                format!(
                    "*{}",
                    (0..8)
                        .filter(|&j| j != i)
                        .map(|j: usize| format!("%({})", 100 + i.min(j) * 8 + i.max(j)))
                        .collect::<String>()
                )
            })
            .collect::<Vec<_>>()
            .join("."),
    ];
    for text in texts {
        refused_on_a_small_stack(text);
    }
}

#[test]
fn the_largest_accepted_molecules_fit_a_small_stack() {
    let nested = |n: usize| format!("{}C{}", "C(".repeat(n), ")".repeat(n));
    for text in
        [nested(128), "C".repeat(510), format!("C1{}1", "C".repeat(510)), "C1CC1".repeat(60), "c1ccccc1".repeat(60)]
    {
        let read = move || exercise(&text);
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(read).expect("a thread");
        assert!(thread.join().expect("no panic"), "accepted");
    }
}

#[cfg(feature = "inchi")]
#[test]
fn texts_that_are_no_inchi_are_errors() {
    let sound = "InChI=1S/C6H6/c1-2-4-6-5-3-1/h1-6H";
    assert!(Molecule::from_inchi(sound, Sanitisation::Rdkit).is_ok());
    let long = format!("InChI=1S/C{}/c{}1", 9000, "1-".repeat(4000));
    for text in
        ["", "InChI=", "InChI=1S/", "CCO", "InChI=1S/C6H6/c1-2-4(6", "InChI=1S/C99999999H6/c1", "InChI=1S/\0", &long]
    {
        let error = Molecule::from_inchi(text, Sanitisation::Rdkit).expect_err("no InChI");
        assert!(error.to_string().len() < 1000, "messages stay short");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_never_panics(text in ".{0,200}") {
        exercise(&text);
    }

    #[test]
    fn text_in_the_alphabet_of_smiles_never_panics(
        parts in prop::collection::vec(prop::sample::select(vec![
            "C", "c", "N", "n", "O", "o", "S", "s", "P", "p", "B", "F", "Cl", "Br", "I", "*", "(", ")", "(", ")", "1", "2", "3", "%12",
            "=", "#", "-", "/", "\\", ":", ".", "$", "~", "->", "<-", "[C@H]", "[C@@]", "[nH]", "[N+]", "[O-]", "[2H]", "[H]", "[Fe+2]",
            "[Pt@SP1]", "[C@TB3]", "[S@@]", "[PH]", "[", "]", "@", "+", "[C-]", "[Si]", "[se]", "[Xe]", "[Na]", "[Mg]",
        ]), 0..40)
    ) {
        exercise(&parts.concat());
    }

    #[test]
    fn a_damaged_molecule_never_panics(at in 0_usize..60, with in prop::sample::select(vec!["", "(", ")", "1", "=", "[", "]", "@", "/", "\\", "#", "c", "[PH]", "2"])) {
        let sound = "COc1ccc2nccc([C@@H](O)[C@H]3C[C@@H]4CC[N@]3C[C@@H]4/C=C/C)c2c1";
        let at = at.min(sound.len() - 1);
        exercise(&format!("{}{with}{}", &sound[..at], &sound[at + 1..]));
        exercise(&format!("{}{with}{}", &sound[..at], &sound[at..]));
    }
}
