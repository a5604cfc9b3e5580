// Any package with the interface of the standard's EventSource, by its name.
import { serveBy } from './talk.mjs';

const { EventSource, default: only } = await import(process.argv[2]);
serveBy(EventSource ?? only);
