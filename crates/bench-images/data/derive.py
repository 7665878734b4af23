"""Derives the two small tables of this folder from public JUMP metadata.

    python derive.py FOLDER_WITH_JUMP_METADATA

Needs pandas and RDKit (written with RDKit 2026.9.1). The output is deterministic: nothing is drawn at random, every
choice is a digest of names. See README.md beside this file for origin and licences.

target2_layout.csv       the 384-well TARGET2 plate: well -> compound, target
training_compounds.csv.gz  compounds for simulated training plates, none of them on TARGET2 (first InChIKey block):
  kind `real`       JUMP-MOA compounds; target = that of the most similar TARGET2 compound (Morgan radius 2, 2048 bits,
                    Tanimoto): an assumption of the simulation, not a fact about the compound
  kind `synthetic`  analogues of the TARGET2 compounds of a target: hydrogens replaced by common substituents. They are
                    valid molecules that nobody need ever have made, and acting on the target is an assumption.
"""

import gzip
import hashlib
import io
import sys
from pathlib import Path

import pandas as pd
from rdkit import Chem, DataStructs, RDLogger
from rdkit.Chem import Descriptors, rdFingerprintGenerator

RDLogger.DisableLog("rdApp.*")
PER_TARGET = 12
SUBSTITUENTS = [
    "F", "Cl", "C", "OC", "C(F)(F)F", "C#N", "CC", "N(C)C", "C(C)C", "OCC", "C(=O)N", "C(=O)NC", "NC(C)=O", "CO",
    "S(C)(=O)=O", "OC(F)(F)F", "N1CCOCC1", "N1CCN(C)CC1", "c1ccccc1", "c1ccncc1", "C1CC1", "c1ccc(F)cc1", "N1CCCC1",
    "C(=O)N1CCOCC1", "CN1CCOCC1", "n1cccn1", "OCCN(C)C", "NS(C)(=O)=O", "Oc1ccccc1", "C(=O)Nc1ccccc1",
]


def order(*parts):
    return hashlib.sha256("\t".join(parts).encode()).digest()


def flat(mol):
    """Without stereochemistry: JUMP's own InChIKeys are flattened, too."""
    mol = Chem.Mol(mol)
    Chem.RemoveStereochemistry(mol)
    return mol


def largest(smiles):
    parts = Chem.GetMolFrags(Chem.MolFromSmiles(smiles), asMols=True)
    return flat(max(parts, key=lambda m: (m.GetNumHeavyAtoms(), Chem.MolToSmiles(m))))


def decorate(mol, atom, substituent):
    group = Chem.MolFromSmiles(substituent)
    joined = Chem.RWMol(Chem.CombineMols(mol, group))
    joined.AddBond(atom, mol.GetNumAtoms(), Chem.BondType.SINGLE)
    base = joined.GetAtomWithIdx(atom)
    if base.GetNumExplicitHs():
        base.SetNumExplicitHs(base.GetNumExplicitHs() - 1)
    Chem.SanitizeMol(joined)
    return joined.GetMol()


def sites(mol):
    """Atoms that carry a hydrogen, aromatic carbons first: that is where chemists decorate."""
    have = [a for a in mol.GetAtoms() if a.GetTotalNumHs() and a.GetSymbol() in ("C", "N") and a.GetFormalCharge() == 0]
    aromatic = [a.GetIdx() for a in have if a.GetIsAromatic() and a.GetSymbol() == "C"]
    return aromatic or [a.GetIdx() for a in have]


def analogues(mol, target, name):
    rounds = [(mol, 0)]
    heaviest = max(650.0, Descriptors.MolWt(mol) + 150.0)
    seen = {Chem.MolToSmiles(mol)}
    for base, depth in rounds:
        if depth == 2:
            continue
        choices = sorted(
            ((site, s) for site in sites(base) for s in SUBSTITUENTS), key=lambda c: order(target, name, str(depth), *map(str, c))
        )
        for site, substituent in choices[:14]:
            try:
                made = decorate(base, site, substituent)
            except Exception:
                continue
            smiles = Chem.MolToSmiles(made)
            if smiles in seen or Descriptors.MolWt(made) > heaviest:
                continue
            seen.add(smiles)
            rounds.append((made, depth + 1))
            yield made


def main(folder):
    here = Path(__file__).parent
    layout = pd.read_csv(folder / "target2_layout_384.csv", keep_default_na=False)
    # Two phosphates are written there with a phosphorus of valence seven, which no toolkit accepts.
    layout["smiles"] = layout.smiles.str.replace("[PH](=O)(=O)O", "P(=O)(O)O", regex=False)
    rows = []
    for row in layout.itertuples():
        rows.append([row.well, row.jcp2022, row.control_type or row.pert_type, row.target, row.InChIKey, row.smiles])
    table = pd.DataFrame(rows, columns=["well", "jcp2022", "role", "target", "inchikey", "smiles"])
    table.to_csv(here / "target2_layout.csv", index=False, lineterminator="\n")

    blocked = {k[:14] for k in layout.InChIKey if k} | {k[:14] for k in layout.InChIKey_2021 if k}
    with_target = layout[layout.target != ""]
    targets = sorted(with_target.target.unique())
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    known = [(row.target, generator.GetFingerprint(largest(row.smiles))) for row in with_target.itertuples()]

    out = []
    moa = pd.read_csv(folder / "JUMP-MOA_compound_metadata.tsv", sep="\t", keep_default_na=False)
    for row in moa.sort_values("InChIKey").itertuples():
        if row.smiles in ("", "NA") or row.InChIKey[:14] in blocked:
            continue
        blocked.add(row.InChIKey[:14])
        mine = generator.GetFingerprint(largest(row.smiles))
        target = max(known, key=lambda k: (DataStructs.TanimotoSimilarity(mine, k[1]), k[0]))[0]
        out.append([target, "real", row.pert_iname, row.InChIKey, row.smiles])

    for target in targets:
        parents = sorted({(largest(r.smiles), r.pert_iname) for r in with_target[with_target.target == target].itertuples()},
                         key=lambda p: Chem.MolToSmiles(p[0]))
        # Salts and repeated wells of one compound are one parent.
        unique = {}
        for mol, name in parents:
            unique.setdefault(Chem.MolToSmiles(mol), (mol, name))
        queues = [(analogues(mol, target, name), name) for mol, name in unique.values()]
        made = []
        while len(made) < PER_TARGET and queues:
            for queue, name in list(queues):
                if len(made) == PER_TARGET:
                    break
                for mol in queue:
                    smiles = Chem.MolToSmiles(mol)
                    key = Chem.MolToInchiKey(Chem.MolFromSmiles(smiles))
                    if key and key[:14] not in blocked:
                        blocked.add(key[:14])
                        made.append([target, "synthetic", f"analogue of {name}", key, smiles])
                        break
                else:
                    queues.remove((queue, name))
        out.extend(made)
        if len(made) < PER_TARGET:
            print(f"{target}: only {len(made)} analogues", file=sys.stderr)
    frame = pd.DataFrame(out, columns=["target", "kind", "name", "inchikey", "smiles"])
    assert frame.inchikey.str[:14].is_unique
    text = io.StringIO()
    frame.to_csv(text, index=False, lineterminator="\n")
    with open(here / "training_compounds.csv.gz", "wb") as file:
        with gzip.GzipFile(fileobj=file, mode="wb", mtime=0, compresslevel=9, filename="") as packed:
            packed.write(text.getvalue().encode())
    print(frame.kind.value_counts().to_dict(), len(targets), "targets")


main(Path(sys.argv[1]))
