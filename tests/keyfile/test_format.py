"""The bytes of the encrypted file: whatever is changed in them is found, and named."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyfile.files import CANARY, KEY, master, opened, refused, small, summed
from keywright import errors
from keywright.errors import Reason
from keywright.keyfile import keys, sealed
from keywright.keyfile.contents import KEPT_VERSIONS, Contents
from keywright.keyfile.keys import Kdf
from keywright.keyfile.sealed import Record
from keywright.secret import SecretValue

DAMAGED = {Reason.FILE_CORRUPT}
#: Who makes the checksum fit again has changed the file on purpose: without its key that is another key's file.
FORGED = {Reason.FILE_CORRUPT, Reason.AUTH_FAILED, Reason.FILE_REFUSED}


@pytest.fixture(scope="module")
def data() -> bytes:
    """A file of about 4 KiB."""
    whole = small(20).to_bytes()
    assert 3584 < len(whole) < 4608
    return whole


def test_what_was_put_in_comes_out() -> None:
    found = opened(small().to_bytes())

    assert [found.read(f"llm/{n}").value.reveal().decode() for n in range(3)] == [f"{CANARY}-{n}" for n in range(3)]


def test_no_value_stands_in_a_file_and_every_path_does(data: bytes) -> None:
    assert CANARY.encode() not in data
    assert data.count(b"llm/") == 20


def test_every_flipped_bit_is_found(data: bytes) -> None:
    changed = bytearray(data)
    reasons = set()
    for place in range(len(data)):
        for bit in range(8):
            changed[place] ^= 1 << bit
            reasons.add(_reason(bytes(changed)))
            changed[place] ^= 1 << bit

    assert reasons == DAMAGED
    assert opened(bytes(changed)).newest


def test_every_flipped_bit_is_found_though_the_checksum_fits(data: bytes) -> None:
    changed = bytearray(data)
    reasons = set()
    for place in range(len(data) - 32):
        for bit in range(8):
            changed[place] ^= 1 << bit
            reasons.add(_reason(summed(bytes(changed))))
            changed[place] ^= 1 << bit

    assert reasons <= FORGED
    assert reasons >= {Reason.FILE_CORRUPT, Reason.AUTH_FAILED}


@pytest.mark.parametrize("mend", [bytes, summed])
def test_a_file_that_was_cut_off_or_grew_is_found(data: bytes, mend: Any) -> None:
    reasons = {_reason(mend(data[:length])) for length in range(len(data))}
    reasons |= {_reason(mend(data + bytes(more))) for more in range(1, 64)}

    assert reasons <= FORGED
    assert None not in reasons


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=600))
def test_noise_is_refused_with_an_error_of_ours(noise: bytes) -> None:
    for whole in (noise, sealed.MAGIC + noise, summed(sealed.MAGIC + noise + bytes(32))):
        assert _reason(whole) in FORGED


@pytest.mark.parametrize(
    "header", [b"[" * 60_000, b"{}", b'{"version":1}', b"\xff", b"null", b'{"version":1,"version":1}', b"1e999"]
)
def test_a_header_that_is_none_is_named_without_its_content(header: bytes) -> None:
    data = sealed.MAGIC + len(header).to_bytes(4, "big") + header + bytes(96)

    error = refused(summed(data))

    assert error.reason is Reason.FILE_CORRUPT
    assert error.__context__ is error.__cause__ is None


def _reason(data: bytes) -> Reason | None:
    """Return why a file is refused; None if it opens."""
    try:
        opened(data)
    except errors.Error as error:
        return error.reason
    return None


def test_another_key_is_told_from_damage() -> None:
    file = sealed.parse(small().to_bytes())

    with pytest.raises(errors.Stalled, match="not opened by the passphrase or key") as caught:
        Contents.open(file, keys.derive(file.header.kdf, SecretValue(b"\x08" * 32)))

    assert caught.value.reason is Reason.AUTH_FAILED


def with_records(contents: Contents, *records: Record) -> bytes:
    """Return a file whose records somebody with the key, or a bug of ours, put together in another way."""
    return sealed.to_bytes(contents.header, records, master(contents.header.kdf))


def records(contents: Contents) -> list[Record]:
    return sealed.parse(contents.to_bytes()).records(master(contents.header.kdf))


def test_a_value_does_not_open_at_another_path_or_as_another_version() -> None:
    contents = small(2).put("llm/1", SecretValue("newer"), "text")
    zero, first, second = records(contents)

    moved = opened(with_records(contents, Record(zero.label, first.sealed), Record(first.label, zero.sealed)))
    aged = opened(with_records(contents, zero, Record(second.label, first.sealed)))

    for found, path in ((moved, "llm/0"), (moved, "llm/1"), (aged, "llm/1")):
        with pytest.raises(errors.Stalled, match="does not open with its data key"):
            found.read(path)


def test_a_value_of_another_file_does_not_open() -> None:
    ours, theirs = small(1), small(1)
    header = ours.header.model_copy(update={"data_keys": theirs.header.data_keys})
    data = sealed.to_bytes(header, records(theirs), master(ours.header.kdf))

    assert refused(data).reason is Reason.FILE_CORRUPT


def test_records_out_of_order_or_twice_are_refused() -> None:
    contents = small(2)
    zero, one = records(contents)

    for wrong in ((one, zero), (zero, zero)):
        assert refused(with_records(contents, *wrong)).reason is Reason.FILE_CORRUPT


def test_records_of_two_generations_do_not_go_together() -> None:
    before = small(2)
    after = before.put("llm/1", SecretValue("newer"), "text")
    head = after.to_bytes()
    old, new = (b"".join(each.to_bytes() for each in records(of)) for of in (before, after))

    assert refused(summed(head.replace(new, old))).reason is Reason.FILE_CORRUPT


@pytest.mark.parametrize(
    ("algorithm", "changed"),
    [
        ("argon2id", {"memory": 19 * 1024 - 1}),
        ("argon2id", {"passes": 1}),
        ("argon2id", {"memory": 2**31}),
        ("argon2id", {"passes": 2**31}),
        ("argon2id", {"lanes": 0}),
        ("argon2id", {"lanes": 17}),
        ("argon2id", {"iterations": 600_000}),
        ("pbkdf2-sha256", {"iterations": 599_999}),
        ("pbkdf2-sha256", {"iterations": 2**62}),
        ("pbkdf2-sha256", {"iterations": -1}),
        ("raw", {"iterations": 1}),
    ],
)
def test_parameters_out_of_bounds_are_refused_before_anything_runs(
    algorithm: keys.Algorithm, changed: dict[str, int]
) -> None:
    kdf = Kdf.fresh(algorithm).model_copy(update=changed)

    with pytest.raises(errors.Stalled, match="not within") as caught:
        keys.derive(kdf, SecretValue("passphrase"))

    assert caught.value.reason is Reason.FILE_REFUSED


@pytest.mark.parametrize("algorithm", ["argon2id", "pbkdf2-sha256"])
def test_only_one_passphrase_is_stretched_at_a_time(algorithm: keys.Algorithm) -> None:
    kdf = Kdf.fresh(algorithm)

    with keys._alone, pytest.raises(errors.Outage, match="others derive theirs") as caught:
        keys.derive(kdf, SecretValue("passphrase"), wait=0.01)

    assert caught.value.reason is Reason.STORE_BUSY
    keys.derive(kdf, SecretValue("passphrase"), wait=0.01)


@pytest.mark.parametrize(
    ("algorithm", "changed"), [("argon2id", {"passes": 7}), ("pbkdf2-sha256", {"iterations": 2**21})]
)
def test_a_cluster_takes_no_file_that_keeps_others_waiting(algorithm: Any, changed: dict[str, int]) -> None:
    kdf = Kdf.fresh(algorithm).model_copy(update=changed)
    kdf.check(keys.MAX_MEMORY)

    with pytest.raises(errors.Stalled) as caught:
        kdf.check(keys.CLUSTER_MEMORY)
    assert caught.value.reason is Reason.FILE_REFUSED


@pytest.mark.parametrize(
    ("text", "why"),
    [('{"a":1,"a":2}', "has a key twice"), ('{"a":NaN}', "is not JSON"), ('{"a":{"b":1,"b":1}}', "has a key twice")],
)
def test_a_map_that_readers_would_read_differently_is_refused(text: str, why: str) -> None:
    with pytest.raises(errors.Stalled, match=f"as a map: it {why}"):
        small(0).put("a", SecretValue(text), "map")


def test_what_a_new_file_gets_is_within_bounds() -> None:
    for algorithm in keys.DEFAULTS:
        kdf = Kdf.model_validate({"algorithm": algorithm, "salt": "00" * 16} | keys.DEFAULTS[algorithm])
        kdf.check(keys.CLUSTER_MEMORY)


def test_an_entry_has_its_last_versions() -> None:
    contents = small(0)
    for number in range(KEPT_VERSIONS + 2):
        contents = contents.put("a", SecretValue(str(number)), "text")

    found = opened(contents.to_bytes())

    assert found.read("a").version == KEPT_VERSIONS + 2
    assert found.read("a", "3").value.reveal() == b"2"
    with pytest.raises(errors.Stalled, match="has no entry a version 2"):
        found.read("a", "2")


def test_a_deleted_entry_keeps_no_value_and_no_number_is_used_twice() -> None:
    contents = small(1).delete("llm/0")

    assert contents.newest == []
    assert [(each.label.form, each.label.version) for each in records(contents)] == [("deleted", 2)]
    assert contents.put("llm/0", SecretValue("new"), "text").read("llm/0").version == 3


def test_a_new_key_opens_everything_and_the_old_one_nothing() -> None:
    contents = small(2).put("llm/1", SecretValue("newer"), "text")
    kdf, old = Kdf.fresh("raw"), [each.sealed for each in records(contents)]

    after = contents.rekeyed(kdf, keys.derive(kdf, SecretValue(b"\x08" * 32)))
    file = sealed.parse(after.to_bytes())

    assert (after.read("llm/1", "1").value, after.read("llm/1").value) == (
        contents.read("llm/1", "1").value,
        contents.read("llm/1").value,
    )
    with pytest.raises(errors.Stalled, match="not opened"):
        file.records(keys.derive(file.header.kdf, KEY))
    assert not any(each in after.to_bytes() for each in old)
    assert contents.header.data_keys[0].id not in after.to_bytes().decode("latin-1")


def test_a_data_key_that_has_sealed_enough_gets_a_successor() -> None:
    contents = small(1)
    (first,) = contents.header.data_keys
    tired = contents.header.model_copy(update={"data_keys": [first.model_copy(update={"uses": 2**30})]})
    after = opened(sealed.to_bytes(tired, records(contents), master(tired.kdf))).put("b", SecretValue("b"), "text")

    found = opened(after.to_bytes())

    assert [each.uses for each in found.header.data_keys] == [2**30, 1]
    assert (found.read("b").value.reveal(), found.read("llm/0").value.reveal()) == (b"b", f"{CANARY}-0".encode())


def test_equal_values_look_different() -> None:
    contents = small(0).put("a", SecretValue("same"), "text").put("a", SecretValue("same"), "text")

    assert len({each.sealed for each in records(contents)}) == 2


def test_randomness_that_repeats_itself_seals_no_two_values_under_one_key_and_nonce() -> None:
    key, about = bytes(32), [b"a", b"b"]
    sealed_ = [keys.seal(key, SecretValue(value), each, bytes) for value in ("one", "two") for each in about]

    assert len({each[: keys.SALT] for each in sealed_}) == 4
    assert [keys.unseal(key, each, about[n % 2]).reveal() for n, each in enumerate(sealed_)] == [
        b"one",
        b"one",
        b"two",
        b"two",
    ]


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "a/./b", "..", "a\\b", "a%2fb", "a\nb", "a" * 1025, "\u202e"])
def test_a_path_that_no_store_is_asked_for_is_refused(path: str) -> None:
    with pytest.raises(errors.Stalled, match="takes no path") as caught:
        small(0).put(path, SecretValue("x"), "text")

    assert caught.value.reason is Reason.INVALID_SPEC


@pytest.mark.parametrize(
    ("value", "form"), [(CANARY, "map"), ("[1]", "map"), ("{", "map"), (b"\xff", "text"), (b"\xff", "map")]
)
def test_a_value_that_is_not_what_it_is_said_to_be_is_refused_without_being_shown(value: Any, form: Any) -> None:
    with pytest.raises(errors.Stalled, match=f"cannot take the value as (a )?{form}: it is ") as caught:
        small(0).put("a", SecretValue(value), form)

    assert CANARY not in repr(caught.value)
    assert caught.value.__context__ is None


def test_a_value_may_be_a_mebibyte_and_no_more() -> None:
    large = small(0).put("a", SecretValue(os.urandom(sealed.MAX_VALUE)), "bytes")

    assert opened(large.to_bytes()).read("a").form == "bytes"
    with pytest.raises(errors.Stalled, match="no value of more than 1024 KiB"):
        large.put("a", SecretValue(bytes(sealed.MAX_VALUE + 1)), "bytes")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b/c", "ü"]), st.one_of(st.none(), st.text(max_size=20))), max_size=12))
def test_a_file_says_what_a_dictionary_would(story: list[tuple[str, str | None]]) -> None:
    contents, model = small(0), dict[str, str]()
    for path, value in story:
        if value is not None:
            contents, model[path] = contents.put(path, SecretValue(value), "text"), value
        elif path in model:
            contents = contents.delete(path)
            del model[path]
        if contents.header.generation:
            contents = opened(contents.to_bytes())

    assert {each.path: contents.read(each.path).value.reveal().decode() for each in contents.newest} == model
