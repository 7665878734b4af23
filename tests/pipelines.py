#!/usr/bin/env python3
"""Runs the shell steps of configs/ci, in their order, as the services would (.ci/pipelines makes the Python).

    tests/pipelines.py PROGRAM

Each workflow is read as YAML. A folder stands for the checkout, another for the service's cache; `gh` and `curl` are
stand-ins that keep comments in a file; `embed.py` is a model that can be made worse. Four runs follow each other: two
of the main branch, a request that changes nothing (once more after it, to see the comment edited), and one that makes the
model worse. What needs the service itself (checkout, upload) is checked for the paths it names.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import yaml

HERE = pathlib.Path(__file__).resolve().parent.parent
FLAGS = "--label target --no-projection --no-batch-probes --no-controls --bootstrap 100 --repeats 2"
EMBED = """\
import random, sys
quality = float(open("quality").read())
noise = random.Random(11)
rows = ["source,batch,plate,well,compound,target,control," + ",".join(f"emb_{i}" for i in range(6))]
for source in range(3):
    for batch in range(2):
        for plate in range(2):
            for well in range(36):
                label = well % 4
                values = [noise.gauss(0, 1) + quality * (i == label) + (i == source) for i in range(6)]
                name = f"{chr(65 + well // 12)}{well % 12 + 1:02}"
                place = f"s{source},b{batch},p{plate},{name},c{label}{well // 4 % 2},t{label},trt"
                rows.append(place + "," + ",".join(f"{v:.6f}" for v in values))
open(sys.argv[1], "w").write("\\n".join(rows) + "\\n")
"""
# `gh api` as far as the workflow uses it: list (with the marker in --jq), POST, PATCH.
GH = """\
#!{python}
import json, pathlib, re, sys
words, store = sys.argv[1:], pathlib.Path({store!r})
notes = json.loads(store.read_text()) if store.exists() else []
method = words[words.index("--method") + 1] if "--method" in words else "GET"
place = next(word for word in words if word.startswith("repos/"))
if method == "GET":
    marker = re.search(r'startswith\\("(.*)"\\)', words[words.index("--jq") + 1]).group(1)
    print("\\n".join(str(n["id"]) for n in notes if n["body"].startswith(marker)))
    sys.exit()
body = next(word for word in words if word.startswith("body=@"))[6:]
text = pathlib.Path(body).read_text()
if method == "POST" and place.endswith("/comments"):
    notes.append({{"id": 100 + len(notes), "body": text, "edits": 0}})
elif method == "PATCH":
    note = next(n for n in notes if place.endswith("/" + str(n["id"])))
    note["body"], note["edits"] = text, note["edits"] + 1
else:
    sys.exit("unknown request: " + method + " " + place)
store.write_text(json.dumps(notes))
"""
CURL = """\
#!{python}
import json, pathlib, sys
words, store = sys.argv[1:], pathlib.Path({store!r})
notes = json.loads(store.read_text()) if store.exists() else []
method = words[words.index("--request") + 1] if "--request" in words else "GET"
place = next(word for word in words if word.startswith("https://"))
if "PRIVATE-TOKEN: secret" not in words or "--fail" not in words:
    sys.exit("no token, or errors are not looked at")
if method == "GET":
    print(json.dumps(notes))
    sys.exit()
text = pathlib.Path(words[words.index("--data-urlencode") + 1].removeprefix("body@")).read_text()
if method == "POST" and place.endswith("/notes"):
    notes.append({{"id": 100 + len(notes), "body": text, "edits": 0}})
elif method == "PUT":
    note = next(n for n in notes if place.endswith("/" + str(n["id"])))
    note["body"], note["edits"] = text, note["edits"] + 1
else:
    sys.exit("unknown request: " + method + " " + place)
