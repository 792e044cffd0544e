import io

out = io.BytesIO()
def run():
    out.write(b"a line of a log\n" * 300)
    if out.tell() > 12_000:
        out.seek(0)
        out.truncate()
