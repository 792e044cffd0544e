"""V8 heap snapshots drawn as text, in the layout of any version.

text = snapshot_text('''
    root -> (GC roots), global:shortcut
    global: object; global .wf-> wf; wf: object Workflow id=5 size=40
''')
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

NODE_TYPES = [
    *("hidden", "array", "string", "object", "code", "closure", "regexp", "number", "native", "synthetic"),
    *("concatenated string", "sliced string", "symbol", "bigint", "object shape"),
]
EDGE_TYPES = ["context", "element", "property", "internal", "hidden", "shortcut", "weak"]
NODE_FIELDS = ["type", "name", "id", "self_size", "edge_count", "trace_node_id", "detachedness"]
EDGE_FIELDS = ["type", "name_or_index", "to_node"]


@dataclass
class Node:
    type: str
    name: str
    id: int
    size: int = 16
    place: tuple[int, int] | None = None
    detachedness: int = 0
    edges: list[tuple[str, str | int, int]] = field(default_factory=list)


class Drawing:
    """Nodes by name; node 0 is the root of all. `edge("wf", "property", "_runs", "runs")`."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.nodes: list[Node] = []
        self.node("root", "synthetic", "", size=0)

    def node(
        self,
        key: str,
        type: str,
        name: str,
        *,
        size: int = 16,
        place: tuple[int, int] | None = None,
        id: int | None = None,
    ) -> None:
        self.numbers[key] = len(self.nodes)
        self.nodes.append(Node(type, name, id or 2 * len(self.nodes) + 1, size, place))

    def edge(self, source: str, type: str, name: str | int, target: str) -> None:
        self.nodes[self.numbers[source]].edges.append((type, name, self.numbers[target]))

    def id(self, key: str) -> int:
        return self.nodes[self.numbers[key]].id

    def content(self, *, node_fields: list[str] = NODE_FIELDS, dummy: str = "<dummy>") -> dict[str, Any]:
        """The snapshot as JSON would load it, with the node fields of one version of V8."""
        strings = {dummy: 0}
        nodes: list[int] = []
        edges: list[int] = []
        places: list[int] = []
        for number, node in enumerate(self.nodes):
            values = {
                "type": NODE_TYPES.index(node.type),
                "name": strings.setdefault(node.name, len(strings)),
                "id": node.id,
                "self_size": node.size,
                "edge_count": len(node.edges),
                "detachedness": node.detachedness,
            }
            nodes += [values.get(name, 0) for name in node_fields]
            for type_name, name, target in node.edges:
                label = name if isinstance(name, int) else strings.setdefault(name, len(strings))
                edges += [EDGE_TYPES.index(type_name), label, target * len(node_fields)]
            if node.place:
                places += [number * len(node_fields), *node.place, 0]
        meta = {
            "node_fields": node_fields,
            "node_types": [NODE_TYPES, "string", *["number"] * 5],
            "edge_fields": EDGE_FIELDS,
            "edge_types": [EDGE_TYPES, "string_or_number", "node"],
            "location_fields": ["object_index", "script_id", "line", "column"],
        }
        head = {"meta": meta, "node_count": len(self.nodes), "edge_count": len(edges) // 3}
        return {
            "snapshot": head,
            "nodes": nodes,
            "edges": edges,
            "trace_function_infos": [],
            "trace_tree": [],
            "samples": [],
            "locations": places,
            "strings": list(strings),
        }


def written(content: dict[str, Any]) -> bytes:
    """As V8 writes it: a record a line, no spaces."""
    text = json.dumps(content, separators=(",", ":"))
    return re.sub(r"(\],)", "\\1\n", text).encode()
