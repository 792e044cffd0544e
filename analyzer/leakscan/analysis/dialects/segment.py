"""One step of a path: the references that read as one, and how they read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from leakscan.heap.kinds import Kind
from leakscan.wording import visible

FORMS: Final = {
    Kind.ATTRIBUTE: ".{}",
    Kind.SLOT: ".{}",
    Kind.KEY_STR: "['{}']",
    Kind.KEY_INT: "[{}]",
    Kind.KEY_OTHER: "[<{}>]",
    Kind.KEY: "key '{}'",
    Kind.INDEX: "[{}]",
    Kind.MEMBER: "{{...}}",
    Kind.DICT: ".__dict__",
    Kind.LOCAL: "local `{}`",
    Kind.STACK: "value stack [{}]",
    Kind.AWAIT: ".{}",
    Kind.TYPE: ".__class__",
    Kind.CONTEXT: "context `{}`",
    Kind.MACHINERY: ".{}",
    Kind.FRAME: ".{}",
    Kind.INTERNAL: "internal `{}`",
    Kind.EPHEMERON: "weak map `{}`",
    Kind.ELEMENT: "{}",
    Kind.CLOSURE: "closure `{}`",
    Kind.WEAK: "weak",
}
# Their label is data of the program, not a name in its source.
VARIABLE: Final = {
    Kind.KEY_STR: "[*]",
    Kind.KEY_INT: "[*]",
    Kind.KEY_OTHER: "[*]",
    Kind.KEY: "key [*]",
    Kind.INDEX: "[*]",
    Kind.MEMBER: "{*}",
    Kind.STACK: "value stack [*]",
}
_GENERATED: Final = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|0x[0-9a-fA-F]+"
    r"|(?<![A-Za-z])(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{8,}(?![A-Za-z])"
    r"|[0-9]+"
)
_DIGITS_OF_AN_ADDRESS: Final = 12
"""Integer keys this long are ids of objects more often than not, and addresses are not written."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One step of a path: the references folded into it, the object it leads to, and how it reads.

    `form` has a place for `key`; `any_form` is what to write when keys differ ("" when the label is a
    name of the source and never differs between members of a leak).
    """

    refs: tuple[int, ...]
    target: int
    kind: Kind
    form: str
    key: str
    any_form: str = ""

    @property
    def text(self) -> str:
        """As a developer would write it."""
        if self.kind == Kind.KEY_INT and len(self.key) >= _DIGITS_OF_AN_ADDRESS:
            return self.any_form
        return self.form.format(quoted_key(self.key))

    @property
    def name_text(self) -> str:
        """The same in every run: without keys and indexes, generated names without their digits."""
        return self.any_form or self.form.format(normalised(self.key))


def normalised(name: str) -> str:
    """`name` with numbers, uuids and hexadecimal ids replaced by `*`."""
    return _GENERATED.sub("*", name) if any(character.isdigit() for character in name) else name


def quoted_key(key: str) -> str:
    """`key` between single quotes, or in any other place of one line."""
    return visible(key).replace("'", "\\'")
