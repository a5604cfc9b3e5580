# Reads chat completions with the official SDK. Argument: the URL of the server. Prints what the test compares, as JSON.
import json, sys
from openai import OpenAI, Stream
from openai.types.chat import ChatCompletionChunk

client = OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)

def start():
    return client.chat.completions.create(model="parrot-1", stream=True, messages=[{"role": "user", "content": "Why?"}])

def attach(id):
    path = "/chat/completions/" + id
    return client.get(path, cast_to=ChatCompletionChunk, stream=True, stream_cls=Stream[ChatCompletionChunk])

def read(stream):
    chunks = list(stream)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks), chunks[-1].choices[0].finish_reason

whole, reason = read(start())

# A client leaves in the middle, and two others attach.
left = start()
chunks = [next(left) for _ in range(5)]
left.close()
attached = read(attach(chunks[0].id))
late = read(attach(chunks[0].id))

# A stop is an error for the client that reads.
stopped = start()
id = next(stopped).id
client.delete("/../runs/" + id, cast_to=object)
try:
    read(stopped)
    error = None
except Exception as raised:
    error = str(raised)

print(json.dumps({"whole": whole, "reason": reason, "attached": attached[0], "late": late[0], "error": error}))
