"""Which names a JavaScript function's text has in it: enough to say that it does not use a variable.

No parser: a reader of tokens that knows strings, comments, templates and regular expressions. It errs to one
side. Where a `/` could be read in two ways, or a function's end is not found, more text is taken, never less;
a name in a string's place or of a property counts as a use where the text is in doubt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<word>[\w$\u0080-\U0010ffff]+)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<mark>=>|\?\.|\.\.\.|\+\+|--|[^\s\w])""",
    re.VERBOSE | re.DOTALL,
)
_REGEX: Final = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
_BEFORE_REGEX: Final = frozenset(
    ("return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "instanceof")
) | {"yield", "await", "extends", "default"}
_HEADS: Final = frozenset(("if", "while", "for", "with"))
_CLOSES: Final = {"(": ")", "[": "]", "{": "}"}
_WORD: Final = re.compile(r"[\w$\u0080-\U0010ffff]+")
_CANNOT: Final = frozenset(("eval", "with"))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


class _Doubt(Exception):
    """The text can be read in more than one way."""


def names_used(source: str, line: int, column: int) -> frozenset[str] | None:
    """Names in the function that V8 says begins there (`line` from 1, `column` from 0), inner ones included.

    All names of the file where the function cannot be found in it. None when it may use what it does not
    name: with `eval` or `with`. O(length of the function), or of the file.
    """
    start = _offset(source, line, column)
    names: frozenset[str]
    try:
        names = frozenset(_names(_function(source, start)))
    except _Doubt:
        names = frozenset(_WORD.findall(source))
    return None if names & _CANNOT else names


def _offset(source: str, line: int, column: int) -> int:
    at = 0
    for _ in range(line - 1):
        found = source.find("\n", at)
        if found < 0:
            return len(source)
        at = found + 1
    # V8 counts in units of UTF-16.
    while column > 0 and at < len(source):
        column -= 2 if ord(source[at]) > 0xFFFF else 1
        at += 1
    return at


def _names(tokens: list[_Token]) -> list[str]:
    found = []
    for number, token in enumerate(tokens):
        if token.kind == "word":
            is_property = number > 0 and tokens[number - 1].text in (".", "?.")
            if not is_property:
                found.append(token.text)
        elif token.kind == "template":
            # What stands in its `${}` is code.
            found += _WORD.findall(token.text)
    return found


def _function(source: str, start: int) -> list[_Token]:
    """The tokens of the function or class that begins at `start`: at its parameters, or at `class`."""
    reader = _Reader(source, start)
    first = reader.next()
    if first is not None and first.text == "async":
        first = reader.next()
    if first is None:
        raise _Doubt
    if first.text == "class":
        while (token := reader.next()) is not None and token.text != "{":
            if token.text in ("(", "["):
                reader.through(token.text)
        if token is None:
            raise _Doubt
        reader.through("{")
        return reader.tokens
    if first.text == "(":
        reader.through("(")
    elif first.kind != "word":
        raise _Doubt
    following = reader.next()
    if following is not None and following.text == "=>":
        following = reader.next()
        if following is None:
            raise _Doubt
        if following.text != "{":
            reader.expression(following)
            return reader.tokens
    elif first.text != "(":
        raise _Doubt
    if following is None or following.text != "{":
        raise _Doubt
    reader.through("{")
    return reader.tokens


class _Reader:
    """Reads tokens from `at` on, and knows what a `/` is."""

    def __init__(self, source: str, at: int) -> None:
        self._source, self._at = source, at
        self.tokens: list[_Token] = []
        self._open: list[tuple[str, bool]] = []
        self._head_closed = False

    def next(self) -> _Token | None:
        while self._at < len(self._source):
            token = self._token()
            self._at = token.end
            if token.kind == "space":
                continue
            self._follow(token)
            self.tokens.append(token)
            return token
        return None

    def through(self, opened: str) -> None:
        """To the bracket that closes the one just read. _Doubt: there is none."""
        depth = [opened]
        while depth:
            token = self.next()
            if token is None:
                raise _Doubt
            if token.kind != "mark":
                continue
            if token.text in _CLOSES:
                depth.append(token.text)
            elif token.text in _CLOSES.values() and token.text != _CLOSES[depth.pop()]:
                raise _Doubt

    def expression(self, first: _Token) -> None:
        """To the end of the expression that begins with `first`, or beyond it: no line end ends it."""
        token: _Token | None = first
        while token is not None:
            if token.kind == "mark":
                if token.text in _CLOSES:
                    self.through(token.text)
                elif token.text in (",", ";", *_CLOSES.values()):
                    return
            token = self.next()

    def _token(self) -> _Token:
        source, at = self._source, self._at
        if source[at] == "`":
            return _Token("template", source[at : (end := self._template(at))], at, end)
        if source[at] == "/" and source[at + 1 : at + 2] not in ("/", "*") and self._is_regex():
            found = _REGEX.match(source, at)
            if found is None:
                raise _Doubt
            return _Token("regex", found.group(), at, found.end())
        found = _TOKEN.match(source, at)
        if found is None:
            raise _Doubt
        if found.group() == "\\":
            # An escape in a name: it is spelled otherwise than it is called.
            raise _Doubt
        return _Token(str(found.lastgroup), found.group(), at, found.end())

    def _template(self, at: int) -> int:
        """The end of the template that begins at `at`, those within it included."""
        source, at = self._source, at + 1
        while at < len(source):
            if source[at] == "\\":
                at += 2
            elif source[at] == "`":
                return at + 1
            elif source.startswith("${", at):
                inner = _Reader(source, at + 2)
                inner.through("{")
                at = inner._at
            else:
                at += 1
        raise _Doubt

    def _follow(self, token: _Token) -> None:
        if token.kind != "mark":
            return
        if token.text == "(":
            before = self.tokens[-1].text if self.tokens else ""
            self._open.append(("(", before in _HEADS))
        elif token.text in ("[", "{"):
            self._open.append((token.text, False))
        elif token.text in _CLOSES.values():
            self._head_closed = self._open.pop()[1] if self._open else False

    def _is_regex(self) -> bool:
        if not self.tokens:
            return True
        last = self.tokens[-1]
        if last.kind == "word":
            return last.text in _BEFORE_REGEX
        if last.kind in ("string", "template", "regex"):
            return False
        if last.text == ")":
            return self._head_closed
        if last.text == "}":
            # The end of a block, or of an object.
            raise _Doubt
        return last.text not in ("]", "++", "--")
