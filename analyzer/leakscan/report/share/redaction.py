"""Answers made fit for strangers: dict keys, or every name that is not the standard library's, replaced.

Works on any frozen dataclass of the analysis, so that a field added there is covered: a text whose field is
not known is treated as a sentence, in which only leakscan's own words stay.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum, StrEnum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final, TypeVar

from leakscan.wording import UNITS

Result = TypeVar("Result")


class Redaction(StrEnum):
    """What is taken out of an answer before it is shared."""

    NONE = "none"
    KEYS = "keys"
    NAMES = "names"


STATEMENTS: Final = {
    Redaction.NONE: "",
    Redaction.KEYS: (
        "redacted (keys): dict keys are replaced by key1, key2 ...; names of modules, classes, attributes,"
        " functions, tasks and files are as they were, and so are messages of errors, all counts and sizes"
    ),
    Redaction.NAMES: (
        "redacted (names): dict keys, and all names of modules, classes, attributes, functions, tasks and"
        " files outside the standard library, are replaced; left are the names of the standard library, line"
        " numbers, counts, sizes, versions and signatures, which are hashes made from the names"
    ),
}
"""What each level leaves, as the redacted answer says it."""

_KEPT: Final = frozenset(
    (
        "verdict",
        "identity",
        "runtime",
        "mode",
        "signature",
        "kind",
        "root_kind",
        "unit",
        "status",
        "cause",
        "causes",
    )
)
_NAMES: Final = frozenset(
    (
        *("type_name", "type_names", "name", "names", "reference", "root", "label", "pattern", "patterns"),
        *(
            "target",
            "asked",
            "contents",
            "sites",
            "freed_types",
            "through_uncollected_type",
            "stack",
        ),
        *("function", "waits_for", "holder"),
    )
)
_PLACES: Final = frozenset(("file", "path"))
_BRACKETS: Final = re.compile(
    r"\[(?!\*\])(?P<inside>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|<[^\]]*>|[^\[\]'\"]*)\]"
)
_SHAPE: Final = re.compile(r"\b(?P<type>dict|Object) \{(?P<keys>[^{}*]+)\}")
"""What `analysis.causes.shapes` writes."""
_WORD: Final = re.compile(r"(?<![\w$])(?:[^\W\d]|\$)[\w$]*")
_DOTTED: Final = re.compile(r"(?<![\w$])(?:[^\W\d]|\$)[\w$]*(?:\.(?:[^\W\d]|\$)[\w$]*)*")
_GRAMMAR: Final = re.compile(
    r"(?<![\w.`'\"$])(?:module|type|thread|task|root|local|locals|closure|key|context|variable|held|from|C"
    r"|unnamed|in|await|attribute|value|stack|of)(?![\w.$:])"
)
_STDLIB_PLACE: Final = re.compile(r".*/lib/python3\.\d+/(?!site-packages/|dist-packages/)")
_LONGEST: Final = 4096


def redacted(value: Result, level: Redaction) -> Result:
    """The same answer with what `level` says taken out, and that said in its `omitted`.

    The same names get the same replacements everywhere in it.
    """
    if level is Redaction.NONE:
        return value
    redactor = Redactor(level)
    redactor.learn(value)
    answer: Result = redactor.rewritten(value)
    return answer


class Redactor:
    """Replacements for one answer, numbered in the order in which the names are met."""

    def __init__(self, level: Redaction) -> None:
        self._level = level
        self._keys: dict[str, str] = {}
        self._words: dict[str, str] = {}
        self._whole: dict[str, str] = {}
        self._replacements: set[str] = set()
        self._signatures: set[str] = set()

    def learn(self, value: object) -> None:
        """Take in the texts of the fields that hold names, to find them again inside sentences."""
        for field, text in _texts(value):
            if field == "signature":
                self._signatures.add(text)
            elif field in _NAMES and text:
                self._whole.setdefault(text, self.name(text))
            elif field in _PLACES and text:
                self._whole.setdefault(text, self.place(text))

    def rewritten(
        self, value: Any, field: str = ""
    ) -> Any:  # Any: the analysis' dataclasses, and their values
        """A copy of `value` with every text redacted."""
        if is_dataclass(value) and not isinstance(value, type):
            changes = {
                each.name: self.rewritten(getattr(value, each.name), each.name) for each in fields(value)
            }
            if "omitted" in changes:
                changes["omitted"] = (*changes["omitted"], STATEMENTS[self._level])
            return replace(value, **changes)
        if isinstance(value, tuple):
            return tuple(self.rewritten(item, field) for item in value)
        if not isinstance(value, str) or isinstance(value, Enum) or field in _KEPT:
            return value
        if field in _NAMES:
            return self.name(value)
        if field in _PLACES:
            return self.place(value)
        return self.sentence(value)

    def name(self, text: str) -> str:
        """A type, a reference, a path of references, a target."""
        text = self._without_keys(text)
        if self._level is Redaction.KEYS:
            return text
        if "/" in text or text.endswith(".py"):
            place, colon, rest = text.partition(":")
            return self.place(place) + colon + self._without_names(rest)
        return self._without_names(text)

    def place(self, text: str) -> str:
        """A file: the standard library's from there on, of any other only the number of its folders."""
        if self._level is Redaction.KEYS:
            return text
        inside = _STDLIB_PLACE.sub("", text)
        if inside != text:
            return f".../{inside}"
        return "/".join(self._without_names(re.sub(r"\.py$", "", part)) for part in text.split("/")) + (
            ".py" if text.endswith(".py") else ""
        )

    def sentence(self, text: str) -> str:
        """A text of leakscan's: the names inside it, and at level names every word that is not ours."""
        present = [
            whole
            for whole, instead in self._whole.items()
            if len(whole) > 2 and whole in text and whole != instead
        ]
        if present:
            longest_first = sorted(present, key=lambda each: (-len(each), each))
            names = "|".join(re.escape(whole) for whole in longest_first)
            text = re.sub(rf"(?<![\w.$])(?:{names})(?![\w$])", lambda found: self._whole[found.group()], text)
        text = self._without_keys(text)
        if self._level is Redaction.KEYS:
            return text
        return _WORD.sub(lambda found: self._of_sentence(found.group()), text)

    def _of_sentence(self, word: str) -> str:
        is_ours = word in own_words() or word in self._signatures or word in self._replacements
        return word if is_ours or _is_public(word) else self._word(word)

    def _without_keys(self, text: str) -> str:
        text = _SHAPE.sub(
            lambda found: f"{found['type']} {{{self._keys_of_shape(found['keys'])}}}", _bounded(text)
        )
        return _BRACKETS.sub(lambda found: f"[{self._key(found['inside'])}]", text)

    def _keys_of_shape(self, keys: str) -> str:
        parts = keys.split(", ")
        return ", ".join(part if part == "..." else self._key(f"'{part}'").strip("'") for part in parts)

    def _key(self, written: str) -> str:
        if written.strip("'") in self._replacements:
            return written
        if written not in self._keys:
            self._keys[written] = f"key{len(self._keys) + 1}"
            self._replacements.add(self._keys[written])
        return f"'{self._keys[written]}'"

    def _without_names(self, text: str) -> str:
        kept: list[tuple[int, int]] = [found.span() for found in _GRAMMAR.finditer(text)]

        def written(found: re.Match[str]) -> str:
            if any(start <= found.start() and found.end() <= end for start, end in kept):
                return found.group()
            if not text.startswith(".", found.start() - 1) and _is_public(found.group()):
                return found.group()
            return _WORD.sub(lambda word: self._word(word.group()), found.group())

        return _DOTTED.sub(written, text)

    def _word(self, word: str) -> str:
        if word in self._replacements:
            return word
        bare = word.lstrip("_")
        if word not in self._words:
            stem = "Name" if bare[:1].isupper() else "name"
            self._words[word] = word[: len(word) - len(bare)] + f"{stem}{len(self._words) + 1}"
            self._replacements.add(self._words[word])
        return self._words[word]


