// One call of the `openai` package for node.
//
// The first line of stdin names the call and has its body; each chunk, or the whole
// answer, is a line of stdout. A second line leaves the call, but not the process, which
// ends with stdin.

import { createInterface } from "node:readline";
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const { call, body } = JSON.parse((await lines.next()).value);
const leaving = new AbortController();
const ended = lines.next().then(({ done }) => {
  if (!done) {
    leaving.abort();
    return lines.next();
  }
});

const path = call.split(".");
const method = path.pop();
const resource = path.reduce((parent, name) => parent[name], client);
try {
  const answer = await resource[method](body, { signal: leaving.signal });
  if (body.stream) {
    for await (const chunk of answer) say(chunk);
  } else {
    say(answer);
  }
} catch (error) {
  if (!leaving.signal.aborted) say({ failed: `${error}` });
}
if (leaving.signal.aborted) say({ left: true });
await ended;
process.exit(0);
