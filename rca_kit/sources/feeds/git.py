"""Commits that landed on a branch, as changes: the kind follows from the files, the component from where they lie."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath

from rca_kit.case.changes import Change
from rca_kit.errors import BadInput
from rca_kit.sources.feeds.text import Feed, plain, when

MAX_COMMITS = 5000  # more is the history of a product, not what came before an incident
SECONDS = 120.0
FIELDS = 5
# A repository's own settings can name programs to run; none of them is needed to read a log.
SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "log.showSignature=false", "-c", "core.pager=cat",
        "--no-replace-objects", "--no-pager")
QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
WORKSPACES = ("services", "service", "apps", "packages", "components", "projects", "libs", "modules")
_RULES = (  # of one file; the first that fits
    ("other", r"(^|/)(docs?|tests?|\.github|\.gitlab|examples)/|(^|/)(test_[^/]*|conftest)\.py$|\.(md|rst|adoc)$"
              r"|(^|/)(license|codeowners|changelog|\.gitignore|\.gitlab-ci\.yml)[^/]*$"),
    ("model_deploy", r"\.(onnx|pkl|joblib|safetensors|pt|pth|h5|tflite|dvc|mlmodel)$|(^|/)(model_registry|weights)/"),
    ("schema_change", r"(^|/)(migrations?|alembic|schemas?)/|\.(proto|avsc|thrift)$|schema[^/]*\.(json|ya?ml|sql|graphql)$"),
    ("data_pipeline", r"(^|/)(dags?|airflow|dbt|pipelines?|etl|jobs|features?_store|feature_repo)/"),
    ("flag_change", r"(^|/)(feature[-_]?)?(flags?|toggles?)([/.]|[-_][^/]*\.(json|ya?ml))"),
    ("experiment", r"(^|/)experiments?/.*\.(json|ya?ml|toml)$"),
    ("infra_change", r"\.(tf|tfvars|hcl)$|(^|/)(terraform|helm|charts?|k8s|kubernetes|kustomize|deploy|manifests|ansible)/"
                     r"|(^|/)(dockerfile|docker-compose)[^/]*$"),
    ("config_change", r"\.(ya?ml|json|toml|ini|cfg|conf|env|properties)$|(^|/)configs?/"),
)
_RANK = ("model_deploy", "schema_change", "data_pipeline", "flag_change", "experiment", "config_change", "infra_change")


def read(place: str, *, since: datetime | None, until: datetime | None, component: str) -> Feed:
    """Read the commits that landed on a branch (first parents only: a merge counts once, when it was merged).

    Raises
    ------
    BadInput
        When there is no git, no repository, no such branch, or git takes too long.
    """
    path, _, branch = place.partition("#")
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise BadInput("there is no such folder", file=path, expected="a git repository")
    branch = branch or "HEAD"
    if not re.fullmatch(r"[A-Za-z0-9_][\w./@^~-]*", branch):
        raise BadInput("is no name of a branch", file=path, found=branch[:80])
    top = Path(_git(folder, "rev-parse", "--show-toplevel").strip() or folder)  # a bare repository has none
    name = component or re.sub(r"\.git$", "", (top if str(top) != "." else folder).resolve().name)
    limits = [f"--max-count={MAX_COMMITS + 1}"]
    limits += [f"--since={since.timestamp():.0f}"] if since else []
    limits += [f"--until={until.timestamp():.0f}"] if until else []
    log = ("log", "--first-parent", "-z", *limits, "--no-ext-diff", "--no-textconv", "--ignore-submodules")
    fields = _git(folder, *log, "--format=%H%x00%P%x00%cI%x00%D%x00%s", "--end-of-options", branch).split("\0")
    rows = [fields[i: i + FIELDS] for i in range(0, len(fields) - FIELDS + 1, FIELDS)]
    notes = [f"git {path}: only the newest {MAX_COMMITS:,} commits are taken"] if len(rows) > MAX_COMMITS else []
    rows = rows[:MAX_COMMITS]
    listed = _git(folder, *log, "-m", "--name-only", "--format=%H", "--end-of-options", branch)
    files = dict(_files(listed.split("\0"), [r[0] for r in rows]))
    return Feed(tuple(c for row in rows if (c := _change(row, files.get(row[0], []), name, bool(component)))), tuple(notes))


def _change(row: list[str], files: list[str], name: str, named: bool) -> Change | None:
    sha, parents, at, refs, subject = row
    time = when(at)
    if time is None:
        return None
    tag = next((r.removeprefix("tag: ") for r in refs.split(", ") if r.startswith("tag: ")), "")
    return Change(
        id=f"git-{sha[:12]}", time=time, kind=kind_of(files), component=name if named else _part(files) or name,
        description=plain(subject) or "(no message)", version_from=parents[:12], version_to=plain(tag, 80) or sha[:12],
    )


def kind_of(files: list[str]) -> str:
    """Tell the kind of a commit from the files it touched; documents and tests count only when there is nothing else.

    Examples
    --------
    >>> kind_of(["app/serve.py", "tests/test_serve.py"]), kind_of(["config/limits.yaml"]), kind_of(["README.md"])
    ('code_deploy', 'config_change', 'other')
    """
    kinds = {next((kind for kind, rule in _RULES if re.search(rule, f.lower())), "code_deploy") for f in files}
    kinds = kinds - {"other"} or kinds
    if "code_deploy" in kinds and not kinds & {"model_deploy", "schema_change"}:
        return "code_deploy"
    return next((k for k in _RANK if k in kinds), "other")


def _part(files: list[str]) -> str:
    """Give the service of a repository that holds several, when all files lie in one."""
    parts = {p[1] for f in files if len(p := PurePosixPath(f).parts) > 2 and p[0].lower() in WORKSPACES}
    inside = all(PurePosixPath(f).parts[:1] and PurePosixPath(f).parts[0].lower() in WORKSPACES for f in files)
    return plain(parts.pop(), 80) if inside and len(parts) == 1 else ""


def _files(tokens: list[str], order: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Split the list of names at each commit, in the order that the log gave."""
    commits = iter(order)
    upcoming = next(commits, None)
    current, found = "", list[str]()
    for token in tokens:
        if token == upcoming:
            if current:
                yield current, found
            current, found = token, []
            upcoming = next(commits, None)
        elif token.lstrip("\n"):
            found.append(token.lstrip("\n"))
    if current:
        yield current, found


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *SAFE, "-C", str(folder), *arguments],  # noqa: S603, S607 - fixed words and checked names
                              capture_output=True, timeout=SECONDS, env={**os.environ, **QUIET}, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise BadInput("git is not installed", expected="the program `git`") from None
    except subprocess.TimeoutExpired:
        raise BadInput(f"git took longer than {SECONDS:.0f} s", file=str(folder), hint="give a later --since") from None
    if done.returncode:
        said = plain(done.stderr.decode(errors="replace").strip().rpartition("fatal: ")[2])
        if arguments[0] == "rev-parse" and "work tree" in said:
            return ""
        raise BadInput("git cannot read it", file=str(folder), found=said, expected="a git repository, and a branch in it")
    return done.stdout.decode(errors="replace")