store.write_text(json.dumps(notes))
"""
BEGUN = time.monotonic()


class Wrong(Exception):
    pass


def check(fine, text, *more):
    if not fine:
        raise Wrong("\n".join([text, *map(str, more)]))
    print(f"{time.monotonic() - BEGUN:5.0f} s  ok  {text}", flush=True)


class Service:
    """What both services have: a program path with stand-ins, a cache, a store of comments."""

    def __init__(self, work, program, stand_in, text):
        self.work, self.cache, self.store = work, work / "cache", work / "comments.json"
        self.cache.mkdir(parents=True)
        tools = work / "bin"
        tools.mkdir()
        (tools / "bench").symlink_to(program)
        for name in ["python", "python3"]:
            (tools / name).symlink_to(sys.executable)
        stub = tools / stand_in
        stub.write_text(text.format(python=sys.executable, store=str(self.store)))
        stub.chmod(0o755)
        self.env = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(work), "LANG": "C.UTF-8", "NO_COLOR": "1"}

    def checkout(self, quality):
        folder = self.work / "checkout"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "embed.py").write_text(EMBED)
        (folder / "quality").write_text(str(quality))
        return folder

    def comments(self):
        return json.loads(self.store.read_text()) if self.store.exists() else []


def github(service, quality, event, sha):
    """One run of the workflow; its exit code, and what it printed."""
    flow = yaml.safe_load((HERE / "configs/ci/github-actions.yml").read_text())
    job = flow["jobs"]["bench"]
    folder, out = service.checkout(quality), []
    known = {
        "vars.PROGRAM_REPOSITORY": "", "github.token": "secret", "github.run_id": "7", "github.run_attempt": "1",
        "github.sha": sha, "github.event.pull_request.head.sha || github.sha": sha, "github.repository": "me/model",
        "github.server_url": "https://example.org", "github.event.pull_request.number": "5" if event == "pull_request" else "",
    }
    value = lambda text: re.sub(r"\$\{\{ (.*?) \}\}", lambda m: known[m.group(1)], str(text))
    env = {**service.env, **{name: value(text) for name, text in job["env"].items()}}
    env |= {"SCORE_FLAGS": FLAGS, "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    conditions = {
        None: True, "always()": True, "github.event_name == 'pull_request'": event == "pull_request",
        "github.event_name != 'pull_request'": event != "pull_request",
    }
    failed = 0
    for step in job["steps"]:
        condition = step.get("if")
        if not conditions[condition] or (failed and condition != "always()"):
            continue
        uses = step.get("uses", "").split("@")[0]
        paths = [line for line in step.get("with", {}).get("path", "").split("\n") if line]
        if uses == "actions/cache/restore":
            for path in paths:
                if (service.cache / path).exists():
                    shutil.copy(service.cache / path, folder / path)
        elif uses == "actions/cache/save":
            for path in paths:
                shutil.copy(folder / path, service.cache / path)
        elif uses == "actions/upload-artifact":
            missing = [path for path in paths if not (folder / path).exists()]
            if missing:
                raise Wrong(f"the workflow uploads {missing}, which is not there")
        elif uses and uses != "actions/checkout":
            raise Wrong(f"no stand-in for `{uses}`")
        elif "run" in step:
            if "${{" in step["run"]:
                raise Wrong(f"`{step['name']}` puts an expression into a script: use `env`")
            done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", step["run"]], cwd=folder, env=env, capture_output=True, text=True)
            out.append(f"== {step['name']}: {done.returncode}\n{done.stdout}{done.stderr}")
            failed = failed or done.returncode
    return failed, "\n".join(out)


def gitlab(service, quality, event, sha):
    flow = yaml.safe_load((HERE / "configs/ci/gitlab-ci.yml").read_text())
    job = flow["bench"]
    folder = service.checkout(quality)
    cached = [path.rstrip("/") for path in job["cache"]["paths"]]
    for path in cached:
        if (service.cache / path).exists():
            shutil.copytree(service.cache / path, folder / path)
    request = event == "pull_request"
    env = {**service.env, **job["variables"], "SCORE_FLAGS": FLAGS, "CI_COMMIT_SHA": sha, "CI_PROJECT_ID": "3",
           "CI_API_V4_URL": "https://example.org/api/v4", "CI_PROJECT_URL": "https://example.org/me/model",
           "CI_JOB_URL": "https://example.org/me/model/-/jobs/9", "COMMENT_TOKEN": "secret",
           "CI_MERGE_REQUEST_IID": "5" if request else ""}
    # A runner joins the lines into one script.
    script = "\n".join([*job["before_script"], *job["script"]])
    done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=folder, env=env, capture_output=True, text=True)
    for path in job["artifacts"]["paths"]:
        if not (folder / path).exists():
            raise Wrong(f"`{path}` is kept as an artifact, and is not there\n{done.stdout}{done.stderr}")
    if request:
        for pattern in [job["artifacts"]["reports"]["junit"]]:
            if len(list(folder.glob(pattern))) != 2:
                raise Wrong(f"`{pattern}` finds {list(folder.glob(pattern))}")
    else:
        for path in cached:
            shutil.rmtree(service.cache / path, ignore_errors=True)
            shutil.copytree(folder / path, service.cache / path)
    return done.returncode, done.stdout + done.stderr


def story(name, run, service):
    history = lambda: sum(len(p.read_text().splitlines()) for p in service.cache.rglob("*.jsonl"))
    code, out = run(service, 1.5, "push", "a" * 40)
    check(code == 0 and history() == 1, f"{name}: the first run of the main branch starts a history", out)
    code, out = run(service, 1.5, "push", "b" * 40)
    check(code == 0 and history() == 2, f"{name}: the second is compared and added", out)
    code, out = run(service, 1.5, "pull_request", "c" * 40)
    notes = service.comments()
    fine = code == 0 and len(notes) == 1 and "No change that matters" in notes[0]["body"]
    check(fine and history() == 2, f"{name}: a request without a change is commented on and passes", out, notes)
    code, out = run(service, 0.4, "pull_request", "d" * 40)
    notes = service.comments()
    fine = code == 1 and len(notes) == 1 and notes[0]["edits"] == 1 and "REGRESSION" in notes[0]["body"]
    check(fine and history() == 2, f"{name}: a worse model fails, its comment is edited in place", out, notes)
    check("d" * 12 in notes[0]["body"] and len(notes[0]["body"]) < 65536, f"{name}: the comment names the commit", notes[0]["body"])
    page = (service.work / "checkout/bench-compared/history.html").read_text()
    check(page.count("<svg class=\"trend\"") > 3, f"{name}: the page of trends is there")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = pathlib.Path(sys.argv[1]).resolve()
    lacking = [tool for tool in ["bash", "jq"] if not shutil.which(tool)]
    try:
        with tempfile.TemporaryDirectory(prefix="pipelines") as folder:
            work = pathlib.Path(folder).resolve()
            story("GitHub Actions", github, Service(work / "github", program, "gh", GH))
            if lacking:
                print(f"*** SKIPPED: the pipeline of GitLab, as there is no {', '.join(lacking)} ***")
            else:
                story("GitLab", gitlab, Service(work / "gitlab", program, "curl", CURL))
    except Wrong as wrong:
        print(f"WRONG {wrong}", flush=True)
        return 1
    print(f"done in {time.monotonic() - BEGUN:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
