//! Every molecule of the goldens against RDKit: graph, fingerprints, scaffold, and what is refused.

use std::collections::BTreeMap;

use bench_chem::{Error, Fingerprint, GraphBatch, MACCS_BITS, Molecule, MoleculeGraph, Morgan, Sanitisation};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Features {
    letters: String,
    molecules: Vec<Golden>,
    relaxed: Vec<Golden>,
    atom_rows: Vec<[u8; 9]>,
    bond_rows: Vec<[u8; 3]>,
}

#[derive(Deserialize)]
struct Golden {
    smiles: String,
    #[serde(default)]
    origin: String,
    #[serde(default)]
    atoms: String,
    #[serde(default)]
    bonds: String,
    problem: Option<Problem>,
    fingerprints: Option<Prints>,
}

#[derive(Deserialize)]
struct Problem {
    kind: String,
    #[serde(default)]
    atom: usize,
    #[serde(default)]
    symbol: String,
    #[serde(default)]
    valence: u32,
}

/// Morgan bits (radius 2 in 2048, radius 3 in 1024), digests of counts (plain, chiral), MACCS, scaffold.
type Prints = (String, String, String, String, String, Option<String>);

#[derive(Deserialize)]
struct Fingerprints {
    molecules: Vec<Option<Prints>>,
}

