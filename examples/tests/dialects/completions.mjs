// Reads chat completions with the official SDK. Argument: the URL of the server. Prints what the test compares, as JSON.
import { createRequire } from "node:module";
const OpenAI = createRequire(process.cwd() + "/")("openai");

const client = new OpenAI({ baseURL: process.argv[2] + "/v1", apiKey: "none", maxRetries: 0 });
const start = () => client.chat.completions.create({
  model: "parrot-1", stream: true, messages: [{ role: "user", content: "Why?" }],
});
const attach = (id) => client.get("/chat/completions/" + id, { stream: true });

async function read(stream) {
  let text = "", reason = null;
  for await (const chunk of stream) {
    text += chunk.choices[0].delta.content ?? "";
    reason = chunk.choices[0].finish_reason;
  }
  return { text, reason };
}

const { text: whole, reason } = await read(await start());

// A client leaves in the middle, and two others attach.
let id, seen = 0;
for await (const chunk of await start()) {
  id = chunk.id;
  if (++seen === 5) break;
}
const attached = (await read(await attach(id))).text;
const late = (await read(await attach(id))).text;

// A stop is an error for the client that reads.
let error = null;
try {
  for await (const chunk of await start()) {
    if (id !== chunk.id) {
      id = chunk.id;
      await fetch(process.argv[2] + "/runs/" + id, { method: "DELETE" });
    }
  }
} catch (thrown) { error = String(thrown); }

console.log(JSON.stringify({ whole, reason, attached, late, error }));
