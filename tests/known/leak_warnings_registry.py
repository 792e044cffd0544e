"""A warning with a new text in every run: the module's registry of texts remembers each."""

import itertools
import warnings

numbers = itertools.count()
warnings.simplefilter("default")
warnings.showwarning = lambda *arguments, **options: None


def run():
    for _ in range(5):
        warnings.warn(f"request {next(numbers)} was slow", stacklevel=1)
