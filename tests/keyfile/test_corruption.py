"""A hundred thousand damaged files: each is refused with an error of ours, and none gives a wrong value.

``test_format`` goes through every bit and every length; this tries what damage looks like: blocks that are lost,
doubled, swapped, or from another file.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from keyfile.files import KEY, opened, small, summed
from keywright import errors
from keywright.errors import Reason
from keywright.keyfile import keys
from keywright.keyfile.contents import Contents
from keywright.keyfile.keys import Kdf
from keywright.secret import SecretValue

SEEDS, ROUNDS = range(8), 12_500
REFUSED = {Reason.FILE_CORRUPT, Reason.AUTH_FAILED, Reason.FILE_REFUSED}

Damage = Callable[[random.Random, bytes, bytes], bytes]


def relatives() -> list[bytes]:
    """Return a file, its next two generations, another one under the same key, and the first one sealed anew."""
    first = small(6)
    second = first.put("llm/1", SecretValue("newer"), "text")
    other = small(6)
    kdf = Kdf.fresh("raw")
    return [each.to_bytes() for each in (first, second, second.delete("llm/0"), other, first.rekeyed(kdf, _key(kdf)))]


def _key(kdf: Kdf) -> keys.Master:
    return keys.derive(kdf, KEY)


def _span(chance: random.Random, data: bytes) -> tuple[int, int]:
    """Return where a block of up to 200 bytes begins and ends."""
    begin = chance.randrange(len(data))
    return begin, min(len(data), begin + chance.randint(1, 200))


def changed(chance: random.Random, data: bytes, _: bytes) -> bytes:
    damaged = bytearray(data)
    for _place in range(chance.choice((1, 1, 2, 8, 64))):
        damaged[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(damaged)


def swapped(chance: random.Random, data: bytes, _: bytes) -> bytes:
    begin, end = _span(chance, data)
    after = chance.randint(end, len(data))
    behind = min(len(data), after + end - begin)
    return data[:begin] + data[after:behind] + data[end:after] + data[begin:end] + data[behind:]


def grown(chance: random.Random, data: bytes, _: bytes) -> bytes:
    at = chance.randint(0, len(data))
    return data[:at] + chance.randbytes(chance.randint(1, 64)) + data[at:]


def shrunk(chance: random.Random, data: bytes, _: bytes) -> bytes:
    begin, end = _span(chance, data)
    return data[:begin] + data[end:]


def doubled(chance: random.Random, data: bytes, _: bytes) -> bytes:
    begin, end = _span(chance, data)
    return data[:end] + data[begin:end] * chance.randint(1, 3) + data[end:]


def cut_off(chance: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def zeroed(chance: random.Random, data: bytes, _: bytes) -> bytes:
    begin, end = _span(chance, data)
    return data[:begin] + bytes(end - begin) + data[end:]


def spliced(chance: random.Random, data: bytes, relative: bytes) -> bytes:
    at = chance.randrange(min(len(data), len(relative)))
    return data[:at] + relative[at:]


def grafted(chance: random.Random, data: bytes, relative: bytes) -> bytes:
    begin, end = _span(chance, relative)
    return data[:begin] + relative[begin:end] + data[end:]


DAMAGES: tuple[Damage, ...] = (changed, swapped, grown, shrunk, doubled, cut_off, zeroed, spliced, grafted)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_damage_is_overlooked(seed: int) -> None:
    chance, files = random.Random(seed), relatives()  # noqa: S311 - it only has to come again
    # Who makes the checksum fit on purpose gets as far as the MACs.
    whole = {mend(each) for each in files for mend in (bytes, summed)}
    reasons = list[Reason]()
    while len(reasons) < ROUNDS:
        data, relative = chance.sample(files, 2)
        damage = chance.choice(DAMAGES)
        damaged = damage(chance, data, relative)
        damaged = summed(damaged) if chance.random() < 0.7 else damaged
        if damaged not in whole:
            reasons.append(_refusal(damaged, f"seed {seed}, round {len(reasons)}, {damage.__name__}"))

    assert {Reason.FILE_CORRUPT, Reason.AUTH_FAILED} <= {*reasons} <= REFUSED


def _refusal(data: bytes, which: str) -> Reason:
    """Return why a file is refused."""
    try:
        found: Contents = opened(data)
    except errors.Error as error:
        return error.reason
    except Exception as foreign:  # noqa: BLE001 - that is what is looked for
        pytest.fail(f"{which}: {type(foreign).__name__} for {data.hex()}")
    pytest.fail(f"{which}: opened, with {len(found.newest)} entries: {data.hex()}")
