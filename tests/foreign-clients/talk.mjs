// How a client here talks with `run`: a line `{"url", "again"}` comes in, each event goes out as `[type, data, id]`, and
// null at the end. `again`: a program whose library does not come back by itself does so in its stead, with the last id.
import { createInterface } from 'node:readline';

const write = (event) => process.stdout.write(JSON.stringify(event) + '\n');

// `tell` is true once all was seen.
const tell = (type, data, id) => { write([type, data, id ?? '']); return type === 'done'; };

export async function serve(read) {
  for await (const line of createInterface({ input: process.stdin })) {
    await read(JSON.parse(line), tell);
    write(null);
  }
  process.exit();
}

// What has the interface of the standard's EventSource.
export const serveBy = (EventSource) => serve(({ url }, tell) => new Promise((end) => {
  const source = new EventSource(url);
  const close = () => { source.close(); end(); };
  const seen = (event) => { if (tell(event.type, event.data, event.lastEventId)) close(); };
  for (const type of ['message', 'tick', 'gap', 'done']) source.addEventListener(type, seen);
  source.addEventListener('error', () => { if (source.readyState === 2) close(); });
}));
