// The Vercel AI SDK with @ai-sdk/openai-compatible; the lines are those of attempts.py.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, streamText, tool } from "ai";
import { z } from "zod";

const [talker, user] = [process.argv.slice(2, 5), process.argv.slice(5, 8)];
const question = "How do I choose a model?";
const weather = "What will the weather be in Paris for three days? Use the tool.";
const limits = { temperature: 0, maxOutputTokens: 120, maxRetries: 0 };
const place = z.strictObject({
  city: z.enum(["Paris", "Rome"]),
  days: z.number().int().min(1).max(3),
});
const tools = {
  forecast: tool({
    description: "Tell the weather of a city for some days.",
    inputSchema: place,
    execute: async ({ city, days }) => `It will be sunny in ${city} for ${days} days.`,
  }),
};

function model([url, key, name], more = {}) {
  const baseURL = `${url}/v1`;
  return createOpenAICompatible({ name: "local", baseURL, apiKey: key, ...more })(name);
}

function check(holds, got) {
  if (!holds) throw new Error(`not what was asked for: ${JSON.stringify(got)}`);
}

async function chat() {
  const { text } = await generateText({ model: model(talker), prompt: question, ...limits });
  check(text.trim(), text);
}

async function stream() {
  const { textStream } = streamText({ model: model(talker), prompt: question, ...limits });
  const parts = [];
  for await (const part of textStream) if (part) parts.push(part);
  check(parts.length > 2, parts);
}

async function structured(more) {
  const { output } = await generateText({
    model: model(talker, more),
    prompt: question,
    output: Output.object({ schema: place }),
    ...limits,
  });
  check(place.safeParse(output).success, output);
}

async function use(toolChoice) {
  const { text, toolCalls } = await generateText({
    model: model(user),
    prompt: weather,
    tools,
    toolChoice,
    ...limits,
  });
  for (const { toolName, input } of toolCalls) {
    check(toolName === "forecast" && place.safeParse(input).success, input);
  }
  check(toolCalls.length || (toolChoice !== "required" && text.trim()), text);
}

const calls = {
  chat,
  stream,
  structured: () => structured(),
  "structured, by a schema": () => structured({ supportsStructuredOutputs: true }),
  tools: () => use("auto"),
  "required tool": () => use("required"),
};
for (const [call, attempt] of Object.entries(calls)) {
  let failed = "";
  try {
    await attempt();
  } catch (error) {
    failed = `${error.name}: ${error.message}`.slice(0, 300);
  }
  process.stdout.write(`${JSON.stringify({ call, failed })}\n`);
}
