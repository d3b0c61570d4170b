"""The encrypted file: a store of keys in one file, for a workstation or for Git.

    file = magic | u32 header length | header | header MAC | records | set MAC | checksum

* ``keys``: from a passphrase or a raw key to the keys that seal; key derivation and its bounds.
* ``sealed``: the bytes: what is checked before a key is tried, and with one.
* ``contents``: what is in an opened file: entries and their versions; every change makes another value.
* ``place``: the file itself: who may open it, how it is replaced, locks; files below a root, read only.
* ``edit``: a file at its place, opened, changed and saved.

The unkeyed checksum tells damage from a wrong key before any key derivation runs; against people, the MACs stand.
Paths, times and sizes of entries stand in the file in clear; values do not.

Does not belong here: Kubernetes, how a store is configured (``stores/encrypted_file.py``), commands (``cli/``).
"""
