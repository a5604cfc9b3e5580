"""How a client here talks with `run`: a line `{"url", "again"}` comes in, each event goes out as `[type, data, id]`, and
null at the end. `again`: a program whose library does not come back by itself does so in its stead, with the last id."""
import json, sys

out, sys.stdout = sys.stdout, sys.stderr  # one of the libraries prints


def tell(event):
    print(json.dumps(event), file=out, flush=True)


def serve(read):
    for line in sys.stdin:
        for event in read(**json.loads(line)):
            tell(event)
            if event[0] == "done":
                break
        tell(None)
