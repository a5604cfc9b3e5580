// Reads UI message streams with the AI SDK. Argument: the URL of the server. Prints what the test compares, as JSON.
import { createRequire } from "node:module";
const { DefaultChatTransport, readUIMessageStream } = createRequire(process.cwd() + "/")("ai");

const server = process.argv[2];
const headers = [], statuses = [];
const transport = new DefaultChatTransport({
  api: server + "/api/chat",
  fetch: async (...request) => {
    const response = await fetch(...request);
    statuses.push(response.status);
    headers.push(response.headers.get("x-vercel-ai-ui-message-stream"));
    return response;
  },
});
const send = (chatId, abortSignal) => transport.sendMessages({
  trigger: "submit-message", chatId, abortSignal,
  messages: [{ id: "1", role: "user", parts: [{ type: "text", text: "Why?" }] }],
});

async function read(stream) {
  let message;
  const onError = (error) => { throw error };
  for await (message of readUIMessageStream({ stream, onError, terminateOnError: true }));
  return message.parts.filter((part) => part.type === "text").map((part) => part.text).join("");
}

const whole = await read(await send("one"));
const after = await transport.reconnectToStream({ chatId: "one" });
const unknown = await transport.reconnectToStream({ chatId: "unknown" });
// The next answer of the same chat.
const next = await read(await send("one"));

// A client leaves in the middle, and two others attach.
const leave = new AbortController();
const left = (await send("two", leave.signal)).getReader();
for (let chunk = 0; chunk < 5; chunk++) await left.read();
leave.abort();
// The answer goes on, so the chat has no second one.
const busy = await send("two").then(() => "started", () => statuses.at(-1));
const tabs = await Promise.all([0, 1].map(() => transport.reconnectToStream({ chatId: "two" })));
const attached = await Promise.all(tabs.map(read));

// A stop reaches the client as a chunk of type `abort`.
const types = [];
for await (const chunk of await send("three")) {
  types.push(chunk.type);
  if (types.length === 5) await fetch(server + "/runs/three", { method: "DELETE" });
}

console.log(JSON.stringify({ whole, after, unknown, next, busy, attached, last: types.at(-1), headers: headers.filter(Boolean) }));