def _texts(value: object, field: str = "") -> Iterator[tuple[str, str]]:
    if is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from _texts(getattr(value, each.name), each.name)
    elif isinstance(value, tuple):
        for item in value:
            yield from _texts(item, field)
    elif isinstance(value, str) and not isinstance(value, Enum):
        yield field, value


def _bounded(text: str) -> str:
    # Brackets that never close are searched to the end of the text, each of them.
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _is_public(dotted: str) -> bool:
    """Whether the name is the standard library's or the language's own."""
    first = dotted.partition(".")[0]
    return first in _public() or (first in sys.stdlib_module_names and first not in ("this", "test"))


@cache
def _public() -> frozenset[str]:
    of_types = (kind.__name__ for kind in vars(types).values() if isinstance(kind, type))
    return frozenset(
        (*vars(builtins), *of_types, "NoneType", "MainThread", "self", "cls", "__main__", "__init__")
    )


@cache
def own_words() -> frozenset[str]:
    """The plain words that leakscan's own sentences are made of, read from their source."""
    found: set[str] = {"B", *UNITS}
    for package in ("analysis", "answers", "report", "cli"):
        for text in _sources(files("leakscan").joinpath(package)):
            found.update(_words_in(text))
    return frozenset(found)


def _sources(folder: Traversable) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _sources(entry)
        elif entry.name.endswith(".py"):
            yield entry.read_text(encoding="utf-8")


def _words_in(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield from re.findall(r"(?<![\w.`'])[A-Za-z][a-z]+|(?<![\w.`'])[A-Z]+(?![\w])", node.value)
