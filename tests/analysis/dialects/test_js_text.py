"""A function's text tells which variables it cannot use; where it is in doubt, it uses everything."""

import pytest

from leakscan.analysis.dialects.js_text import names_used


def used(source, begins):
    """Names in the function that begins at the first mark `begins`."""
    at = source.index(begins)
    line = source.count("\n", 0, at) + 1
    return names_used(source, line, at - (source.rfind("\n", 0, at) + 1))


@pytest.mark.parametrize(
    "function",
    [
        "function f(a) { return used }; other",
        "function f(a, {b = 1} = {}) { if (a) { return () => used } }\nother",
        "const f = (a) => used; other",
        "const f = async (a) => ({ used, c: 1 }); other",
        "call((a) => used, other)",
        "const f = (a) => { return /[}/]/.test(used) }; other",
        "const f = (a) => { if (a) /}/.test(a); return used }; other",
        "const f = (a) => { return used / 2 / 3 }; other",
        "const f = (a) => '}' + used + \"{\"; other",
        "const f = (a) => `${used} } ${`{${a}`}`; other",
        "const f = (a) => { // }\n /* { */ return used }; other",
    ],
)
def test_names_are_those_between_a_functions_begin_and_end(function):
    names = used(function, "(a")
    assert "used" in names and "other" not in names


def test_arrows_without_brackets_and_classes_begin_with_a_word():
    assert used("const f = each => each.other + used; last", "each =>") == {"each", "used"}
    names = used("class A extends B { #own = used; get() { return 1 } }\nother", "class")
    assert "used" in names and "other" not in names


def test_names_of_properties_in_strings_and_in_comments_are_no_use():
    names = used("const f = (a) => { a.one; a?.two; 'three'; /* four */ ...five; }", "(a)")
    assert {"one", "two", "three", "four"} & names == set() and "five" in names


def test_what_stands_in_a_template_may_be_a_use():
    assert "inner" in used("const f = (a) => `text ${inner}`;", "(a)")


@pytest.mark.parametrize("body", ["eval(a)", "with (a) { b }"])
def test_what_can_use_a_variable_without_its_name_tells_nothing(body):
    assert used(f"function f(a) {{ {body} }}", "(a") is None


@pytest.mark.parametrize(
    "source",
    ["const f = (a) => { {} /x/.y }; other", "function f(a) { \\u0061 }; other", "nothing (a) here; other"],
)
def test_in_doubt_the_whole_file_is_used(source):
    assert "other" in used(source, "(a)")


def test_columns_are_counted_as_v8_does():
    assert names_used("'\U0001f600'; const f = (a) => used; other", 1, 16) >= {"used"}
    assert "other" not in (names_used("'\U0001f600'; const f = (a) => used; other", 1, 16) or ())


def test_a_place_beyond_the_file_uses_everything():
    assert names_used("one\ntwo", 9, 0) == {"one", "two"}
