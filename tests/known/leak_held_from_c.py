"""Each run loses a count on an object, as an extension that forgets a Py_DECREF does."""

import ctypes


class Result:
    def __init__(self):
        self.rows = [(1.5, "row")] * 10


def run():
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(Result()))
