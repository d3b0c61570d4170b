"""``keywright crds``: the CustomResourceDefinitions of this version.

Does not belong here: what they say (``crd.py``, ``kinds/``).
"""

from __future__ import annotations

import click

from ._section import Section

SECTION = Section.OFFLINE


@click.command("crds")
def command() -> None:
    """Print the CustomResourceDefinitions of this version, for `kubectl apply -f -`."""
    from .. import crd

    click.echo(crd.to_yaml(crd.manifests()), nl=False)
