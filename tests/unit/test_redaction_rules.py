"""What no module may do with a value: the rules that hold by form, and that each check notices what breaks its rule."""

from __future__ import annotations

import ast
import pathlib
import textwrap
from collections.abc import Callable

import pytest

import revealing

PACKAGE = pathlib.Path(__file__).parents[2] / "operator" / "keywright"
TREES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}

#: Who may see a value, how often, and why. A place more is a decision; one less leaves the list.
MAY_REVEAL = {
    # What keeps, compares and seals them.
    "secret.py": 6,
    "audit/heads.py": 1,
    # A token and a key out of files, to a collector that the administrator has named.
    "audit/sinks/webhook.py": 3,
    "keyfile/keys.py": 5,
    "keyfile/contents.py": 2,
    # What sends them on: to a store, an issuer, the API server; to a terminal where a person asks for it.
    "wire.py": 1,
    "botocore_adapter.py": 3,
    "stores/_aws_login.py": 2,
    "stores/_aws_write.py": 2,
    "stores/_content.py": 2,
    "stores/_vault_login.py": 2,
    "stores/_vault_session.py": 1,
    "stores/encrypted_file.py": 4,
    # An encrypted file as it lies on the disk.
    "engine/credentials.py": 2,
    "engine/target.py": 1,
    "engine/journals.py": 2,
    "engine/shelf.py": 4,
    "cli/get.py": 1,
    # What a rotation remembers, sealed in the encrypted file; CA certificates out of it.
    "cli/_local/book.py": 3,
    "cli/_local/credentials.py": 1,
    # What takes them apart and puts them together: pure, without anywhere to send them.
    "engine/templates.py": 1,
    "decide/filters.py": 2,
    "decide/looks.py": 2,
    "decide/render.py": 5,
    "decide/rotate/held.py": 2,
    "decide/rotate/recipe.py": 1,
    "decide/rewrite.py": 1,
    "decide/shapes.py": 1,
    "decide/template.py": 1,
    # What knows them by their form and asks whose they are.
    "issuers/base.py": 2,
    "issuers/anthropic.py": 2,
    "issuers/aws.py": 3,
    "issuers/azure_openai.py": 1,
    "issuers/bedrock.py": 1,
    "issuers/custom.py": 1,
    "issuers/gcp_service_account.py": 1,
    "issuers/github.py": 1,
    "issuers/gitlab.py": 1,
    "issuers/google.py": 1,
    "issuers/openai.py": 1,
    "issuers/slack.py": 1,
    "issuers/stripe.py": 1,
    # What makes them, and shows the right to.
    "issuing/_admin.py": 3,
    "issuing/aws_iam.py": 3,
    "issuing/azure_openai.py": 1,
    "issuing/gcp_service_account.py": 2,
    "issuing/generated.py": 1,
    "issuing/gitlab.py": 1,
    "issuing/github_app.py": 1,
    # What puts them where a request that was declared wants them.
    "placeholders.py": 3,
}

#: What is called a value and typed as text or bytes above stores and issuers, and is none; or is one, and why so.
MAY_BE_BARE = {
    # None: names of Secrets, tokens of requests to refresh, what is in a manifest, click's own word.
    "audit/sinks/webhook.py": {"_authorization"},
    "cli/_report/shape.py": {"secret"},
    "cli/_report/trail.py": {"secret"},
    "cli/_asking.py": {"value"},
    "cli/_connection.py": {"resolve_envvar_value"},
    "cli/_refreshing.py": {"_token", "token"},
    "cli/_structural.py": {"value"},
    # CA certificates, which are for everybody.
    "cli/_local/credentials.py": {"ca"},
    "cli/_types.py": {"value"},
    "cli/plan.py": {"secret"},
    "decide/consumers.py": {"secret"},
    "decide/history.py": {"secret"},
    "decide/rollout.py": {"secret"},
    "decide/uses.py": {"secret"},
    "engine/actions.py": {"api_key_secret", "api_key_secret_uid"},
    "engine/chronicle.py": {"secret"},
    "engine/consumers.py": {"secret"},
    "engine/loop.py": {"secret"},
    "engine/reconcile.py": {"secret"},
    "engine/reporter.py": {"secret"},
    "engine/restart_records.py": {"secret"},
    "engine/rotate/acting.py": {"token"},
    "engine/rotate/holding.py": {"secret"},
    "engine/rotate/place.py": {"secret"},
    "engine/restarts.py": {"secret", "token"},
    "engine/shelf.py": {"token"},
    "events.py": {"token"},
    # The operator's own token, of which only the name in it is read.
    "engine/record_keeping.py": {"token"},
    # What was typed or piped in, on its way into a SecretValue.
    "cli/_keyfile.py": {"secret"},
    # Inside of one pure step, between what reveals a value and what makes the next one of it.
    "decide/filters.py": {"value", "_bytes"},
    "decide/looks.py": {"raw"},
    "decide/render.py": {"_chosen", "raw"},
    "decide/shapes.py": {"text", "value"},
    "decide/template.py": {"_value"},
}

