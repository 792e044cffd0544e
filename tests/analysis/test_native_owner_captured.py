"""Native blocks of a real program are laid at the door of the leak whose objects have them."""

from __future__ import annotations

import leakscan
from leakscan.capture import Settings, capture

PROGRAM = """
    import ssl

    CLIENTS, NAMES = [], []

    class Client:
        def __init__(self):
            self.context = ssl.create_default_context()

    class Name:
        pass

    def run():
        CLIENTS.append(Client())
        NAMES.append(Name())
"""


def test_tls_contexts_of_clients_that_stay_are_found_in_a_real_program(tmp_path):
    lines = [line.removeprefix("    ") for line in PROGRAM.splitlines()]
    (tmp_path / "clients.py").write_text("\n".join(lines))
    settings = Settings(runs=10, warmup=2, settle_seconds=0.2)
    captured = capture(f"{tmp_path}/clients.py:run", output=tmp_path / "leak", settings=settings)
    found = leakscan.diff(captured.directory).findings
    by_name = {leak.type_name.rpartition(".")[2]: leak for leak in found.leaks}
    assert by_name["Client"].native_types == (("ssl.SSLContext", 10),)
    assert by_name["Client"].native_bytes > 10 * 20_000
    assert (by_name["Name"].native_types, by_name["Name"].native_bytes) == ((), 0)
