import { EventSource } from 'eventsource';
import { serveBy } from './talk.mjs';

serveBy(EventSource);