#: What is hashed without a key, and why that tells nothing of a value.
MAY_HASH = {
    "audit/heads.py": {"hashlib.sha256"},  # a public key, for its name
    "engine/journals.py": {"hashlib.sha256"},  # a store and a path, for the name of a Secret
    "engine/shelf.py": {"hashlib.sha256"},  # an object and its credential, for the name of a Secret
    "audit/merkle.py": {"hashlib.sha256"},  # records, which hold no values
    "audit/copies.py": {"hashlib.blake2b"},  # a sink's address, for its name
    "audit/sinks/s3.py": {"hashlib.md5"},  # records: the checksum that object lock asks for
    "pacing.py": {"hashlib.blake2b"},  # names of objects, for their slots in time
    "events.py": {"hashlib.sha256"},  # an object's UID and a token of ours, for the name of an Event
    "decide/marks.py": {"hashlib.sha256"},  # namespace and name, for the name of a field manager
    "decide/origins.py": {"hashlib.sha256"},  # where values come from: stores, paths, properties
    # Over ciphertext and lengths: a checksum that tells damage from a wrong key. What is inside is sealed.
    "keyfile/sealed.py": {"hashlib.sha256"},
    # Made of a value, into a value, because a template says so: `htpasswd` files and the like. It ends in the Secret.
    "decide/filters.py": {"hashlib.sha256"},
    # The checksum that vendors put into their tokens; compared, never kept.
    "issuers/_checksum.py": {"zlib.crc32"},
}

#: Errors whose texts are ours: made here, or by our own code for click.
OURS = frozenset(
    (
        *("Error", "Stalled", "Retry", "Outage", "StoreStalled", "LoginExpired", "Refused", "Held", "AllGone"),
        *("Parked", "Wrong", "Unreadable", "ClickException", "UsageError"),
    )
)


def _found(check: Callable[[ast.AST], list[int]]) -> dict[str, list[int]]:
    return {name: lines for name, tree in TREES.items() if (lines := check(tree))}


def test_values_are_revealed_in_few_places_only() -> None:
    assert {name: len(lines) for name, lines in _found(revealing.reveals).items()} == MAY_REVEAL


def test_the_page_says_in_how_many_modules() -> None:
    page = (PACKAGE.parents[1] / "docs" / "what-is-never-shown.md").read_text()
    assert f"in {len(MAY_REVEAL)} modules, each with the number of its places" in page


def test_what_is_revealed_is_forgotten_within_five_lines() -> None:
    assert _found(revealing.lingering) == {}


def test_no_object_keeps_what_is_revealed_but_a_parsed_map() -> None:
    assert {name: len(lines) for name, lines in _found(revealing.kept).items()} == {"decide/render.py": 1}


def test_above_stores_and_issuers_no_signature_carries_a_value_as_text() -> None:
    above = (name for name in TREES if name.startswith(_ROOMS) or name in _SINGLE)
    found = {name: {each for _, each in revealing.bare(TREES[name])} for name in above}
    assert {name: names for name, names in found.items() if names} == MAY_BE_BARE


_ROOMS = ("audit/", "cli/", "decide/", "engine/", "kinds/")
_SINGLE = ("cluster.py", "crd.py", "events.py", "generate.py", "handlers.py", "health.py", "lease.py", "reference.py")


def test_no_error_keeps_the_one_that_it_came_of() -> None:
    assert _found(revealing.chained) == {}


def test_no_text_is_made_of_a_foreign_exception() -> None:
    assert _found(lambda tree: revealing.told(tree, OURS)) == {}


def test_nothing_is_hashed_without_a_key_but_what_is_no_value() -> None:
    found = {name: {what for _, what in revealing.hashes(tree)} for name, tree in TREES.items()}
    assert {name: what for name, what in found.items() if what} == MAY_HASH


