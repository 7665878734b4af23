#!/usr/bin/env python3
"""Runs the workflow of configs/cluster for real: on this machine, from a bucket, and on a cluster of one node.

usage: workflow.py PROGRAM
Needs snakemake, snakemake-executor-plugin-slurm and pyarrow. Exit code 1 at the first thing that is wrong.

Plates: simulated for the preset `smoke`, as PNGs in JUMP's layout; two parts, two models and image statistics.
Checked: the report is there; a second run does nothing; when the embeddings of one part are deleted, only that part is
embedded again, merged, scored and reported; merged embeddings equal those of one `bench embed`, row by row and bit by
bit; an interrupted run is finished.

Bucket: a folder in the gallery's layout, with the same images under names of four TARGET2 and two COMPOUND plates, and
JUMP's own tables. Without ../shared/data/jump_metadata nothing says what is in the wells: fetched and prepared only.

Cluster: slurmctld, slurmd and munged run here, with a configuration and a GPU of their own making, and are stopped
again; root only. Debian's packages are installed where `sbatch` is absent. Where that fails the profile is dry-run,
and told.
"""

import collections
import contextlib
import csv
import gzip
import io
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib

import pyarrow.parquet as parquet

HERE = pathlib.Path(__file__).resolve().parent.parent
CLUSTER = HERE / "configs" / "cluster"
TABLES = HERE.parent / "shared" / "data" / "jump_metadata"
SNAKEMAKE = pathlib.Path(sys.executable).parent / "snakemake"
DEBIAN = ["slurmctld", "slurmd", "slurm-client", "munge"]
CHANNELS = ["DNA", "AGP", "ER", "Mito", "RNA"]
# Flags of `bench score`: the report is not what is tested.
SMALL = {"probes": ["knn"], "bootstrap": 100, "no_projection": True, "no_controls": True, "no_batch_probes": True}
# Two wells each, and two of DMSO.
LABELS = ["ABL1", "ADH1C", "AKT1"]
TARGET2 = [("source_4", "2021_08_30_Batch13", "BR00127145"), ("source_4", "2021_08_30_Batch13", "BR00127146"),
           ("source_3", "CP59", "JCPQC051"), ("source_2", "20210614_Batch_1", "1053600674")]
COMPOUND = [("source_2", "20210607_Batch_2", "1053601756"), ("source_3", "CP59", "BR5867a3")]
PRESET = """
id = "bucket"
title = "A few steps on fetched plates"
evaluation = "centre"
augment = { crop = 32 }
compounds.sizes = { test = { count = 0 }, retrieval = { count = 2 }, validation = { count = 0 } }
[[models]]
id = "clip"
model.loss = { loss = "clip" }
model.image = "tiny"
model.molecule = { pna = { hidden = 16, depth = 2, output = 32 } }
model.temperature = { start = 0.5 }
model.head = { embedding = 16, dropout = 0.0 }
train.epochs = 2
train.sampler = { views = 1, strategy = "uniform", batch = 2, batch-unit = "compounds" }
train.schedule = { warmup-epochs = 1, warmup-start = 1e-4 }
"""


class Wrong(Exception):
    """Something is not as it should be."""


def check(fine, text, *more):
    """A line of what was seen; the end, if it is wrong."""
    if not fine:
        raise Wrong("\n  ".join([text, *map(str, more)]))
    print(f"ok  {time.monotonic() - BEGUN:5.1f} s  {text}", flush=True)


def skipped(what, why):
    print(f"\n*** SKIPPED: {what}: {why} ***\n", flush=True)


