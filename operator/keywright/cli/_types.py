"""What options and arguments may be: names, addresses and files, refused with a word on how they are written.

Does not belong here: which options there are (``_connection``, the commands' files).
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import time
import urllib.parse
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from .. import logs, pacing, schema

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


#: What is no value, and repeated where it is wrong: words, paths and addresses that are short.
_PLAIN = re.compile(r"[A-Za-z./:-]{0,20}|[0-9.:\[\]-]{1,24}")


class _Text(click.ParamType[str]):
    """A text that has to look like something; what may be a value is not repeated where it is wrong."""

    name = "text"
    shown = "TEXT"
    #: What a shell completes by itself: ``file``, ``dir``, or nothing.
    completed = ""
    #: Whether it is a path, which is repeated whatever it looks like.
    path = False

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type=self.completed)] if self.completed else []

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str | None:
        # An argument is called by its own name.
        return self.shown if isinstance(param, click.Option) else None

    def wrong(self, why: str, value: str, param: click.Parameter | None, ctx: click.Context | None) -> NoReturn:
        """Refuse a value.

        Raises:
            click.BadParameter: always.
        """
        shown = logs.visible(value[:80]) if self.path or _PLAIN.fullmatch(value) else "…"
        self.fail(f"'{shown}' {why}", param, ctx)


class _Namespace(_Text):
    """The name of a namespace: an RFC 1123 label."""

    name, shown = "namespace", "NAMESPACE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(_LABEL, value):
            why = "is no namespace: lower-case letters, digits and '-', at most 63, as in team-a"
            self.wrong(why, value, param, ctx)
        return str(value)


class _Name(_Text):
    """The name of an object: an RFC 1123 subdomain."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if len(value) > 253 or not re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", value):
            why = "is no name of an object: lower-case letters, digits, '-' and '.', at most 253, as in llm-keys"
            self.wrong(why, value, param, ctx)
        return str(value)


class _Address(_Text):
    """Where to listen: ``host:port``, or nothing."""

    name, shown = "address", "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        host, colon, port = value.rpartition(":")
        good = colon and re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535 and _is_host(host)
        if value and not good:
            self.wrong("is no address: one is written like 127.0.0.1:8080, [::1]:8080 or :8080", value, param, ctx)
        return str(value)


class _Kubeconfig(_Text):
    """A kubeconfig, or several as in ``KUBECONFIG``; those that are not there do not count."""

    name, shown, completed = "kubeconfig", "FILE", "file"
    path = True

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        there = [path for path in map(os.path.expanduser, value.split(os.pathsep)) if os.path.exists(path)]
        if value and not there:
            self.wrong("is no kubeconfig: no such file", value, param, ctx)
        # A pipe can be read once only, and not by us.
        for path in filter(os.path.isfile, there):
            if why := _unreadable(path):
                self.wrong(f"is no kubeconfig: {why}", path, param, ctx)
        return str(value)


class _Folder(_Text):
    """The absolute path of a folder that is there."""

    name, shown, completed = "folder", "FOLDER", "dir"
    path = True

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not os.path.isabs(value) or not os.path.isdir(value):
            self.wrong("is no folder: one is named by its absolute path, and is there", value, param, ctx)
        return str(value)


class _File(_Text):
    """The path of a file, which need not be there."""

    name, shown, completed = "file", "FILE", "file"
    path = True

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value or not value.isprintable() or value.endswith("/"):
            self.wrong("is no file", value, param, ctx)
        if os.path.isdir(os.path.expanduser(value)):
            self.wrong("is no file: it is a folder", value, param, ctx)
        return os.path.abspath(os.path.expanduser(str(value)))


class _Origin(_Text):
    """Where a server answers: scheme, host and perhaps a port."""

    name, shown = "origin", "URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        scheme, _, place = str(value).rstrip("/").partition("://")
        host, _, port = place.rpartition(":") if re.search(r":[0-9]+$", place) else (place, "", "443")
        if scheme not in ("https", "http") or not host or not _is_host(host) or not 1 <= int(port[:6]) <= 65535:
            self.wrong("is no address: one is written like https://gateway.example.com:8443", value, param, ctx)
        return f"{scheme}://{place}"


class _Endpoint(_Text):
    """Where an issuer is asked: an address with https, or on loopback, perhaps with a path."""

    name, shown = "endpoint", "URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        host = urllib.parse.urlsplit(value).hostname if re.fullmatch(schema.URL_PATTERN, value) else None
        if not host or not (value.startswith("https://") or host in ("localhost", "127.0.0.1", "::1")):
            why = "is no endpoint: one is written like https://gateway.example.com/openai; http is for loopback only"
            self.wrong(why, value, param, ctx)
        return str(value)


class _Sink(_Text):
    """The address of what takes copies of the audit trail. It is not shown: there may be a password in it."""

    name, shown = "sink", "URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from .. import errors
        from ..audit import sinks

        try:
            sinks.read(str(value))
        except errors.Stalled as wrong:
            self.fail(f"{wrong.message}{f'. {wrong.hint}' if wrong.hint else ''}", param, ctx)
        return str(value)


class _Duration(click.ParamType[float]):
    """A span of time, as in manifests; in seconds."""

    name = "duration"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str | None:
        return "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return schema.seconds(str(value))
        except ValueError:
            self.fail("a span of time is written like 90s, 5m or 30d", param, ctx)


class _Moment(click.ParamType[float]):
    """A point in time, or how long ago it was; as Unix time."""

    name = "moment"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str | None:
        return "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value)
        day = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text)
        at = pacing.unix(f"{text}T00:00:00Z" if day else text)
        with contextlib.suppress(ValueError):
            at = time.time() - schema.seconds(text) if at is None else at
        if at is None:
            self.fail("a time is written like 2026-05-01, 2026-05-01T09:30:00Z, or 30d for 30 days ago", param, ctx)
        return at


class _Input(_Text):
    """A file to read, or ``-`` for the standard input; whether it can be read shows when it is."""

    name, shown, completed = "input", "FILE", "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value) if value == "-" else os.path.expanduser(str(value))


MOMENT, INPUT = _Moment(), _Input()
NAMESPACE, NAME, ADDRESS, KUBECONFIG = _Namespace(), _Name(), _Address(), _Kubeconfig()
FOLDER, FILE, ORIGIN, ENDPOINT, SINK, DURATION = _Folder(), _File(), _Origin(), _Endpoint(), _Sink(), _Duration()


def _is_host(text: str) -> bool:
    """Whether a text is an address, one of IPv6 in brackets, or a name; empty means all of this machine's."""
    if not text or re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", text.lower()):
        return True
    bracketed = text.startswith("[") and text.endswith("]")
    try:
        return bracketed and ipaddress.ip_address(text[1:-1]).version == 6
    except ValueError:
        return False


def _unreadable(path: str) -> str:
    """Say why a file cannot be a kubeconfig, without its text; empty if it may be one."""
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            found = yaml.safe_load(file)
    except OSError:
        return "it cannot be read"
    except (yaml.YAMLError, ValueError) as wrong:
        mark = getattr(wrong, "problem_mark", None)
        return "it is not YAML" + (f", see line {mark.line + 1}" if mark else "")
    return "" if found is None or isinstance(found, dict) else "it holds no clusters, users and contexts"
