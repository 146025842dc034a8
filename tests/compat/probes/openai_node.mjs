// npm's openai, as web applications use it.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { Probe, QUESTION, WEATHER, refused } from "./report.mjs";

const probe = new Probe("npm openai", "openai");
const client = (target, options = {}) =>
  new OpenAI({ baseURL: target.v1, apiKey: target.key, maxRetries: 0, timeout: 30_000, ...options });

probe.check("models", "models are listed", async (target) => {
  const ids = [];
  for await (const model of client(target).models.list()) ids.push(model.id);
  assert.ok(ids.includes(target.model));
});

probe.check("chat", "a reply", async (target) => {
  const reply = await client(target).chat.completions.create({ model: target.model, messages: QUESTION });
  assert.ok(reply.choices[0].message.content);
  assert.equal(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens);
});

probe.check("streaming", "chunks make the reply", async (target) => {
  const ask = { model: target.model, messages: QUESTION, temperature: 0 };
  const whole = await client(target).chat.completions.create(ask);
  let text = "";
  for await (const chunk of await client(target).chat.completions.create({ ...ask, stream: true })) {
    text += chunk.choices[0]?.delta?.content ?? "";
  }
  assert.equal(text, whole.choices[0].message.content);
});

probe.check("streaming", "the stream helper", async (target) => {
  const stream = client(target).chat.completions.stream({
    model: target.model,
    messages: QUESTION,
    stream_options: { include_usage: true },
  });
  const final = await stream.finalChatCompletion();
  assert.ok(final.choices[0].message.content);
  assert.equal(final.choices[0].message.role, "assistant");
  assert.ok(final.usage.total_tokens > 0);
});

probe.check("streaming", "the stream helper with two choices", async (target) => {
  const stream = client(target).chat.completions.stream({
    model: target.model,
    messages: QUESTION,
    n: 2,
    seed: 1,
    temperature: 1,
  });
  const final = await stream.finalChatCompletion();
  assert.deepEqual(final.choices.map((choice) => choice.index), [0, 1]);
});

probe.check("streaming", "aborting ends the stream", async (target) => {
  const stream = await client(target).chat.completions.create({
    model: target.model,
    messages: QUESTION,
    stream: true,
  });
  for await (const _ of stream) {
    stream.controller.abort();
    break;
  }
  await client(target).chat.completions.create({ model: target.model, messages: QUESTION, max_tokens: 2 });
});

probe.check("tools", "required, streamed by the helper", async (target) => {
  const stream = client(target).chat.completions.stream({
    model: target.model,
    messages: QUESTION,
    tools: [WEATHER],
    tool_choice: "required",
    max_tokens: 200,
  });
  const { message } = (await stream.finalChatCompletion()).choices[0];
  assert.ok(message.tool_calls?.length, `no call, but text: ${message.content}`);
  assert.ok(["Paris", "Berlin"].includes(JSON.parse(message.tool_calls[0].function.arguments).city));
});

probe.check("tools", "runTools calls our function and goes on", async (target) => {
  const asked = [];
  const tool = {
    type: "function",
    function: {
      ...WEATHER.function,
      parse: JSON.parse,
      function: ({ city }) => {
        asked.push(city);
        return "18 degrees";
      },
    },
  };
  const runner = client(target).chat.completions.runTools(
    {
      model: target.model,
      messages: QUESTION,
      tools: [tool],
      tool_choice: { type: "function", function: { name: "get_weather" } },
      max_tokens: 200,
    },
    { maxChatCompletions: 2 },
  );
  await runner.done();
  assert.ok(asked.length > 0, "never called");
});

probe.check("structured output", "parse by json schema", async (target) => {
  const schema = {
    type: "object",
    properties: { wild: { type: "boolean" } },
    required: ["wild"],
    additionalProperties: false,
  };
  const reply = await client(target).chat.completions.parse({
    model: target.model,
    messages: QUESTION,
    max_tokens: 100,
    response_format: { type: "json_schema", json_schema: { name: "bird", strict: true, schema } },
  });
  assert.equal(typeof JSON.parse(reply.choices[0].message.content).wild, "boolean");
});

probe.check("logprobs", "are numbers", async (target) => {
  const reply = await client(target).chat.completions.create({
    model: target.model,
    messages: QUESTION,
    logprobs: true,
    top_logprobs: 5,
    max_tokens: 5,
  });
  for (const token of reply.choices[0].logprobs.content) {
    assert.ok(Number.isFinite(token.logprob));
    assert.ok(token.top_logprobs.every((other) => Number.isFinite(other.logprob)));
  }
});

probe.check("completions", "plain and streamed", async (target) => {
  const ask = { model: target.model, prompt: "A falcon is", max_tokens: 8, temperature: 0 };
  const whole = await client(target).completions.create(ask);
  let text = "";
  for await (const chunk of await client(target).completions.create({ ...ask, stream: true })) {
    text += chunk.choices[0]?.text ?? "";
  }
  assert.equal(text, whole.choices[0].text);
});

probe.check("embeddings", "come through its hidden base64", async (target) => {
  const reply = await client(target).embeddings.create({ model: target.model, input: "a falcon" });
  const vector = reply.data[0].embedding;
  assert.ok(vector.length > 10);
  assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-3);
});

probe.check("responses", "a response streamed", async (target) => {
  const stream = await client(target).responses.create({
    model: target.model,
    input: "Hello, who are you?",
    stream: true,
    max_output_tokens: 60,
  });
  let text = "";
  for await (const event of stream) if (event.type === "response.output_text.delta") text += event.delta;
  assert.ok(text);
});

probe.check("errors", "bad values, unknown models and long prompts", async (target) => {
  const chat = client(target).chat.completions;
  const bad = await refused(chat.create({ model: target.model, messages: QUESTION, temperature: -3 }));
  assert.ok([400, 422].includes(bad.status), String(bad));
  assert.ok(bad.error?.message);
  const missing = await refused(client(target).models.retrieve("no/such/model"));
  assert.ok(missing instanceof OpenAI.NotFoundError, String(missing));
  const long = [{ role: "user", content: "falcon ".repeat(30_000) }];
  const full = await refused(chat.create({ model: target.model, messages: long }));
  assert.equal(full.code, "context_length_exceeded");
});

probe.check("errors", "its own time limit", async (target) => {
  const slow = client(target, { timeout: 1 }).chat.completions;
  const error = await refused(slow.create({ model: target.model, messages: QUESTION }));
  assert.ok(error instanceof OpenAI.APIConnectionTimeoutError, String(error));
});

await probe.main();