#: What breaks each rule, and what does not, side by side.
LINGERING = """
    def near(value):
        raw = value.reveal()
        a = 1
        b = 2
        c = 3
        d = 4
        return len(raw)

    def far(value):
        raw = value.reveal()  # here
        a = 1
        b = 2
        c = 3
        d = 4
        e = 5
        return len(raw)

    def its_text(value):
        text = value.reveal().decode().strip()  # here
        a = (
            1,
            2,
            3,
            4,
        )
        return text

    def handed_on(value):
        raw = value.reveal()
        shown = {"key": raw[3:] + b"x"}  # here
        a = (
            1,
            2,
            3,
            4,
        )
        return shown

    def in_a_lambda(value):
        found = [part.reveal() for part in value]  # here
        a = (
            1,
            2,
            3,
            4,
        )
        return lambda: found

    def part_by_part(value):
        for part in value.reveal().split():  # here
            a = (
                1,
                2,
                3,
                4,
            )
            use(part)

    def asked_only(value):
        known = value.reveal().startswith(b"x")
        a = (
            1,
            2,
            3,
            4,
        )
        return known

    def bound_again(value):
        raw = value.reveal()
        use(raw)
        a = (
            1,
            2,
            3,
        )
        raw = value.reveal()
        use(raw)
"""
KEPT = """
    class Held:
        def __init__(self, value):
            self.raw = value.reveal()  # here
            self.copy = bytes(value.reveal())  # here
            self.map: dict = json.loads(value.reveal())  # here
            self.value = value
            self.sent = send(value.reveal())
"""
BARE = """
    def send(token: str): ...  # here
    def send(token: SecretValue): ...
    def send(*, api_token: bytes | None = None): ...  # here
    def send(path: str, name: str): ...
    def send(values: dict[str, str]): ...  # here
    def send(values: dict[str, SecretValue]): ...
    def send(values: "Mapping[str, bytes]"): ...  # here
    def password() -> str: ...  # here
    class Held:
        password: str  # here
        token: SecretValue
    def shown(it) -> bytes:  # here
        raw = it.reveal()
        return raw.strip()
"""
CHAINED = """
    try:
        work()
    except ValueError as error:
        raise Stalled("no") from error  # here
    except KeyError as error:
        raise Stalled("no")  # here
    except TypeError:
        raise Stalled("no") from None
    except OSError as error:
        raise error
    except errors.Error:
        raise
    try:
        work()
    except ValueError:
        if hopeless:
            raise Stalled("no")  # here
    raise Stalled("no")
"""
TOLD = """
    try:
        work()
    except ValueError as error:
        say(f"it failed: {error}")  # here
        say(f"it failed: {error!r}")  # here
        say("it failed: " + str(error))  # here
        say("it failed: %s" % error)  # here
        say("it failed: {}".format(error))  # here
        log.info("it failed: %s", error)  # here
        say(error.args)  # here
        click.echo(error)  # here
        say(error.strerror)  # here
        say(error.msg)  # here
        said = error  # here
        kind = type(error)
        log.info("it failed: %s", type(error).__name__)
        log.info("it failed", exc_info=error)
        say(f"it failed at {errors.place_of(error)} with {error.errno}")
    except (OSError, errors.Retry) as error:
        say(f"it failed: {error}")  # here
    except errors.Retry as error:
        say(f"it failed: {error}")
    except (errors.Stalled, Retry) as error:
        say(f"it failed: {error}")
"""
HASHES = """
    import hashlib
    import hashlib as h  # here
    from hashlib import sha256  # here
    hashlib.sha256(value)  # here
    hashlib.new("md5", value)  # here
    zlib.crc32(value)  # here
    hash(value)  # here
    hashes.Hash(hashes.SHA256())  # here
    hmac.new(key, value, hashlib.sha256)
    hmac.digest(key, value, "sha256")
    HKDF(hashes.SHA256(), 32, salt, use)
"""
REVEALS = """
    value.reveal()  # here
    send = value.reveal  # here
    value.fingerprint()
"""


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (revealing.reveals, REVEALS),
        (revealing.lingering, LINGERING),
        (revealing.kept, KEPT),
        (lambda tree: [line for line, _ in revealing.bare(tree)], BARE),
        (revealing.chained, CHAINED),
        (lambda tree: revealing.told(tree, OURS), TOLD),
        (lambda tree: [line for line, _ in revealing.hashes(tree)], HASHES),
    ],
    ids=["reveals", "lingering", "kept", "bare", "chained", "told", "hashes"],
)
def test_each_check_finds_what_breaks_its_rule_and_nothing_else(
    check: Callable[[ast.AST], list[int]], text: str
) -> None:
    source = textwrap.dedent(text)
    marked = [number for number, line in enumerate(source.splitlines(), 1) if line.endswith("# here")]

    assert check(ast.parse(source)) == marked
