"""A finalizer of an object that lives for ever keeps what it was to clean up."""

import weakref


class Upload:
    def __init__(self):
        self.parts = ["part"] * 30

    def abort(self):
        self.parts.clear()


class Bucket:
    pass


BUCKET = Bucket()


def run():
    weakref.finalize(BUCKET, Upload().abort)
