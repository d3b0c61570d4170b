"""What the docs say is so: manifests are accepted, links lead somewhere, nothing that exists goes without a word."""

from __future__ import annotations

import ast
import dataclasses
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import click
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase
from pydantic import alias_generators

from controlplane import ControlPlane
from keywright import cli, kinds, metrics, reference
from keywright.cli import _health, _leader, _probing, _verdicts, operator, plan, status
from keywright.cli._exit import Exit
from keywright.engine import gather
from keywright.errors import STORE_TROUBLE, Reason
from keywright.events import EventReason
from keywright.issuing import ISSUING
from keywright.stores import STORES
from world import CLUSTER_KINDS, GROUP, PLURALS

Json = dict[str, Any]
ROOT = pathlib.Path(__file__).parent.parent
KUBECTL = pathlib.Path(sys.executable).parent / "kubectl"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
HANDMADE = [path for path in PAGES if path.parent.name != "reference"]


def named(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(text: str) -> Iterator[str]:
    """Yield what is fenced as YAML or stands in a here-document, and speaks of our API."""
    fenced = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    here = re.findall(r"<<END\n(.*?)^END$", text, re.MULTILINE | re.DOTALL)
    yield from (each for each in [*fenced, *here] if re.search(r"^apiVersion: keywright", each, re.MULTILINE))


def manifests() -> list[Any]:
    """Return each manifest of ours in the docs, with the page that it is in."""
    found = []
    for path in PAGES:
        for block in blocks(path.read_text()):
            # Addresses that a shell would fill in.
            told = yaml.safe_load_all(block.replace("$VAULT_ADDR", "http://127.0.0.1:8200"))
            found += [pytest.param(each, id=f"{named(path)}-{each['kind']}") for each in told]
    return found


def unformatted(text: str) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """Return the anchors that a page's headings make."""
    titles = re.findall(r"^#+ (.*)$", unformatted(text), re.MULTILINE)
    return {re.sub(r"[^-\w ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("manifest", manifests())
def test_a_manifest_in_the_docs_is_accepted_by_the_api_server(
    control_plane: ControlPlane, namespace: str, manifest: Json
) -> None:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    space = "" if kind in CLUSTER_KINDS else f"/namespaces/{namespace}"
    manifest["metadata"].pop("namespace", None)
    query = "?dryRun=All&fieldManager=test&fieldValidation=Strict"

    status, answer = control_plane.request(
        "PATCH", f"{GROUP}{space}/{PLURALS[kind]}/{name}{query}", manifest, "application/apply-patch+yaml"
    )

    assert status in (200, 201), answer.get("message")


def test_every_way_to_have_keys_made_has_its_row_of_rights() -> None:
    text = (ROOT / "docs/howto/declare-an-issuer.md").read_text()

    assert [name for name in ISSUING if f"\n| `{name}` | " not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: pathlib.Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", unformatted(page.read_text())):
        place, _, anchor = link.partition("#")
        if place.startswith(("http://", "https://")):
            continue
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            dead.append(link)

    assert dead == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen:
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)#\s]+\.md)[^)]*\)", page.read_text())
        ahead += [target for each in links if (target := (page.parent / each).resolve()).exists()]

    assert [named(page) for page in PAGES if page not in seen] == []


def rows(page: str) -> set[str]:
    """Return what stands first, as code, in the rows of a reference page."""
    text = (ROOT / "docs/reference" / page).read_text()
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def test_every_reason_and_every_event_has_its_row() -> None:
    assert set(Reason) <= rows("conditions.md")
    assert set(EventReason) <= rows("events.md")


def test_every_reason_is_told_of_in_the_troubleshooting_page() -> None:
    told = (ROOT / "docs/howto/troubleshoot.md").read_text()
    fine = {Reason.SYNCED, Reason.VALID, Reason.SUSPENDED}

    assert [each for each in Reason if each not in fine and f"`{each}`" not in told] == []


def test_the_page_of_sources_says_of_every_trouble_of_a_store_whether_another_is_asked() -> None:
    text = (ROOT / "docs/howto/several-stores-one-secret.md").read_text()
    lines = re.findall(r"^\|.*\(.*`Store.*$", text, re.MULTILINE)
    told = {name: line.endswith("| is asked |") for line in lines for name in re.findall(r"`(\w+)`", line)}

    assert told == {str(each): each not in gather.PATIENCE for each in STORE_TROUBLE}


def test_every_metric_has_its_row() -> None:
    instruments = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    names = {
        told.name + ("_total" if told.type == "counter" else "") for each in instruments for told in each.describe()
    }

    assert names == rows("metrics.md")


def test_metrics_that_the_docs_name_are_there() -> None:
    there = rows("metrics.md")
    for page in HANDMADE:
        named_there = set(re.findall(r"keywright_[a-z_]+[a-z]", page.read_text()))
        assert named_there <= there, named(page)


def test_every_kind_and_every_store_has_its_page() -> None:
    assert [each for each in kinds.KINDS if not (ROOT / f"docs/reference/{each.lower()}.md").exists()] == []
    stems = [store.__module__.rpartition(".")[2] for store in STORES.values()]
    assert [each for each in stems if not (ROOT / f"docs/stores/{each}.md").exists()] == []


def test_every_command_has_its_heading() -> None:
    headings = re.findall(r"^## `?keywright (\w+)`?$", (ROOT / "docs/reference/cli.md").read_text(), re.MULTILINE)

    assert headings == cli.keywright.list_commands(click.Context(cli.keywright))


def test_the_table_of_exit_codes_is_that_of_the_program() -> None:
    told = reference._docstrings(Exit)
    rows = [line for line in section("docs/cli.md", "Exit codes").splitlines() if re.match(r"\| [0-9]", line)]

    assert rows == [f"| {each.value} | {' '.join(told[each.name].split())} |" for each in Exit]


def test_no_command_has_an_exit_code_of_its_own() -> None:
    """What ends a process, or a command, is said by the enum: types hold the rest."""
    ends = {}
    for path in sorted((ROOT / "operator/keywright/cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in (
                "exit",
                "_exit",
                "SystemExit",
            ):
                ends[f"{path.name}: {ast.unparse(node)}"] = [type(each).__name__ for each in node.args]

    assert len(ends) >= 5
    assert [end for end, arguments in ends.items() if arguments in ([], ["Constant"])] == []


def test_the_help_of_a_command_names_exit_codes_that_there_are() -> None:
    context = click.Context(cli.keywright)
    for name in cli.keywright.list_commands(context):
        command = cli.keywright.get_command(context, name)
        told = " ".join(((command and command.help) or "").partition("Exit code: ")[2].split())
        assert {int(code) for code in re.findall(r"\b\d+\b", told)} <= set(Exit), name


def section(page: str, title: str) -> str:
    """Return what stands below a heading of a page."""
    text = (ROOT / page).read_text()
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def fields(page: str, title: str) -> set[str]:
    """Return the names of fields in the tables of a section, without what they are in."""
    told = re.findall(r"^\| (`[^|]*) \|", section(page, title), re.MULTILINE)
    return {name.rpartition(".")[2] for cell in told for name in re.findall(r"`([^`]+)`", cell)}


def names(*types: Any) -> set[str]:
    """Return the names of the fields of dataclasses."""
    return {field.name for each in types for field in dataclasses.fields(each)}


def test_every_field_that_programs_are_told_has_its_row() -> None:
    made = {"metadata": {"namespace": "a", "name": "b", "creationTimestamp": "", "generation": 1}}
    told = fields("docs/cli.md", "status")

    assert told == names(_leader.Leader, _health.Health) | set(status._object(made)) | {"store"}
    assert names(plan.Plan, plan.Entry) - {"entries"} <= fields("docs/cli.md", "plan")
    found = {alias_generators.to_camel(name) for name in names(_probing.Found)}
    assert found | {*_verdicts.FIELDS} | names(_health.Health) <= fields("docs/cli.md", "check")


def test_the_old_words_are_refused_as_the_page_shows(control_plane: ControlPlane, namespace: str) -> None:
    page = (ROOT / "docs/howto/come-from-external-secrets.md").read_text()
    (shown,) = re.findall(r"^\$ kubectl apply -f llm.yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    data = [{"secretKey": "OPENAI_API_KEY", "remoteRef": {"key": "llm/openai", "property": "api_key"}}]
    manifest = {
        "apiVersion": kinds.API_VERSION,
        "kind": "ApiKeySecret",
        "metadata": {"name": "llm", "namespace": namespace},
        "spec": {"secretStoreRef": {"name": "vault"}, "data": data},
    }

    said = kubectl(control_plane, "apply", "-f", "-", stdin=yaml.safe_dump(manifest))

    assert said.returncode == 1
    # The API server tells them in any order.
    assert sorted(map(str.strip, said.stderr.splitlines())) == sorted(shown.splitlines())


def kubectl(plane: ControlPlane, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(KUBECTL), f"--kubeconfig={plane.kubeconfig}", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)


def test_what_is_read_from_the_environment_is_told() -> None:
    read = {each.envvar for each in operator.command.params} - {None} | {"POD_NAME"}

    assert set(re.findall(r"^\| `(\w+)` \|", section("docs/howto/install.md", "Environment"), re.MULTILINE)) == read
