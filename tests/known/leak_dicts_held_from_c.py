"""Each run loses a count on a dict of plain values, as an extension that forgets a Py_DECREF does."""

import ctypes


def run():
    row = {"id": 1.5, "text": "a row"}
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(row))
