"""Places of compiled JavaScript by source maps, wherever the map is."""

import base64
import io
import json
import os

import pytest
from test_v8 import DRAWING, WHOLE

from leakscan.heap.reader import load
from leakscan.heap.source_maps import SourceMaps

# Line 1: column 0 is line 3 of a.ts, column 8 its line 5; line 2: nothing; line 3: column 4 is b.ts, line 1.
MAP = {"version": 3, "sources": ["../src/a.ts", "../src/b.ts"], "names": [], "mappings": "AAEA,QAEA;;ICJA"}
PLACES = [
    (1, 0, "/app/src/a.ts", 3),
    (1, 7, "/app/src/a.ts", 3),
    (1, 8, "/app/src/a.ts", 5),
    (3, 9, "/app/src/b.ts", 1),
]


@pytest.mark.parametrize(("line", "column", "file", "source_line"), PLACES)
def test_a_place_is_that_of_the_segment_it_lies_in(tmp_path, line, column, file, source_line):
    (tmp_path / "out.js.map").write_text(json.dumps(MAP))
    assert SourceMaps(tmp_path).original("/app/dist/out.js", line, column) == (file, source_line)


def test_a_place_without_a_segment_has_no_source(tmp_path):
    (tmp_path / "out.js.map").write_text(json.dumps(MAP))
    maps = SourceMaps(tmp_path)
    assert [maps.original("/app/dist/out.js", line, 0) for line in (0, 2, 4, 10**9)] == [None] * 4


@pytest.mark.parametrize("device", ["/dev/zero", "pipe", "with\0nul"])
def test_a_script_that_is_no_file_is_not_read(tmp_path, device):
    if device == "pipe":
        device = str(tmp_path / device)
        os.mkfifo(device)
    assert SourceMaps(tmp_path).original(device, 1, 0) is None


@pytest.mark.parametrize("where", ["beside", "inside", "inside, escaped"])
def test_a_script_says_itself_where_its_map_is(tmp_path, where):
    script = tmp_path / "dist" / "out.js"
    script.parent.mkdir()
    text = json.dumps(MAP)
    urls = {
        "beside": "other%20name.map",
        "inside": f"data:application/json;base64,{base64.b64encode(text.encode()).decode()}",
        "inside, escaped": f"data:application/json,{text.replace(' ', '%20')}",
    }
    (script.parent / "other name.map").write_text(text)
    script.write_text(f"code();\n//# sourceMappingURL={urls[where]}\n")
    found = SourceMaps(tmp_path).original(str(script), 1, 8)
    assert found == (str(tmp_path / "src" / "a.ts"), 5)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"sources": 3, "mappings": ""}',
        '{"sources": ["a"], "mappings": "!!,zzzzzzzzzzzz;A"}',
        "null",
    ],
)
def test_a_map_that_is_none_changes_nothing(tmp_path, content):
    (tmp_path / "out.js.map").write_text(content)
    assert SourceMaps(tmp_path).original("/app/dist/out.js", 1, 0) is None


def test_places_of_the_programs_own_classes_and_functions_are_mapped(tmp_path):
    # The drawn program has its class in line 3 and a function in line 10 of flow.mjs.
    source_map = {**MAP, "mappings": ";;AAEA;;;;;;;AAGA"}
    (tmp_path / "flow.mjs.map").write_text(json.dumps(source_map))
    graph = load(io.BytesIO(WHOLE), source_maps=SourceMaps(tmp_path))
    places = [graph.location_of(DRAWING.numbers[name]) for name in ("wf", "fn")]
    assert [(place.file, place.line) for place in places] == [("/src/a.ts", 3), ("/src/a.ts", 6)]
