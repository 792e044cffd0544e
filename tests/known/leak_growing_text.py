"""A processor adds the text of every stream to one string that is never cut: one object, ever bigger."""


class Processor:
    def __init__(self):
        self.accumulated_text = ""


PROCESSOR = Processor()


def run():
    PROCESSOR.accumulated_text += "delta " * 400
