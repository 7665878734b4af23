"""Golden molecules: writes ../chem_features.json, ../chem_fingerprints.json and ../chem_inchi.json.

Versions: rdkit 2026.9.1, numpy 2.4.6, pandas 3.1.1. Run: python chem_features.py METADATA_DIR
METADATA_DIR holds the JUMP compound tables (MIT): JUMP-MOA_compound_metadata.tsv,
JUMP-Target-2_compound_metadata.tsv and JUMP-Target-2_compound_metadata.2021-05-03.tsv.
Every distinct SMILES of the three is a golden, and so is each hand-chosen molecule of HARD.
No seed: nothing is drawn. Tolerance: none, every number is an integer or a string.

chem_features.json: `atom_rows` and `bond_rows` list the distinct rows of OGB's
`atom_to_feature_vector` (9 columns) and `bond_to_feature_vector` (3 columns); a molecule's `atoms`
are two letters per atom (row in base 64, big end first), its `bonds` five letters per bond (first
atom, second atom, row: 2, 2, 1). Bonds are in RDKit's order; OGB's directed edges are each bond
there and back. A molecule that RDKit refuses has `problem` instead: atom and valence.
`relaxed` holds molecules with an impossible valence, sanitised without that one check, with their
fingerprints (as below; no scaffold where RDKit refuses the scaffold too).

chem_fingerprints.json, in the order of chem_features.json: on-bits of Morgan radius 2 in 2048 bits
and radius 3 in 1024 bits (two letters a bit), SHA-256 (16 digits) of the text "identifier:count"
sorted, joined with commas, of the unfolded radius-2 counts and of the same with chirality,
the 167 MACCS bits (hexadecimal, bit 0 first), and MurckoScaffoldSmiles(includeChirality=False).

chem_inchi.json: every distinct InChI of the tables and the two that the reference skips, with
the SHA-256 (16 digits) of the text "atoms bonds" in the letters of chem_features.json, or null
where RDKit refuses the InChI.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

import numpy
import pandas
import rdkit
from rdkit import Chem, RDLogger
from rdkit.Chem import MACCSkeys, rdFingerprintGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold

RDLogger.DisableLog("rdApp.*")

TABLES = [
    "JUMP-MOA_compound_metadata.tsv",
    "JUMP-Target-2_compound_metadata.tsv",
    "JUMP-Target-2_compound_metadata.2021-05-03.tsv",
]

# OGB's feature lists (ogb.utils.features, release 1.3.6), restated.
ATOM_LISTS = [
    list(range(1, 119)) + ["misc"],
    ["CHI_UNSPECIFIED", "CHI_TETRAHEDRAL_CW", "CHI_TETRAHEDRAL_CCW", "CHI_OTHER", "misc"],
    list(range(11)) + ["misc"],
    list(range(-5, 6)) + ["misc"],
    list(range(9)) + ["misc"],
    list(range(5)) + ["misc"],
    ["SP", "SP2", "SP3", "SP3D", "SP3D2", "misc"],
    [False, True],
    [False, True],
]
BOND_LISTS = [
    ["SINGLE", "DOUBLE", "TRIPLE", "AROMATIC", "misc"],
    ["STEREONONE", "STEREOZ", "STEREOE", "STEREOCIS", "STEREOTRANS", "STEREOANY"],
    [False, True],
]

HARD = {
    "the check of the specification": ["Cl[C@H](/C=C/C)Br"],
    "charged": ["C[N+](C)(C)C", "[O-]C(=O)C", "[NH4+]", "C[N+]#[C-]", "[N-]=[N+]=NC", "C=[N+]=[N-]", "O=[N+]([O-])c1ccccc1",
                "CN(=O)=O", "c1cc[nH+]cc1", "[O-]c1ccccc1", "C[S+](C)C", "[CH3+]", "[CH3-]", "C[NH2+]C", "OCl(=O)(=O)=O"],
    "salts and several parts": ["[Na+].[Cl-]", "CC(=O)O.NCC", "Cl.Cl.NCCN", "[Na+].[O-]C(=O)c1ccccc1", "O.O.[Ca+2].[Cl-].[Cl-]"],
    "radicals": ["[CH3]", "C[CH]C", "[O][O]", "C[N]C", "[O]", "CC(C)(C)N([O])C(C)(C)C", "[CH2]", "CC1(C)CCCC(C)(C)N1[O]"],
    "isotopes": ["[13CH4]", "[2H]C([2H])([2H])O", "[2H]O[2H]", "[14C](=O)=O", "[18F]c1ccccc1", "C[C@H]([2H])O", "[3H]c1ccccc1"],
    "written hydrogens": ["[H]C([H])([H])[H]", "[H][H]", "[H+]", "[H]O[H]", "[H]/C(C)=C/C", "C/C=N/[H]", "[H]N=C(N)N", "[H-]",
                          "[H][C@](F)(Cl)Br", "[nH]1cccc1", "[H]n1cccc1", "[H]B1[H]B([H])[H]1"],
    "stereo centres": ["N[C@@H](C)C(=O)O", "N[C@H](C)C(=O)O", "[C@H](F)(Cl)Br", "F[C@@](Cl)(Br)I", "C[C@]12CCC[C@H]1CC2", "[C@@H]1(C)CCCO1",
                       "C1CC[C@H](C)O1", "C[C@H](C)C", "O[C@H]1CC[C@@H](O)CC1", "C[C@H]1CC[C@@H](C)CC1", "C[C@@H]1C[C@H](C)C1",
                       "OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O", "C[C@@H](O)[C@H](O)[C@@H](C)O", "C[C@H]1[C@@H](C)[C@@H]1C",
                       "C1C[C@@H]2CC[C@H]1C2", "[C@]1(F)(Cl)CCCC(=O)C1", "C[N@@]1C[C@H]1C", "C[N@+](CC)(CCC)CCCC", "C1C[N@]2CC[C@@H]1CC2",
                       "[C@@](Cl)(F)(I)Br", "C2[C@@]3(C)CCC[C@@H]3CC2", "O[C@H]%10CCCC[C@@H]%10N"],
    "sulphur and phosphorus centres": ["C[S@](=O)CC", "C[S@@](=O)c1ccccc1", "CS(C)=O", "C[S@@+]([O-])CC", "C[P@](=O)(O)CC", "C[P@@](c1ccccc1)CC",
                                       "C[S@](=N)(=O)CC", "CS(=O)(=O)N", "CP(=O)(OC)OC", "c1ccccc1P(c1ccccc1)c1ccccc1", "CP(C)(C)=C",
                                       "FS(F)(F)(F)(F)F", "FP(F)(F)(F)F", "F[P-](F)(F)(F)(F)F", "FS(F)(F)F", "OS(=O)(=O)O", "S=P(S)(OC)OC",
                                       "OP(O)(=O)OP(O)(=O)O"],
    "double bonds": ["C/C=C/C", "C/C=C\\C", "CC=CC", "F/C=C/C=C/F", "F/C=C\\C=C/F", "C/C=C/C=C", "C(/F)=C/F", "C\\C(F)=C(/F)C", "C/C=N/O", "C/C(C)=N\\O",
                     "CC(=N/O)/C", "N/C(C)=N/C", "C/N=N/C", "c1ccccc1/N=N/c1ccccc1", "C1CCCCCCC/C=C/1", "C1CCC/C=C\\CC1", "C/C1=C/CCCCCC1", "F/C=C(/F)C",
                     "O=C/C=C/c1ccccc1", "C/C=C(C)/C", "C/C=C/[C@H](F)/C=C/C", "C/C=C/[C@H](F)/C=C\\C", "C/C=C/C(O)/C=C\\C", "C1=CCCCC1", "CC(C)=C(C)C",
                     "C/C=C1/CCCC(C)C1", "C/1=C/CCCCCCCC1", "C/C=C\\1CCC[C@H](C)C1", "O/N=C/1CCCNC1"],
    "cumulenes": ["C=C=C", "CC=[C@]=CC", "CC=C=CC", "C=C=C=C", "O=C=O", "CN=C=O", "C/C=C=C=C/C", "S=C=Nc1ccccc1", "C=C=O", "C#CC#C"],
    "aromatic": ["c1ccc[n+]([O-])c1", "C[n+]1ccccc1", "O=c1cc[nH]cc1", "c1cc2ccccc2[nH]1", "c1ccc2c(c1)cccc2", "c1cc2cccccc2c1", "C1=CC=CC=C1", "c1ccsc1",
                 "c1cocc1", "c1c[se]cc1", "[cH-]1cccc1", "c1cc[cH+]cc1", "c1ccc[o+]c1", "O=C1C=CC(=O)C=C1", "C1=CC=CC=CC=C1", "c1nnn[nH]1", "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
                 "c1ccc-2c(c1)-c1ccccc1-2", "c1cc2ccc3cccc4ccc(c1)c2c34", "b1ccccc1", "c1ccpcc1", "C1=CC2=CC=CC=CC2=C1", "n1c2ccccc2c2ccccc12", "O=c1occc2ccccc12",
                 "c1ccc2[nH]c3ccccc3c2c1", "C1=CC(=C2C=CC=C2)C=C1", "N=c1cc[nH]cc1", "c1cc(=O)cc[nH]1", "OC1=CC=CC=C1", "c1csc(=S)s1", "[O-][n+]1onc2ccccc12",
                 "c1ccc(cc1)-c1ccccc1", "C1=C[CH+]C=CC=C1", "O=C1NC=NC2=C1N=CN2", "c1ccc2c(c1)oc(=O)c1ccccc12", "S1C=CN=C1", "[H]n1c(=O)c2[nH]cnc2n(C)c1=O",
                 "C1=CC=C2C(=C1)C=CC=C2", "c1c2ccccc2cc2ccccc12", "c1cn2ccccc2c1", "C12=CC=CC=C1C=CC2=O"],
    "boron and silicon": ["OB(O)c1ccccc1", "[B-](F)(F)(F)F", "C[Si](C)(C)C", "C[SiH3]", "O[Si](O)(O)O", "F[Si-2](F)(F)(F)(F)F", "B", "CB1OC(C)(C)C(C)(C)O1", "C[Si@](F)(Cl)Br",
                          "OB1OCc2cc(Oc3ccc(C#N)cc3)ccc12"],
    "metals": ["[Fe+2]", "[Na]C", "Cl[Pt](Cl)([NH3])[NH3]", "[Zn]", "C[Mg]Br", "[Cu+2].[O-]S(=O)(=O)[O-]", "O=[Mo](=O)([O-])[O-]", "[Mo+6]", "[Na+].[Na+].[Na+].[O-][V](=O)([O-])[O-]",
               "C[Hg]C", "[Au]Cl", "F[Al-3](F)(F)(F)(F)F", "CC(=O)O[Pd]OC(C)=O", "[Li]CCCC", "Cl[Sn](Cl)(C)C", "N->[Pt](Cl)Cl", "C[As](C)C", "[K+].[I-]",
               "[Gd+3].[O-]C(=O)CN(CC([O-])=O)CC([O-])=O", "c1ccc([Se]c2ccccc2)cc1", "[U]", "Cl[Pt@SP1](F)(Br)I", "[Fe@OH3](F)(Cl)(Br)(I)(N)C"],
    "halogens and rare atoms": ["OI(=O)=O", "c1ccccc1I(Cl)Cl", "[I-]", "FCl(F)F", "Br", "Cl", "[He]", "F[Xe]F", "[Og]", "CC[Te]CC", "O=Br(=O)O", "CI(C)C"],
    "placeholders": ["*C", "[*]c1ccccc1", "C[*:1]", "[CH3:2]O"],
    "cages, spiro and bridged rings": ["C1CC2CCC1CC2", "C12C3C4C1C5C2C3C45", "C1CC11CC1", "C1C2CC3CC1CC(C2)C3", "C1CC2CC1C2", "C1CC1", "C1CCCCCCCCCCCCC1", "c1cc2cc(c1)CCCCCC2",
                                       "C1CC2(C1)CCN2", "C12CC1CC2", "C1CC2CCC1C2", "C1=CC2CC1C=C2", "C1CC2CC3CCC2C1C3"],
    "rules for hydrogens and valence": ["CN", "C=N", "C#N", "C[NH]C", "CNC=O", "NC(=O)N", "N#N", "NN", "OO", "SS", "CS", "C[SH](=O)=O", "OP(O)O", "C[PH](=O)O", "P", "CC(=O)[O-]", "[C-]#[O+]", "C[O+](C)C",
                                        "[NH3+]CC([O-])=O", "O=S=O", "O=S(=O)=O", "C=S", "C[SH2]C", "N(=O)(=O)O", "O=N(=O)c1ccccc1", "C[N](C)(C)=O", "CC=[N+](C)[O-]", "C1CC=NN1", "[nH]1nnnc1C"],
    "refused": ["C(C)(C)(C)(C)C", "CO(C)C", "F(C)C", "C[N](C)(C)(C)C", "O[PH](=O)(=O)O", "CP(=O)(=O)(C)C", "c1cccc1", "c1ccccc1c", "n1cccc1", "[NH5]", "CCl=C", "cC", "C[B](C)(C)C", "Br(C)(C)C", "[CH5]", "O=C=C(=O)=C",
                "c1cnccc1=O", "C#C#C", "S(C)(C)(C)(C)(C)(C)C", "[Na](C)C"],
}

# Refused only for a valence: what they are without that check.
RELAXED = ["C(C)(C)(C)(C)C", "CO(C)C", "F(C)C", "O[PH](=O)(=O)O", "CP(=O)(=O)(C)C", "CCl=C", "C[B](C)(C)C", "Br(C)(C)C", "C#C#C", "S(C)(C)(C)(C)(C)(C)C",
           "COc1cc(OC)c(C=CS(=O)(=O)Cc2ccc(OC)c(O[PH](=O)(=O)O)c2)c(OC)c1", "N=c1[nH]c(F)nc2c1ncn2C1OC(CO[PH](=O)(=O)O)C(O)C1O",
           "C[P+](C)(C)(C)C", "C[SH](C)(C)(C)(C)C", "C[N+](C)(C)(C)C", "C[Si](C)(C)(C)C", "[OH3]C", "C[S@H](C)(C)(C)(C)C", "C[C@@](F)(Cl)(Br)I", "O=S(=O)(=O)(=O)c1ccccc1",
           "C=CP(=O)(=O)(C)C", "C[AsH](C)(C)(C)C", "C[I](C)(C)(C)(C)C", "OC(=O)c1ccc(cc1)C(C)(C)(C)=O", "CC(=O)(=O)C=C", "N(C)(C)(C)C", "C1CC(=O)(C)(C)C1", "N[C@@H](C)C(=O)OCl=C", "C/C=C/O(C)C"]

SKIPPED = ["InChI=1S/Mo/q+6", "InChI=1S/3Na.V/q;;;+8"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def index(values, value):
    return values.index(value) if value in values else len(values) - 1


def atom_row(atom):
    values = [
        atom.GetAtomicNum(), str(atom.GetChiralTag()), atom.GetTotalDegree(), atom.GetFormalCharge(), atom.GetTotalNumHs(),
        atom.GetNumRadicalElectrons(), str(atom.GetHybridization()), atom.GetIsAromatic(), atom.IsInRing(),
    ]
    return tuple(index(known, value) for known, value in zip(ATOM_LISTS, values))


def bond_row(bond):
    values = [str(bond.GetBondType()), str(bond.GetStereo()), bond.GetIsConjugated()]
    return tuple(index(known, value) for known, value in zip(BOND_LISTS, values))


def two(number):
    return LETTERS[number >> 6] + LETTERS[number & 63]


class Rows:
    """Distinct rows in order of first use."""

    def __init__(self):
        self.rows = {}

    def __call__(self, row):
        return self.rows.setdefault(row, len(self.rows))


atoms, bonds = Rows(), Rows()


def graph(molecule):
    return {
        "atoms": "".join(two(atoms(atom_row(atom))) for atom in molecule.GetAtoms()),
        "bonds": "".join(
            two(bond.GetBeginAtomIdx()) + two(bond.GetEndAtomIdx()) + LETTERS[bonds(bond_row(bond))]
            for bond in molecule.GetBonds()
        ),
    }


def problem(smiles):
    """What RDKit finds wrong: the first atom with its valence, or the kekulisation failure."""
    raw = Chem.MolFromSmiles(smiles, sanitize=False)
    if raw is None:
        return {"kind": "syntax"}
    found = Chem.DetectChemistryProblems(raw)[0]
    valence = re.search(r"# (\d+) (\w+), (\d+), is greater than permitted", found.Message())
    if valence:
        atom, symbol, value = valence.groups()
        return {"kind": "valence", "atom": int(atom), "symbol": symbol, "valence": int(value)}
    return {"kind": "kekule"}


def relaxed(smiles):
    molecule = Chem.MolFromSmiles(smiles, sanitize=False)
    molecule.UpdatePropertyCache(strict=False)
    Chem.SanitizeMol(molecule, Chem.SANITIZE_ALL ^ Chem.SANITIZE_PROPERTIES)
    Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)
    return molecule


def counts_digest(generator, molecule):
    counts = generator.GetSparseCountFingerprint(molecule).GetNonzeroElements()
    text = ",".join(f"{identifier}:{count}" for identifier, count in sorted(counts.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


WIDE = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
NARROW = rdFingerprintGenerator.GetMorganGenerator(radius=3, fpSize=1024)
CHIRAL = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048, includeChirality=True)


def bits(fingerprint):
    return "".join(two(bit) for bit in fingerprint.GetOnBits())


def fingerprint(molecule):
    keys = MACCSkeys.GenMACCSKeys(molecule)
    packed = sum(1 << (167 - bit) for bit in keys.GetOnBits())
    try:
        scaffold = Chem.MolToSmiles(MurckoScaffold.GetScaffoldForMol(molecule), isomericSmiles=False)
    except Chem.MolSanitizeException:
        scaffold = None
    return [
        bits(WIDE.GetFingerprint(molecule)),
        bits(NARROW.GetFingerprint(molecule)),
        counts_digest(WIDE, molecule),
        counts_digest(CHIRAL, molecule),
        f"{packed:042x}",
        scaffold,
    ]


def main():
    directory = Path(sys.argv[1])
    jump, inchis = set(), set(SKIPPED)
    for table in TABLES:
        rows = pandas.read_csv(directory / table, sep="\t")
        jump |= set(rows.smiles.dropna())
        inchis |= set(rows.InChI.dropna()) if "InChI" in rows else set()
    hard = [smiles for group in HARD.values() for smiles in group]
    assert len(hard) == len(set(hard)), "each hard molecule once"
    molecules, fingerprints = [], []
    for origin, listed in (("jump", sorted(jump)), ("hard", hard)):
        for smiles in listed:
            molecule = Chem.MolFromSmiles(smiles)
            if molecule is None:
                molecules.append({"smiles": smiles, "origin": origin, "problem": problem(smiles)})
                fingerprints.append(None)
            else:
                molecules.append({"smiles": smiles, "origin": origin, **graph(molecule)})
                fingerprints.append(fingerprint(molecule))
    header = {
        "generator": "tests/goldens/generators/chem_features.py",
        "versions": {"rdkit": rdkit.__version__, "numpy": numpy.__version__, "pandas": pandas.__version__},
        "tolerance": "none: integers and strings",
        "sources": "JUMP-Target (MIT) and JUMP-MOA (MIT) compound tables; hand-chosen molecules",
    }
    hidden = []
    for smiles in RELAXED:
        molecule = relaxed(smiles)
        hidden.append({"smiles": smiles, **graph(molecule), "fingerprints": fingerprint(molecule)})
    read = {}
    for inchi in sorted(inchis):
        molecule = Chem.MolFromInchi(inchi)
        text = molecule and " ".join(graph(molecule).values())
        read[inchi] = text and hashlib.sha256(text.encode()).hexdigest()[:16]
    features = {
        **header,
        "letters": LETTERS,
        "molecules": molecules,
        "relaxed": hidden,
        "atom_rows": list(atoms.rows),
        "bond_rows": list(bonds.rows),
    }
    write("chem_features.json", features)
    write("chem_fingerprints.json", {**header, "letters": LETTERS, "molecules": fingerprints})
    write("chem_inchi.json", {**header, "molecules": read})


def write(name, value):
    text = json.dumps(value, separators=(",", ":"))
    for close, start in (("}", "{"), ("]", "[")):
        text = text.replace(f"{close},{start}", f"{close},\n{start}")
    (Path(__file__).resolve().parent.parent / name).write_text(text + "\n")


main()
