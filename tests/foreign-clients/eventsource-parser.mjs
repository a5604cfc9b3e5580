import { EventSourceParserStream } from 'eventsource-parser/stream';
import { serve } from './talk.mjs';

serve(async ({ url, again }, tell) => {
  const headers = { accept: 'text/event-stream' };
  do {
    const { body } = await fetch(url, { headers });
    const events = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
    for await (const { event, data, id } of events) {
      if (id) headers['last-event-id'] = id;
      if (tell(event ?? 'message', data, id)) return;
    }
  } while (again);
});
