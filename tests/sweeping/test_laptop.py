"""A key in an encrypted file is rotated without a cluster, and its command dies wherever it may: it is never lost."""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Iterator, Sequence

import pytest

from audit.local_trails import quick_folder
from sweeping.laptop import Laptop
from sweeping.plan import Share
from sweeping.points import Point

#: Rotations at once: they wait more than they work.
AT_ONCE = 6


@pytest.fixture
def laptops() -> Iterator[list[Laptop]]:
    """Some of them."""
    with quick_folder() as folder, contextlib.ExitStack() as stack:
        yield [stack.enter_context(Laptop.around(folder / str(number))) for number in range(AT_ONCE)]


def sweep(laptops: Sequence[Laptop], share: Share, *, back: bool) -> None:
    """Try each point of a share."""
    found = laptops[0].records(back=back)
    points = share.points(found)

    def tries(laptop: Laptop, own: Sequence[tuple[Point, ...]]) -> None:
        for each in own:
            print(f"{share.name}: {', '.join(map(str, each))}")  # noqa: T201 - where it fails this is what one wants
            laptop.runs(*each, back=back)

    with concurrent.futures.ThreadPoolExecutor(len(laptops)) as pool:
        shared = [points[number :: len(laptops)] for number in range(len(laptops))]
        for each in [pool.submit(tries, *pair) for pair in zip(laptops, shared, strict=True)]:
            each.result()


@pytest.mark.timeout(1800)
def test_a_key_is_replaced_whenever_its_command_dies(laptops: list[Laptop], share_of_laptop: Share) -> None:
    sweep(laptops, share_of_laptop, back=False)


@pytest.mark.timeout(1800)
def test_a_rotation_turns_back_whenever_its_command_dies(laptops: list[Laptop], share_of_laptop_back: Share) -> None:
    sweep(laptops, share_of_laptop_back, back=True)
