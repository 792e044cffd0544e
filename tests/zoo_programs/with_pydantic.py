from google.protobuf import descriptor_pb2, struct_pb2
from ground import watched
from lxml import etree
from pydantic import BaseModel, Field


class Part(BaseModel):
    name: str
    weights: list[float] = Field(default_factory=list)


class Machine(BaseModel):
    parts: dict[str, Part]
    previous: "Machine | None" = None


def build() -> list[object]:
    machine = None
    for i in range(200):
        machine = Machine(parts={f"p{i}": Part(name="x", weights=[1.5] * 3)}, previous=machine)
    tree = etree.fromstring("<a>" + "".join(f"<b id='{i}'><c/>text</b>" for i in range(1000)) + "</a>")
    elements = list(tree.iter())
    iterator = tree.iterwalk() if hasattr(tree, "iterwalk") else etree.iterwalk(tree)
    message = struct_pb2.Struct()
    message.update({f"k{i}": [1, "x", {"deep": i}] for i in range(100)})
    file = descriptor_pb2.FileDescriptorProto(name="x", message_type=[{"name": f"m{i}"} for i in range(50)])
    return [machine, tree, elements, iterator, message, file, message.fields["k1"]]


kept = watched(build)
assert kept[0].model_dump()["parts"] == {"p199": {"name": "x", "weights": [1.5] * 3}}
assert len(kept[2]) == 2001
assert etree.tostring(kept[1]).count(b"<c/>") == 1000
assert kept[4]["k99"][2]["deep"] == 99
assert len(kept[5].message_type) == 50
print("done")