def bench(*args):
    done = subprocess.run([PROGRAM, "--no-progress", *map(str, args)], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Wrong(f"{' '.join(map(str, args))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def settings(work, name, **more):
    """A file of settings over those of configs/cluster/config.yaml; JSON is YAML, too."""
    small = {"cpus": 1, "mem_mb": 500, "runtime": 10}
    rules = ["fetch", "prepare", "train", "embed", "merge", "score", "report"]
    config = {
        "bench": str(PROGRAM), "run": str(work / name), "data": str(work / "raw"), "shards": 2,
        "prepare": {"crop": "none"}, "preset": "smoke", "models": ["clip", "emm"],
        "train": {"device": "cpu"}, "embed": {"device": "cpu", "plate_types": ["TARGET2"]},
        "score": SMALL,
        "resources": {rule: small for rule in rules},
        **more,
    }
    path = work / f"{name}.json"
    path.write_text(json.dumps(config))
    return path


def command(config, profile, *flags):
    return [str(SNAKEMAKE), "--snakefile", str(CLUSTER / "Snakefile"), "--profile", str(CLUSTER / "profiles" / profile),
            "--configfile", str(config), "--nocolor", *map(str, flags)]


def snakemake(work, config, profile, *flags, env=None):
    """Runs the workflow; what it said, and how many jobs of each rule."""
    done = subprocess.run(command(config, profile, *flags), cwd=work, text=True, timeout=240, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**ENV, **(env or {})})
    if done.returncode != 0:
        logs = sorted([*config.with_suffix("").glob("logs/**/*.log"), *work.glob(".snakemake/slurm_logs/**/*.log")])
        logs = [f"== {path}\n{path.read_text()[-800:]}" for path in logs]
        raise Wrong("\n".join([f"{' '.join(done.args)}: exit code {done.returncode}", done.stdout[-4000:], *logs[-8:]]))
    return done.stdout, collections.Counter(re.findall(r"^(?:local)?rule (\w+):$", done.stdout, re.M))


def rows(path):
    """Rows of a table by the name of their field of view."""
    names = ["Source", "Batch", "Plate", "Well", "Site"]
    return {tuple(row[f"Metadata_{name}"] for name in names): row for row in parquet.read_table(path).to_pylist()}


def same(merged, whole):
    merged, whole = rows(merged), rows(whole)
    columns = [set(next(iter(table.values()))) for table in [merged, whole]]
    differ = [key for key in merged.keys() | whole.keys() if merged.get(key) != whole.get(key)]
    return columns[0] == columns[1] and not differ, f"{len(merged)} rows, {len(columns[0])} columns", differ[:3]


# One machine


def one_machine(work):
    bench("data", "simulate", "--preset", "smoke", "--format", "folder", "--out", work / "raw")
    run, config = work / "run", settings(work, "run")
    out, jobs = snakemake(work, config, "local", "--dry-run")
    check(jobs["train"] == 2 and not run.exists(), f"dry run: {sum(jobs.values())} jobs, and nothing is written", out)
    _, jobs = snakemake(work, config, "local")
    wanted = {"prepare": 2, "plates": 1, "train": 2, "embed": 6, "merge": 3, "score": 1, "report": 1, "all": 1}
    check(jobs == wanted, f"one machine: {sum(jobs.values())} jobs, preset smoke, two parts", jobs)
    report = run / "report" / "report.html"
    models = {row["model"] for row in json.loads((run / "score" / "record.json").read_text())["summaries"]}
    named = all(name in report.read_text() for name in ["clip", "emm", "simple-features"])
    three = named and {"clip", "emm", "simple-features"} <= models
    check(three, f"report: {report.stat().st_size} bytes, three models", models)
    empty = [path for path in run.glob("logs/**/*.log") if not path.stat().st_size]
    check(len(list(run.glob("logs/**/*.log"))) == 16 and not empty, "every job has a log", empty)

    out, jobs = snakemake(work, config, "local")
    check(not jobs and "Nothing to be done" in out, "a second run does nothing", out[-2000:])

    for model in ["clip", "emm", "simple-features"]:
        weights = model if model == "simple-features" else run / "models" / model / f"{model}.safetensors"
        bench("embed", "--model", weights, "--name", model, "--data", run / "plates", "--plate-types", "TARGET2",
              "--device", "cpu", "--out", work / "whole")
        fine, text, differ = same(run / "embeddings" / f"{model}.parquet", work / "whole" / f"{model}.parquet")
        check(fine, f"{model}: merged embeddings equal those of one `bench embed`, {text}", differ)

    part = run / "embeddings" / "clip" / "2-of-2" / "clip.parquet"
    before = part.read_bytes()
    part.unlink()
    _, jobs = snakemake(work, config, "local")
    wanted = {"embed": 1, "merge": 1, "score": 1, "report": 1, "all": 1}
    check(jobs == wanted and part.read_bytes() == before, "one part deleted: one embed, merge, score and report", jobs)

    interrupted(work)


def interrupted(work):
    """The snakemake of a run, and its jobs, are killed while a model is trained."""
    config, run = settings(work, "killed", models=["clip"], simple_features=False), work / "killed"
    process = subprocess.Popen(command(config, "local", "--until", "train"), cwd=work, env=ENV, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end and not (run / "logs" / "train" / "clip.log").exists():
        time.sleep(0.01)
    alive = process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    check(alive and not (run / "models" / "clip" / "clip.safetensors").exists(), "kill -9 while a model is trained")
    snakemake(work, config, "local", "--unlock")
    _, jobs = snakemake(work, config, "local")
    check(jobs["train"] == 1 and not jobs["prepare"] and (run / "report" / "report.html").is_file(),
          "after --unlock it goes on: nothing is prepared again", jobs)
    fine, text, differ = same(run / "embeddings" / "clip.parquet", work / "run" / "embeddings" / "clip.parquet")
    check(fine, "and the embeddings are those of the run that was left alone", differ)


# A bucket


def text_of(table):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue().encode()


def put(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def fill(work, wells):
    """The gallery as a folder: simulated images, in each plate those of other fields."""
    fields = sorted(work.glob("raw/source_*/*/*target2*/*__DNA.png"))
    bucket, at = work / "bucket", 0
    for source, batch, plate in TARGET2 + COMPOUND:
        table, home = [], f"cpg0016-jump/{source}/images/{batch}/images/{plate}"
        for well in wells:
            row = {"Metadata_Plate": plate, "Metadata_Well": well["well"], "Metadata_Site": 1}
            for channel in CHANNELS:
                key = f"{home}/{well['well']}_{channel}.png"
                row[f"URL_Orig{channel}"] = f"s3://cellpainting-gallery/{key}"
                field = fields[at % len(fields)]
                put(bucket / key, field.with_name(field.name.replace("DNA", channel)).read_bytes())
            at += 1
            table.append(row)
        home = bucket / f"cpg0016-jump/{source}/workspace/load_data_csv/{batch}/{plate}"
        put(home / "load_data_with_illum.csv", text_of(table))


def lay_tables(work, wells):
    """JUMP's tables where the manifest says; those of wells and compounds as far as these plates go."""
    contents = [{"Metadata_Source": source, "Metadata_Plate": plate, "Metadata_Well": well["well"],
                 "Metadata_JCP2022": well["jcp2022"]} for source, _, plate in TARGET2 + COMPOUND for well in wells]
    known = {well["jcp2022"]: {"Metadata_JCP2022": well["jcp2022"], "Metadata_InChIKey": well["InChIKey"],
                               "Metadata_SMILES": well["smiles"]} for well in wells}
    made = {"well.csv.gz": contents, "compound.csv.gz": list(known.values())}
    for table in tomllib.loads((HERE / "data-manifests" / "cpg0016-target2.toml").read_text())["tables"]:
        name = table.get("file", table["path"].rsplit("/")[-1])
        body = gzip.compress(text_of(made[name]), mtime=0) if name in made else (TABLES / name).read_bytes()
        put(work / "tables" / table["repository"] / table.get("commit", "HEAD") / table["path"], body)


def from_bucket(work):
    layout, joined = TABLES / "target2_layout_384.csv", TABLES.is_dir()
    wells = [{"well": f"A{n:02}"} for n in range(1, 9)]
    if joined:
        with open(layout, newline="") as file:
            every = list(csv.DictReader(file))
        wells = [well for label in [*LABELS, ""] for well in [w for w in every if w["target"] == label][:2]]
        lay_tables(work, wells)
    fill(work, wells)
    (work / "bucket.toml").write_text(PRESET)
    flags = {"bucket": str(work / "bucket"), "tables": str(work / "tables")}
    sets = [
        {"id": "cpg0016-target2", "plate": [plate for *_, plate in TARGET2], **flags},
        {"id": "cpg0016-jump", "plate": [plate for *_, plate in COMPOUND], "plate_type": ["COMPOUND"],
         "what": ["images"], **flags},
    ]
    if not joined:
        sets[0]["what"] = ["images"]
    config = settings(work, "fetched", data="", fetch=sets, preset=str(work / "bucket.toml"), models=["clip"],
                      score={**SMALL, "labels": LABELS})
    flags = [] if joined else ["--until", "plates"]
    _, jobs = snakemake(work, config, "local", *flags)
    run, count = work / "fetched", len(wells) * len(TARGET2 + COMPOUND)
    four = jobs["fetch"] == jobs["prepare"] == 4
    check(four, "bucket: two parts of each of two data sets are fetched and prepared", jobs)
    done = bench("data", "verify", run / "plates")
    packed = len(list((run / "plates").glob("*.bplate")))
    fine = f"{count} fields of view, 0 " in done.stderr and packed == 6
    check(fine, f"{packed} packed plates, {count} fields verify", done.stderr)
    if not joined:
        skipped("training and scoring of fetched plates", "../shared/data/jump_metadata is absent")
        return
    embedded = {key[2] for key in rows(run / "embeddings" / "clip.parquet")}
    check(embedded == {plate for *_, plate in TARGET2} and (run / "report" / "report.html").is_file(),
          "trained on COMPOUND plates, TARGET2 plates embedded, scored and reported", embedded)
    out, jobs = snakemake(work, config, "local")
    check(not jobs, "a second run does nothing", out[-2000:])
    config = settings(work, "again", data=str(run / "plates"), preset=str(work / "bucket.toml"), models=[])
    _, jobs = snakemake(work, config, "local", "--dry-run")
    check(not jobs["prepare"] and jobs["embed"] == 2, "packed plates are not prepared again (dry run)", jobs)


# A cluster


def installed():
    """None, or why SLURM cannot be had."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "a cluster of one node is started as root, on Linux"
    lacking = [name for name in ["slurmctld", "slurmd", "munged", "sbatch"] if not shutil.which(name)]
    if lacking and shutil.which("sbatch"):
        return f"`sbatch` is here, and not {', '.join(lacking)}"
    if not lacking:
        return None
    if not shutil.which("apt-get"):
        return "no `sbatch`, and no apt-get to install it"
    # RUNLEVEL: services of the packages are not started.
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for step in [["update"], ["install", "--yes", "--no-install-recommends", *DEBIAN]]:
        try:
            done = subprocess.run(["apt-get", "--quiet", *step], timeout=120, env=env, capture_output=True, text=True)
        except subprocess.TimeoutExpired:
            return f"apt-get {step[0]} took too long"
        if done.returncode != 0:
            return f"apt-get {step[0]}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}"
    return None


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def told(env, *words):
    return subprocess.run(words, capture_output=True, text=True, timeout=30, env={**ENV, **env}).stdout


@contextlib.contextmanager
def cluster(folder):
    """One node, one GPU that is none, two partitions. Yields the environment, or None and why not."""
    folder.mkdir()
    for name in ["state", "spool"]:
        (folder / name).mkdir()
    node, ports, cores = socket.gethostname().split(".")[0], [port(), port()], os.cpu_count() or 1
    (folder / "key").write_bytes(os.urandom(1024))
    (folder / "key").chmod(0o600)
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
    (folder / "slurm.conf").write_text(f"""
ClusterName=workflow
SlurmctldHost={node}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=1,sched_min_interval=0
MinJobAge=600
GresTypes=gpu
NodeName={node} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=1500 Gres=gpu:1
PartitionName=cpu Nodes={node} Default=YES
PartitionName=gpu Nodes={node}
""")
    # Jobs lose SLURM_CONF on their way to `srun`, which then reads /etc/slurm.
    env = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{folder}/bin:{ENV['PATH']}"}
    script = f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n'
    put(folder / "bin" / "srun", script.encode())
    (folder / "bin" / "srun").chmod(0o755)
    munge = {name: f"--{name}={folder}/munge.{end}" for name, end in
             [("socket", "sock"), ("pid-file", "pid"), ("log-file", "log"), ("seed-file", "seed")]}
    daemons = [
        ("munged", ["--foreground", "--force", f"--key-file={folder}/key", *munge.values()], folder / "munge.sock"),
        ("slurmctld", ["-D"], None),
        ("slurmd", ["-D", "-N", node], None),
    ]
    started, ready = [], ""
    try:
        for name, args, made in daemons:
            with open(folder / f"{name}.out", "w") as out:
                started.append(subprocess.Popen([name, *args], stdout=out, stderr=out, env={**ENV, **env}))
            end = time.monotonic() + 10
            while made and not made.exists() and time.monotonic() < end:
                time.sleep(0.05)
        end = time.monotonic() + 20
        while ready != "idle" and time.monotonic() < end and all(one.poll() is None for one in started):
            time.sleep(0.2)
            ready = told(env, "sinfo", "--noheader", "--partition", "gpu", "--format", "%T").strip()
        said = [line for name, *_ in daemons for line in (folder / f"{name}.out").read_text().splitlines()[-2:]]
        yield (env, None) if ready == "idle" else (None, f"the node is `{ready}`: " + "; ".join(said))
    finally:
        if ready == "idle":
            told(env, "scancel", "--user=root")
        for one in reversed(started):
            one.terminate()
            try:
                one.wait(timeout=15)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()


def on_cluster(work):
    config = settings(work, "slurm", models=["clip"], partitions={"cpu": "cpu", "gpu": "gpu"})
    why = installed()
    if not why:
        with cluster(work / "cluster") as (env, why):
            if env:
                submitted(work, config, env)
    if why:
        skipped("the profile `slurm` on a cluster", f"{why}; it is dry-run instead")
        out, jobs = snakemake(work, config, "slurm", "--dry-run")
        needs = re.findall(r"gpu=1, slurm_partition=gpu|slurm_partition=gpu, gpu=1", out)
        # Snakemake 8 does not tell what depends on the model: `train` is left.
        wanted = 1 if "gpu=<TBD>" in out else 3
        check(len(needs) == wanted, f"profile slurm, dry run: {sum(jobs.values())} jobs, {wanted} seen to want a GPU", out)


def submitted(work, config, env):
    check(True, "cluster of one node: slurmctld, slurmd and munged run")
    # Without accounting there is no sacct; statuses are asked for early, as these jobs take seconds.
    flags = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", 10]
    _, jobs = snakemake(work, config, "slurm", *flags, env=env)
    every = [line for line in told(env, "scontrol", "--oneliner", "show", "jobs").splitlines() if "JobId=" in line]
    fine = [line for line in every if "JobState=COMPLETED" in line]
    on_gpu = [line for line in fine if re.search(r"\bPartition=gpu\b", line) and re.search(r"gres[:/]gpu[:=]1", line)]
    rest = [line for line in fine if re.search(r"\bPartition=cpu\b", line) and "gpu" not in line]
    here = jobs["all"] + jobs["plates"] + jobs["report"]
    check(len(fine) == len(every) == sum(jobs.values()) - here and jobs["embed"] == 4 and here == 3,
          f"profile slurm: {len(fine)} jobs were submitted, and completed", jobs, *every)
    check(len(on_gpu) == 3 and len(rest) == len(fine) - 3,
          f"train and embed asked for one GPU of the partition gpu, the {len(rest)} others for none", *every)
    fine, text, differ = same(*(work / name / "embeddings" / "clip.parquet" for name in ["slurm", "run"]))
    check(fine and (work / "slurm" / "report" / "report.html").is_file(),
          f"the report is there, and the embeddings are those of one machine, {text}", differ)


def main():
    global PROGRAM
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    PROGRAM = pathlib.Path(sys.argv[1]).resolve()
    try:
        with tempfile.TemporaryDirectory(prefix="workflow") as folder:
            work = pathlib.Path(folder).resolve()
            ENV.update(XDG_CACHE_HOME=str(work / "home"), BENCH_CACHE=str(work / "cache"))
            one_machine(work)
            from_bucket(work)
            on_cluster(work)
    except Wrong as wrong:
        print(f"WRONG {wrong}", flush=True)
        return 1
    print(f"done in {time.monotonic() - BEGUN:.0f} s")
    return 0


BEGUN = time.monotonic()
ENV = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SNAKEMAKE_", "BENCH_"))}
if __name__ == "__main__":
    sys.exit(main())
