"""Change logs out of a real git repository, real MLflow stores, and JSON in the forms that GitHub and Kubernetes document."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rca_kit.errors import BadInput
from rca_kit.sources.feeds import read_feed
from rca_kit.sources.feeds.git import kind_of

AT = datetime(2026, 3, 2, 14, tzinfo=UTC)


class Repo:
    def __init__(self, folder: Path):
        self.folder, self.at = folder, AT
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        stamp = f"{self.at.timestamp():.0f} +0100"
        env = {**os.environ, "GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp, "GIT_AUTHOR_NAME": "Ann Oyed",
               "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@example.org",
               "GIT_CONFIG_GLOBAL": "/dev/null"}
        return subprocess.run(["git", "-C", str(self.folder), *arguments], check=True, capture_output=True, text=True,
                              env=env).stdout

    def commit(self, message: str, *files: str) -> str:
        self.at += timedelta(minutes=10)
        for name in files:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(f"{self.at}")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()


@pytest.fixture
def repo(tmp_path):
    return Repo(tmp_path / "fraud-api")


def test_commits_become_changes_of_the_kind_their_files_tell(repo):
    first = repo.commit("Score in batches", "app/score.py", "tests/test_score.py")
    second = repo.commit("Raise limits", "config/limits.yaml")
    repo.commit("New weights", "models/fraud.onnx", "app/score.py")
    repo.commit("Typo", "README.md")
    repo.git("tag", "v1.3.0")
    got = read_feed(f"git:{repo.folder}").changes
    assert [(c.kind, c.component, c.description) for c in got] == [
        ("code_deploy", "fraud-api", "Score in batches"), ("config_change", "fraud-api", "Raise limits"),
        ("model_deploy", "fraud-api", "New weights"), ("other", "fraud-api", "Typo"),
    ]
    assert got[0].id == f"git-{first[:12]}" and got[0].time == AT + timedelta(minutes=10)
    assert (got[1].version_from, got[1].version_to) == (first[:12], second[:12])
    assert got[3].version_to == "v1.3.0"


def test_a_merge_counts_once_when_it_landed_and_with_its_files(repo):
    repo.commit("start", "app/a.py")
    repo.git("checkout", "-qb", "branch")
    repo.commit("work 1", "deploy/helm/values.yaml")
    repo.commit("work 2", "deploy/helm/chart.yaml")
    repo.git("checkout", "-q", "main")
    repo.at += timedelta(hours=5)
    repo.git("merge", "-q", "--no-ff", "branch", "-m", "Merge: more memory")
    got = read_feed(f"git:{repo.folder}").changes
    assert [(c.description, c.kind) for c in got] == [("start", "code_deploy"), ("Merge: more memory", "infra_change")]
    assert got[1].time == repo.at
    assert [c.description for c in read_feed(f"git:{repo.folder}#branch").changes] == ["start", "work 1", "work 2"]


def test_a_repository_of_several_services_names_the_one(repo):
    repo.commit("one", "services/search/app.py", "services/search/config.yaml")
    repo.commit("two", "services/search/app.py", "services/rank/app.py")
    repo.commit("three", "services/rank/app.py", "common.py")
    assert [c.component for c in read_feed(f"git:{repo.folder}").changes] == ["search", "fraud-api", "fraud-api"]
    assert {c.component for c in read_feed(f"git:{repo.folder}", component="mine").changes} == {"mine"}


def test_only_the_asked_span_is_given(repo):
    for i in range(5):
        repo.commit(f"c{i}", "a.py")
    got = read_feed(f"git:{repo.folder}", AT + timedelta(minutes=20), AT + timedelta(minutes=40)).changes
    assert [c.description for c in got] == ["c1", "c2"]


def test_hostile_commits_and_repositories_do_nothing(repo, tmp_path):
    mark = tmp_path / "ran"
    for key in ("core.fsmonitor", "core.pager", "gpg.program", "diff.external", "core.sshCommand"):
        repo.git("config", key, f"touch {mark}")
    repo.git("config", "log.showSignature", "true")
    (repo.folder / ".git" / "hooks" / "post-index-change").write_text(f"#!/bin/sh\ntouch {mark}\n")
    repo.commit("<img src=x onerror=alert(1)> \x1b[31m" + "x" * 1000 + "\n\nbody", "a\nb.py", "-c", "é.yaml")
    mark.unlink(missing_ok=True)
    got = read_feed(f"git:{repo.folder}").changes
    assert not mark.exists()
    assert len(got) == 1 and len(got[0].description) <= 300 and "\x1b" not in got[0].description
    assert got[0].kind == "code_deploy"
    assert "ann" not in str(got).lower()  # names of people are not carried into a review
    for branch in ("--output=x", "-c", "a b", "$(x)"):
        with pytest.raises(BadInput):
            read_feed(f"git:{repo.folder}#{branch}")


def test_a_bare_repository_can_be_read(repo, tmp_path):
    repo.commit("one", "a.py")
    subprocess.run(["git", "clone", "-q", "--bare", str(repo.folder), str(tmp_path / "mirror.git")], check=True)
    assert [c.component for c in read_feed(f"git:{tmp_path / 'mirror.git'}").changes] == ["mirror"]


@pytest.mark.parametrize(("make", "words"), [
    (lambda d: d / "nowhere", "no such folder"), (lambda d: d, "git cannot read it"),
])
def test_what_is_no_repository_is_refused(make, words, tmp_path):
    with pytest.raises(BadInput, match=words):
        read_feed(f"git:{make(tmp_path)}")


@pytest.mark.parametrize(("files", "kind"), [
    (["db/migrations/001.sql", "app.py"], "schema_change"), (["events/order.proto"], "schema_change"),
    (["dags/features.py"], "code_deploy"), (["dags/features.yaml"], "data_pipeline"), (["flags/new_ranker.json"], "flag_change"),
    (["Dockerfile", "docs/a.md"], "infra_change"), (["main.tf"], "infra_change"), ([".github/workflows/ci.yml"], "other"),
    (["experiments/ranker.yaml"], "experiment"), (["model.dvc"], "model_deploy"), ([], "other"), (["x"], "code_deploy"),
])
def test_kinds_of_files(files, kind):
    if files == ["dags/features.py"]:
        kind = "data_pipeline"  # code of a pipeline is the pipeline
    assert kind_of(files) == kind


@pytest.mark.filterwarnings("ignore")  # mlflow warns about its own defaults and dependencies
@pytest.mark.parametrize("store", ["sqlite", "file"])
def test_model_versions_of_a_real_registry(store, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = f"sqlite:///{tmp_path}/store.db" if store == "sqlite" else (tmp_path / "mlruns").as_uri()
    try:
        client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.create_registered_model("fraud")
    except Exception as error:
        if store == "file":
            pytest.skip(f"this MLflow has no file store any more: {str(error)[:80]}")
        raise
    client.create_registered_model("<b>other" if store == "sqlite" else "other")
    began = datetime.now(UTC) - timedelta(seconds=5)
    client.create_model_version("fraud", source=str(tmp_path), description="retrained on March")
    client.create_model_version("fraud", source=str(tmp_path))
    client.set_registered_model_alias("fraud", "champion", "2")
    got = read_feed(f"mlflow:{uri}", began).changes
    assert [(c.kind, c.component, c.version_from, c.version_to) for c in got] == [
        ("model_deploy", "fraud", "", "1"), ("model_deploy", "fraud", "1", "2")]
    assert got[0].description == "fraud version 1 registered: retrained on March"
    assert got[1].description == "fraud version 2 registered; alias champion"
    assert [c.id for c in got] == ["mlflow-fraud-1", "mlflow-fraud-2"] and got[0].time >= began
    assert read_feed(f"mlflow:{uri}", datetime.now(UTC) + timedelta(days=1)).changes == ()


@pytest.mark.filterwarnings("ignore")
def test_an_unreachable_registry_is_said_without_its_password(tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setattr("mlflow.store.db.utils.MAX_RETRY_COUNT", 2)  # it would try for a hundred seconds
    with pytest.raises(BadInput, match="no such store"):
        read_feed(f"mlflow:sqlite:///{tmp_path}/none.db")
    assert not list(tmp_path.iterdir())  # nothing is made where nothing was
    with pytest.raises(BadInput) as caught:
        read_feed("mlflow:postgresql://me:s3cret@127.0.0.1:9/db")
    assert "the registry cannot be read" in str(caught.value) and "s3cret" not in str(caught.value)


DEPLOYMENT = {  # the example of GitHub's REST reference, with an environment
    "url": "https://api.github.com/repos/octocat/example/deployments/1", "id": 1, "node_id": "MDEwOkRlcGxveW1lbnQx",
    "sha": "a84d88e7554fc1fa21bcbc4efae3c782a70d2b9d", "ref": "topic-branch", "task": "deploy", "payload": {},
    "original_environment": "staging", "environment": "production", "description": "Deploy request from hubot",
    "creator": {"login": "octocat", "id": 1}, "created_at": "2026-03-02T01:19:13Z", "updated_at": "2026-03-02T01:19:13Z",
    "statuses_url": "https://api.github.com/repos/octocat/example/deployments/1/statuses",
    "repository_url": "https://api.github.com/repos/octocat/example", "transient_environment": False,
    "production_environment": True,
}


def github(tmp_path, content) -> tuple:
    path = tmp_path / "deployments.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    feed = read_feed(f"github-deployments:{path}")
    return feed.changes, feed.notes


def test_deployments_as_the_api_lists_them(tmp_path):
    preview = {**DEPLOYMENT, "id": 2, "environment": "pr-7", "transient_environment": True, "production_environment": False}
    migration = {**DEPLOYMENT, "id": 3, "task": "deploy:migrations", "ref": "v2.0", "description": None}
    got, notes = github(tmp_path, [DEPLOYMENT, preview, migration])
    assert [(c.id, c.kind, c.component, c.version_to) for c in got] == [
        ("github-1", "code_deploy", "example", "a84d88e7554f"), ("github-3", "schema_change", "example", "v2.0")]
    assert got[0].description == "deploy topic-branch to production: Deploy request from hubot"
    assert got[0].time == datetime(2026, 3, 2, 1, 19, 13, tzinfo=UTC)
    assert notes == ("deployments.json: 1 deployments to preview environments are left out",)
    assert "octocat" not in str(got)


def test_pages_and_webhooks(tmp_path):
    paged, _ = github(tmp_path, json.dumps([[DEPLOYMENT], [{**DEPLOYMENT, "id": 2}]]))
    assert [c.id for c in paged] == ["github-1", "github-2"]
    status = {"state": "success", "created_at": "2026-03-02T01:25:00Z", "log_url": "https://ci.example.org/1",
              "target_url": "javascript:alert(1)"}
    hooks = "\n".join(json.dumps({"action": "created", "deployment": DEPLOYMENT, "repository": {"name": "fraud"}, **more})
                      for more in ({}, {"deployment_status": status}))
    got, _ = github(tmp_path, hooks)
    assert len(got) == 1 and got[0].component == "fraud" and got[0].link == "https://ci.example.org/1"
    assert got[0].time == datetime(2026, 3, 2, 1, 25, tzinfo=UTC)  # when it went live


def event(reason, kind, name, message, minute, uid=None, **more):
    return {"apiVersion": "v1", "kind": "Event", "metadata": {"name": f"{name}.17", "namespace": "prod", "uid": uid or
            f"{reason}-{name}-{minute}"}, "involvedObject": {"kind": kind, "name": name, "namespace": "prod"},
            "reason": reason, "message": message, "type": "Normal", "firstTimestamp": f"2026-03-02T14:{minute:02d}:00Z",
            "lastTimestamp": f"2026-03-02T14:{minute:02d}:30Z", "count": 1, "source": {"component": "x"}, **more}


EVENTS = [
    event("ScalingReplicaSet", "Deployment", "fraud", "Scaled up replica set fraud-7c9f8d6b5 to 1", 5),
    event("Pulled", "Pod", "fraud-7c9f8d6b5-x2x4z", 'Successfully pulled image "reg.example.org:5000/fraud:v3" in 2s', 6),
    event("Created", "Pod", "fraud-7c9f8d6b5-x2x4z", "Created container fraud", 6),
    event("ScalingReplicaSet", "Deployment", "fraud", "Scaled down replica set fraud-5d4c3b2f9 to 2", 7),
    event("ScalingReplicaSet", "Deployment", "fraud", "Scaled up replica set fraud-7c9f8d6b5 to 3 from 1", 8),
    event("ScalingReplicaSet", "Deployment", "web", "Scaled up replica set web-66b9c7d5f4 to 9 from 6", 9),
    event("SuccessfulRescale", "HorizontalPodAutoscaler", "web", "New size: 9; reason: cpu above target", 9),
    event("BackOff", "Pod", "fraud-7c9f8d6b5-x2x4z", "Back-off restarting failed container", 12, count=14),
    event("BackOff", "Pod", "fraud-7c9f8d6b5-bcdfg", "Back-off restarting failed container", 13, count=2),
    event("OOMKilling", "Node", "node-1", "Memory cgroup out of memory: Killed process 7", 15),
    event("BackoffLimitExceeded", "Job", "features-28512000", "Job has reached the specified backoff limit", 20),
]


def kubernetes(tmp_path, content, **more):
    path = tmp_path / "events.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_feed(f"k8s-events:{path}", **more)


def test_rollouts_scaling_failures_and_jobs_are_told_apart_and_chatter_is_left_out(tmp_path):
    got = kubernetes(tmp_path, {"apiVersion": "v1", "kind": "List", "items": EVENTS}).changes
    assert [(c.kind, c.component, c.description) for c in got] == [
        ("code_deploy", "fraud", "roll-out of fraud, image reg.example.org:5000/fraud:v3"),
        ("infra_change", "web", "web scaled: Scaled up replica set web-66b9c7d5f4 to 9 from 6"),
        ("infra_change", "web", "SuccessfulRescale: New size: 9; reason: cpu above target"),
        ("infra_change", "fraud", "BackOff (16 times): Back-off restarting failed container"),
        ("infra_change", "node-1", "OOMKilling: Memory cgroup out of memory: Killed process 7"),
        ("data_pipeline", "features", "BackoffLimitExceeded: Job has reached the specified backoff limit"),
    ]
    assert got[0].version_to == "v3" and got[0].time == datetime(2026, 3, 2, 14, 5, tzinfo=UTC)


def test_a_watch_and_the_newer_api_read_alike(tmp_path):
    newer = {"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"uid": "u1", "namespace": "prod"},
             "eventTime": "2026-03-02T14:12:00.123456Z", "reason": "Evicted", "note": "The node was low on resource: memory",
             "regarding": {"kind": "Pod", "name": "fraud-7c9f8d6b5-x2x4z"}, "deprecatedCount": 3,
             "reportingController": "kubelet"}
    written = "\n".join(json.dumps(e, indent=1) for e in (newer, {"type": "ADDED", "object": EVENTS[7]}))
    got = kubernetes(tmp_path, written).changes
    assert [c.description for c in got] == ["BackOff (14 times): Back-off restarting failed container",
                                            "Evicted (3 times): The node was low on resource: memory"]
    assert {c.component for c in got} == {"fraud"}


def test_events_before_the_span_do_not_hide_those_inside(tmp_path):
    got = kubernetes(tmp_path, EVENTS, since=datetime(2026, 3, 2, 14, 13, tzinfo=UTC)).changes
    assert got[0].description.startswith("BackOff (2 times)") and got[0].time.minute == 13


@pytest.mark.parametrize("kind", ["github-deployments", "k8s-events"])
@pytest.mark.parametrize(("content", "words"), [
    ("not json", "is not JSON"), ('{"a": 1}', "holds no"), ('[{"id": []}, 3, null]', "holds no"), ("[" * 100_000, "is not JSON"),
])
def test_rubbish_is_refused(kind, content, words, tmp_path):
    (tmp_path / "f.json").write_text(content)
    with pytest.raises(BadInput, match=words):
        read_feed(f"{kind}:{tmp_path}/f.json")
    with pytest.raises(BadInput, match="no such file"):
        read_feed(f"{kind}:{tmp_path}/none.json")


def test_an_empty_list_is_no_error(tmp_path):
    (tmp_path / "f.json").write_text("[]")
    assert read_feed(f"k8s-events:{tmp_path}/f.json").changes == ()
