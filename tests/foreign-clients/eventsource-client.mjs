import { createEventSource } from 'eventsource-client';
import { serve } from './talk.mjs';

serve(async ({ url }, tell) => {
  const source = createEventSource({ url });
  for await (const { event, data, id } of source) {
    if (tell(event ?? 'message', data, id)) break;
  }
  source.close();
});
