"""What a process is told: flags win, then the environment, then defaults."""

from __future__ import annotations

import dataclasses
import ipaddress
import pathlib
import socket

import pytest

from keywright import settings


def test_without_flags_and_environment_the_defaults_hold() -> None:
    chosen = settings.from_environment({}, {})

    assert dataclasses.replace(chosen, identity="keywright") == settings.Settings()


def test_flags_win_over_the_environment() -> None:
    environment = {"KEYWRIGHT_NAMESPACE": "from-environment"}

    assert settings.from_environment({}, environment).namespace == "from-environment"
    assert settings.from_environment({"namespace": "from-flag"}, environment).namespace == "from-flag"


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    nothing = {field.name: None for field in dataclasses.fields(settings.Settings) if field.name != "store_networks"}
    chosen = settings.from_environment(nothing, {})

    assert dataclasses.replace(chosen, identity="keywright") == settings.Settings()


def test_a_flag_may_be_false_zero_or_empty() -> None:
    chosen = settings.from_environment({"listen": "", "allow_loopback_stores": False, "ghost_check_seconds": 0.0}, {})

    assert (chosen.listen, chosen.allow_loopback_stores, chosen.ghost_check_seconds) == ("", False, 0.0)


def test_every_process_of_a_host_has_its_own_identity() -> None:
    pods = {settings.from_environment({}, {"POD_NAME": "keywright-0"}).identity for _ in range(50)}

    assert len(pods) == 50
    assert {each.rpartition("_")[0] for each in pods} == {"keywright-0"}
    assert settings.from_environment({}, {}).identity.startswith(f"{socket.gethostname()}_")


def test_networks_are_parsed() -> None:
    chosen = settings.from_environment({"store_networks": ("10.0.0.0/8", "fd12::/16")}, {})

    assert chosen.store_networks == (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd12::/16"))


@pytest.mark.parametrize("network", ["", "10.0.0.1/8", "vault.example.com", "10.0.0.0/33", "fd12::/129", "10.0.0.0/8,"])
def test_what_is_not_a_network_is_refused(network: str) -> None:
    with pytest.raises(ValueError, match=r"network|host bits|netmask|prefix|address"):
        settings.from_environment({"store_networks": (network,)}, {})


def test_one_text_is_not_taken_for_several_networks() -> None:
    with pytest.raises(TypeError):
        settings.from_environment({"store_networks": "10.0.0.0/8"}, {})


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(TypeError):
        settings.from_environment({"nonsense": 1}, {})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.Settings().namespace = "other"  # type: ignore[misc]


@pytest.mark.parametrize("data", ["", "relative/data"])
def test_an_encrypted_file_is_at_home_where_no_data_folder_is_named(data: str) -> None:
    place = settings.key_file({"XDG_DATA_HOME": data})

    assert place == pathlib.Path.home() / ".local/share/keywright/keys.kw"
    assert settings.key_file({}) == place


def test_an_encrypted_file_is_in_the_data_folder_that_is_named() -> None:
    assert settings.key_file({"XDG_DATA_HOME": "/data"}) == pathlib.Path("/data/keywright/keys.kw")


def test_an_audit_trail_is_where_it_is_said_to_be_else_beside_the_encrypted_file() -> None:
    assert settings.audit_folder({"XDG_DATA_HOME": "/data"}) == pathlib.Path("/data/keywright/audit")
    named = {"XDG_DATA_HOME": "/data", "KEYWRIGHT_AUDIT_FOLDER": "/trail"}
    assert settings.audit_folder(named) == pathlib.Path("/trail")
    assert settings.audit_folder({}) == settings.key_file({}).with_name("audit")


def test_a_passphrase_is_where_the_environment_says() -> None:
    assert (settings.master_passphrase({}), settings.master_passphrase({"API_KEY_MASTER": "a"})) == ("", "a")
