"""The fourth run needs modules that nothing had needed before, and compiles a pattern."""

import itertools
import re

numbers = itertools.count()


def run():
    if next(numbers) == 4:
        import colorsys
        import difflib
        import fractions

        re.compile(r"(late)+ (\d\d)")
        return colorsys, difflib, fractions
    return None
