import numpy
import pandas
from ground import watched


class Cell:
    pass


def build() -> list[object]:
    numbers = numpy.arange(100_000).reshape(100, 1000)
    objects = numpy.array([Cell() for _ in range(500)], dtype=object)
    records = numpy.zeros(10, dtype=[("name", "U8"), ("value", "f8")])
    frame = pandas.DataFrame({"a": range(1000), "b": [f"x{i}" for i in range(1000)], "c": 1.5})
    views = [numbers[:, i] for i in range(100)]
    return [
        numbers,
        objects,
        records,
        frame,
        frame.groupby("b"),
        frame["a"],
        views,
        numpy.float64(3),
        numpy.nditer(numbers),
    ]


kept = watched(build)
assert kept[0].sum() == sum(range(100_000))
assert int(kept[3]["a"].sum()) == sum(range(1000))
print(len(kept[1]))
