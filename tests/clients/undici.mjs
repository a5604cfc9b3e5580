// Node's own `EventSource`, which Node itself has behind a flag.
import { EventSource } from 'undici';
import { serveBy } from './talk.mjs';

serveBy(EventSource);