fn read(name: &str) -> String {
    let path = format!("{}/../../tests/goldens/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn features() -> Features {
    serde_json::from_str(&read("chem_features.json")).expect("the generator's format")
}

fn fingerprints() -> Vec<Option<Prints>> {
    let file: Fingerprints = serde_json::from_str(&read("chem_fingerprints.json")).expect("the generator's format");
    file.molecules
}

impl Features {
    /// Numbers written with `letters` letters each.
    fn numbers(&self, text: &str, letters: usize) -> Vec<usize> {
        let digit = |c: u8| self.letters.bytes().position(|l| l == c).expect("a letter of the alphabet");
        text.as_bytes().chunks(letters).map(|part| part.iter().fold(0, |n, &c| 64 * n + digit(c))).collect()
    }

    fn graph(&self, golden: &Golden) -> MoleculeGraph {
        let atoms = self.numbers(&golden.atoms, 2).into_iter().map(|row| self.atom_rows[row]).collect();
        let mut graph = MoleculeGraph { atoms, ..MoleculeGraph::default() };
        for at in (0..golden.bonds.len()).step_by(5) {
            let ends = self.numbers(&golden.bonds[at..at + 4], 2);
            let row = self.bond_rows[self.numbers(&golden.bonds[at + 4..at + 5], 1)[0]];
            let (a, b) = (ends[0] as u32, ends[1] as u32);
            graph.edges.extend([[a, b], [b, a]]);
            graph.bonds.extend([row, row]);
        }
        graph
    }
}

/// The first column in which two graphs differ, in words.
fn difference(got: &MoleculeGraph, want: &MoleculeGraph) -> Option<String> {
    if got == want {
        return None;
    }
    if got.atoms.len() != want.atoms.len() || got.edges != want.edges {
        return Some(format!("atoms {} or edges differ from {}", got.atoms.len(), want.atoms.len()));
    }
    let atom = got.atoms.iter().zip(&want.atoms).position(|(a, b)| a != b);
    let bond = got.bonds.iter().zip(&want.bonds).position(|(a, b)| a != b);
    Some(match (atom, bond) {
        (Some(atom), _) => format!("atom {atom}: {:?}, RDKit {:?}", got.atoms[atom], want.atoms[atom]),
        (_, Some(bond)) => format!("edge {:?}: {:?}, RDKit {:?}", got.edges[bond], got.bonds[bond], want.bonds[bond]),
        _ => "the graphs differ".to_owned(),
    })
}

fn none(failures: &[String]) {
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

fn morgan(radius: u32, size: u32) -> Morgan {
    Morgan::new(radius, size).expect("a defined fingerprint")
}

/// Digest of the unfolded counts. Folding to 2^32 - 1 leaves identifiers as they are.
fn digest(print: &Fingerprint) -> String {
    let text: Vec<String> = print.counts().iter().map(|(bit, count)| format!("{bit}:{count}")).collect();
    hex(&text.join(","))
}

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What differs between a molecule's fingerprints and RDKit's.
fn print_failures(features: &Features, molecule: &Molecule, want: &Prints, chirals: &mut usize) -> Vec<String> {
    let mut failures = Vec::new();
    let mut check = |what: &str, same: bool| {
        if !same {
            failures.push(format!("{}: {what}", molecule.text()));
        }
    };
    let bits = |kind: Morgan| -> Vec<usize> {
        molecule.morgan(&kind).expect("a fingerprint").bits().map(|bit| bit as usize).collect()
    };
    check("Morgan 2, 2048 bits", bits(morgan(2, 2048)) == features.numbers(&want.0, 2));
    check("Morgan 3, 1024 bits", bits(morgan(3, 1024)) == features.numbers(&want.1, 2));
    let counts = molecule.morgan(&morgan(2, u32::MAX)).expect("counts");
    check("Morgan counts", digest(&counts) == want.2);
    // Not defined for molecules that only lenient sanitisation accepts.
    if let Ok(chiral) = molecule.morgan(&morgan(2, u32::MAX).with_chirality()) {
        check("chiral Morgan counts", digest(&chiral) == want.3);
        *chirals += 1;
    }
    let keys: Vec<usize> = molecule.maccs().bits().map(|bit| bit as usize).collect();
    let wanted: Vec<usize> = (0..=MACCS_BITS)
        .filter(|bit| {
            u8::from_str_radix(&want.4[bit / 4..bit / 4 + 1], 16).expect("hexadecimal") >> (3 - bit % 4) & 1 == 1
        })
        .collect();
    let differing: Vec<&usize> = keys
        .iter()
        .filter(|key| !wanted.contains(key))
        .chain(wanted.iter().filter(|key| !keys.contains(key)))
        .collect();
    check(&format!("MACCS keys {differing:?}"), differing.is_empty());
    if let Some(scaffold) = &want.5 {
        let key = molecule.scaffold();
        check(&format!("scaffold {key:?}, RDKit {scaffold:?}"), key.as_ref() == Ok(scaffold));
    }
    failures
}

#[test]
fn every_graph_equals_ogbs() {
    let features = features();
    let (mut failures, mut compared) = (Vec::new(), BTreeMap::<&str, usize>::new());
    for golden in features.molecules.iter().filter(|golden| golden.problem.is_none()) {
        *compared.entry(&golden.origin).or_default() += 1;
        match Molecule::from_smiles(&golden.smiles, Sanitisation::Rdkit) {
            Ok(molecule) => failures.extend(
                difference(molecule.graph(), &features.graph(golden)).map(|what| format!("{}: {what}", golden.smiles)),
            ),
            Err(error) => failures.push(error.to_string()),
        }
    }
    none(&failures);
    assert_eq!(compared["jump"], 639, "every distinct compound of the JUMP tables but two");
    assert!(compared["hard"] >= 250, "{compared:?}");
}

#[test]
fn every_fingerprint_and_scaffold_equals_rdkits() {
    let features = features();
    let (mut failures, mut compared, mut chirals) = (Vec::new(), 0, 0);
    for (golden, want) in features.molecules.iter().zip(fingerprints()) {
        let Some(want) = want else { continue };
        let molecule = Molecule::from_smiles(&golden.smiles, Sanitisation::Rdkit).expect("RDKit accepts it");
        compared += 1;
        failures.extend(print_failures(&features, &molecule, &want, &mut chirals));
    }
    none(&failures);
    assert!(compared >= 639 + 250 && chirals == compared, "{chirals} of {compared}");
}

#[test]
fn scaffolds_group_the_compounds_as_rdkit_does() {
    let features = features();
    let (mut ours, mut rdkits) = (BTreeMap::<String, Vec<String>>::new(), BTreeMap::<String, Vec<String>>::new());
    for (golden, want) in features.molecules.iter().zip(fingerprints()) {
        let Some(want) = want else { continue };
        let molecule = Molecule::from_smiles(&golden.smiles, Sanitisation::Rdkit).expect("RDKit accepts it");
        ours.entry(molecule.scaffold().expect("a scaffold")).or_default().push(golden.smiles.clone());
        rdkits.entry(want.5.expect("a scaffold")).or_default().push(golden.smiles.clone());
    }
    let groups = |by_key: BTreeMap<String, Vec<String>>| -> Vec<Vec<String>> {
        let mut groups: Vec<Vec<String>> = by_key.into_values().collect();
        groups.sort();
        groups
    };
    let (ours, rdkits) = (groups(ours), groups(rdkits));
    assert!(ours.len() > 300, "{} groups", ours.len());
    assert_eq!(ours, rdkits);
}

#[test]
fn what_rdkit_refuses_is_refused_for_the_same_reason() {
    let features = features();
    let (mut failures, mut jump) = (Vec::new(), 0);
    for golden in &features.molecules {
        let Some(problem) = &golden.problem else { continue };
        jump += usize::from(golden.origin == "jump");
        let error = Molecule::from_smiles(&golden.smiles, Sanitisation::Rdkit).map(|_| ()).expect_err(&golden.smiles);
        let same = match &error {
            Error::Valence { atom, symbol, valence, .. } => {
                problem.kind == "valence"
                    && (*atom, symbol, *valence) == (problem.atom, &problem.symbol, problem.valence)
            }
            Error::Kekule { .. } => problem.kind == "kekule",
            _ => problem.kind == "syntax",
        };
        if !same {
            failures.push(format!("{error}, RDKit: {} at {}", problem.kind, problem.atom));
        }
    }
    none(&failures);
    assert_eq!(jump, 2, "the two phosphates");
}

#[test]
fn lenient_molecules_equal_rdkits_without_the_check_of_valences() {
    let features = features();
    let mut failures = Vec::new();
    for golden in &features.relaxed {
        match Molecule::from_smiles(&golden.smiles, Sanitisation::Lenient) {
            Ok(molecule) => {
                let what = difference(molecule.graph(), &features.graph(golden));
                failures.extend(what.map(|what| format!("{}: {what}", golden.smiles)));
                let want = golden.fingerprints.as_ref().expect("fingerprints");
                failures.extend(print_failures(&features, &molecule, want, &mut 0));
            }
            Err(error) => failures.push(error.to_string()),
        }
    }
    none(&failures);
    // Leniency is about valences alone: sound molecules are the same, Kekulé failures stay errors.
    let sound = |policy| Molecule::from_smiles("c1ccccc1O", policy).expect("phenol").into_graph();
    assert_eq!(sound(Sanitisation::Rdkit), sound(Sanitisation::Lenient));
    assert!(Molecule::from_smiles("c1cccc1", Sanitisation::Lenient).is_err());
}

#[test]
fn a_batch_of_all_compounds_holds_each_graph() {
    let features = features();
    let graphs: Vec<MoleculeGraph> = features.molecules.iter().map(|golden| features.graph(golden)).collect();
    let batch = GraphBatch::new(&graphs.iter().collect::<Vec<_>>());
    assert!(batch.targets.is_sorted());
    for (g, graph) in graphs.iter().enumerate() {
        let first = batch.atom_offsets[g];
        assert_eq!(batch.atoms[first as usize..batch.atom_offsets[g + 1] as usize], graph.atoms);
        let edges = batch.edge_offsets[first as usize]..batch.edge_offsets[batch.atom_offsets[g + 1] as usize];
        let mut held: Vec<([u32; 2], [u8; 3])> = edges
            .map(|e| e as usize)
            .map(|e| ([batch.sources[e] - first, batch.targets[e] - first], batch.bonds[e]))
            .collect();
        let mut given: Vec<([u32; 2], [u8; 3])> =
            graph.edges.iter().copied().zip(graph.bonds.iter().copied()).collect();
        held.sort_unstable();
        given.sort_unstable();
        assert_eq!(held, given);
    }
}

#[cfg(feature = "inchi")]
#[test]
fn every_inchi_gives_the_graph_that_rdkit_reads() {
    #[derive(Deserialize)]
    struct Inchis {
        molecules: BTreeMap<String, Option<String>>,
    }
    let features = features();
    let inchis: Inchis = serde_json::from_str(&read("chem_inchi.json")).expect("the generator's format");
    let letter = |n: usize| features.letters.as_bytes()[n] as char;
    let two = |n: usize| [letter(n / 64), letter(n % 64)].iter().collect::<String>();
    let mut failures = Vec::new();
    for (inchi, want) in &inchis.molecules {
        let got = Molecule::from_inchi(inchi, Sanitisation::Rdkit).ok().map(|molecule| {
            let graph = molecule.graph();
            let atom = |row| features.atom_rows.iter().position(|known| known == row).map_or_else(String::new, two);
            let bond = |(ends, row): (&[u32; 2], &[u8; 3])| {
                let row = features.bond_rows.iter().position(|known| known == row).map_or(' ', letter);
                format!("{}{}{row}", two(ends[0] as usize), two(ends[1] as usize))
            };
            let atoms: String = graph.atoms.iter().map(atom).collect();
            let bonds: String = graph.edges.iter().zip(&graph.bonds).step_by(2).map(bond).collect();
            hex(&format!("{atoms} {bonds}"))
        });
        if got != *want {
            failures.push(inchi.clone());
        }
    }
    none(&failures);
    assert_eq!(inchis.molecules.len(), 369);
    assert!(bench_chem::BLACK_LISTED_INCHIS.iter().all(|inchi| inchis.molecules.contains_key(*inchi)));
}
