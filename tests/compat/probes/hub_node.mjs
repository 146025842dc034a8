// npm's @huggingface/inference.
import assert from "node:assert/strict";
import { InferenceClient } from "@huggingface/inference";
import { Probe, QUESTION, WEATHER, refused } from "./report.mjs";

const probe = new Probe("npm @huggingface/inference", "@huggingface/inference");
const client = (target) => new InferenceClient(target.key, { endpointUrl: target.url });

probe.check("chat", "a reply", async (target) => {
  const reply = await client(target).chatCompletion({ messages: QUESTION, max_tokens: 40 });
  assert.ok(reply.choices[0].message.content);
});

probe.check("streaming", "chunks of a chat", async (target) => {
  let text = "";
  for await (const chunk of client(target).chatCompletionStream({ messages: QUESTION, max_tokens: 40 })) {
    text += chunk.choices[0]?.delta?.content ?? "";
  }
  assert.ok(text);
});

probe.check("tools", "required", async (target) => {
  const reply = await client(target).chatCompletion({
    messages: QUESTION,
    tools: [WEATHER],
    tool_choice: "required",
    max_tokens: 200,
  });
  const { message } = reply.choices[0];
  assert.ok(message.tool_calls?.length, `no call, but text: ${message.content}`);
});

probe.check("completions", "textGeneration", async (target) => {
  const reply = await client(target).textGeneration({
    inputs: "A falcon is",
    parameters: { max_new_tokens: 8, return_full_text: false, do_sample: false },
  });
  assert.ok(reply.generated_text);
});

probe.check("errors", "bad values tell their reason", async (target) => {
  const error = await refused(client(target).chatCompletion({ messages: QUESTION, temperature: -3 }));
  assert.match(JSON.stringify(error.httpResponse?.body ?? error.message), /temperature/);
});

await probe.main();
