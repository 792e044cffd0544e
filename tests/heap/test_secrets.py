"""What looks like a secret is `***` wherever a name or key is shown, and ordinary names stay."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest

from heaps import heap
from leakscan.analysis.dialects.pattern_text import parse_pattern
from leakscan.analysis.dialects.patterns import match_pattern
from leakscan.heap.graph import StringTable
from leakscan.heap.reader import load
from leakscan.heap.secrets import masked, masked_table
from leakscan.heap.writer import write

JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0"
    ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
)
HEX_64 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
SECRETS = {
    "api_key=abc123": "api_key=***",
    "X-Api-Key: hello-there": "X-Api-Key: ***",
    "DB_PASSWORD=x": "DB_PASSWORD=***",
    "Authorization: Bearer abc.def.ghi": "Authorization: Bearer ***",
    "{'password': 'x1', 'user': 'u'}": "{'password': '***', 'user': 'u'}",
    "sk-proj-abc123def456ghi789": "sk-***",
    "sk_live_abcdef1234567890": "sk_live_***",
    "user:ghp_abcdefghijklmnopqrstuvwxyz0123456789": "user:ghp_***",
    "github_pat_11ABCDEFG0abcdefghijkl_xyz": "github_pat_***",
    "xoxb-123456789012-abcdefGHIJKL": "xoxb-***",
    "AKIAIOSFODNN7EXAMPLE": "AKIA***",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": "***",
    JWT: "***",
    f"session {JWT}": "session ***",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE": "-----BEGIN ***",
    "https://bob:hunter2@host/x?token=abcd&page=1": "https://bob:***@host/x?token=***&page=1",
    "https://abcdef@github.com/a": "https://***@github.com/a",
    "https://x/?key=AIzaSyD-1234567890abcdefg&y=2": "https://x/?key=***&y=2",
    "bob.smith@example.com": "***@example.com",
    "Jos\xe9 <jos\xe9@example.com>": "Jos\xe9 <***@example.com>",
    "k7Gq9XzP2mVb4NtR8wYc1LsD6hJf3QaE": "***",
    HEX_64: "***",
}
ORDINARY = (
    *("max_tokens=100", "tokenizer=fast", "author: bob", "token=None", "password=%s", "secret: {value}"),
    *("run-17", "run_abc123XYZdef456GHIjkl789", "chatcmpl-9XyZabCdEfGhIjKlMnOpQrStUvWxY"),
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    *(
        "4111111111111111",
        "2026-11-28T04:48:23.123456+00:00",
        "127.0.0.1:8080",
        "https://host/a?page=2&key=name",
    ),
    *(
        "TestPositionalsNargsNoneOneOrMore1",
        "AbstractHttp2StreamFrameCodecBuilder",
        "hf_transformer_model_2_layers",
    ),
    *(
        "sk-learn-estimators-2024-version",
        "ASIAPACIFIC2024REGIONALSALES",
        "logo@2x.png",
        "lodash@4.17.21",
        "a@b",
    ),
    f"sha256:{HEX_64}",
    f"/var/lib/overlay2/{HEX_64}/diff",
    *(
        str(uuid.UUID(int=0x1234567890ABCDEF1234567890ABCDEF)),
        uuid.UUID(int=0xA1B2C3D4E5F60718293A4B5C6D7E8F90).hex,
    ),
    *("user1-11111a31-17b5-4fb7-9df5-b111111f13de", "", "x", "@", "=", ":", "://@", "token=", "a\x00b"),
)


@pytest.mark.parametrize("text", SECRETS)
def test_what_looks_like_a_secret_is_masked(text: str):
    assert masked(text) == SECRETS[text]


@pytest.mark.parametrize("text", SECRETS.values())
def test_masking_again_changes_nothing(text: str):
    assert masked(text) == text


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_names_stay(text: str):
    assert masked(text) == text


def test_no_identifier_of_the_standard_library_is_masked():
    names = set()
    for file in sorted(Path(os.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names.add(node.name)
    assert len(names) > 10_000
    assert [name for name in sorted(names) if masked(name) != name] == []


def test_only_the_strings_in_use_are_looked_at():
    texts = [b"", b"api_key=abc", b"plain", b"api_key=def"]
    table = StringTable(b"".join(texts), np.cumsum([len(text) for text in texts]).astype(np.uint64))
    kept = masked_table(table, np.array([True, True, True, False]))
    assert [kept[i] for i in range(4)] == ["", "api_key=***", "plain", "api_key=def"]
    assert [masked_table(table)[i] for i in range(4)] == ["", "api_key=***", "plain", "api_key=***"]


KEYED = "module app -> m -[.D]-> d -['api_key=abc']-> a; d -['plain']-> b; m: module name=app; d: dict"


@pytest.mark.parametrize("key", ["api_key=abc", "api_key=***"])
def test_a_cut_may_name_the_key_whole_or_masked(tmp_path: Path, key: str):
    write(heap(KEYED), tmp_path / "a.heap")
    graph = load(tmp_path / "a.heap")
    found = match_pattern(graph, parse_pattern(f"app.D['{key}']"))
    assert [graph.label(int(ref)) for ref in found.refs] == ["api_key=***"]


PROGRAM = """
TOKENS = {}
count = iter(range(10**6))

class Thing:
    pass

for i in range(3):
    TOKENS[f"api_key=verysecret{i}"] = []

def run():
    n = next(count)
    TOKENS["api_key=verysecret1"].append(Thing())
    TOKENS[f"sk-proj-abc123def456ghi789{n}"] = Thing()
    TOKENS[f"https://bob:verysecret{n}@host/"] = Thing()
"""


def test_no_secret_is_written_into_a_snapshot_or_shown(tmp_path: Path):
    (tmp_path / "keyed.py").write_text(PROGRAM)

    def leakscan(*arguments: str) -> str:
        command = [sys.executable, "-m", "leakscan", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    leakscan("capture", "keyed.py:run", "--runs", "6", "-o", "c")
    snapshot = (tmp_path / "c" / "after.heap").read_bytes()
    assert b"api_key=***" in snapshot
    # The program's own source is in no snapshot: what is left are its keys.
    assert b"verysecret" not in snapshot and b"abc123def456" not in snapshot
    texts = [leakscan("diff", "c", "--limit", "0"), leakscan("diff", "c", "--json")]
    for ending in ("html", "md"):
        leakscan("report", "c", "-o", f"r.{ending}")
        texts.append((tmp_path / f"r.{ending}").read_text())
    for text in texts:
        assert "verysecret" not in text and "abc123def456" not in text
    patterns = [
        member["pattern"]
        for leak in json.loads(texts[1])["leaks"]
        for member in (leak["cut"] or {"members": []})["members"]
    ]
    for pattern in patterns:
        assert "FREES NO SURVIVOR" not in leakscan("whatif", "c", "--cut", pattern)
