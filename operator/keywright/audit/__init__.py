"""The audit trail: what was done, by whom and why, as a chain of records that cannot be edited without a trace.

* ``record``: what one record may say, and nothing else.
* ``merkle``, ``heads``, ``chain``: how records hang together, and the signed line that vouches for all before it.
* ``lines``, ``segment``: how they are kept: lines of JSON; in a cluster, objects that hold some of these lines.
* ``verify``, ``verdict``, ``proof``: whether they are whole; that one record is among them.
* ``trail``, ``writer``: keeping them in a cluster; ``local``: keeping them in a file; ``sinks``: copies elsewhere.

Does not belong here: what is recorded when (``engine/``, ``cli/``), how it is shown (``cli/``).
"""
