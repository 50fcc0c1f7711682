// OpenAI's SDK for JavaScript against a running demo; tests/sdk/serving.py starts it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import OpenAI from "openai";

const { FRONTDESK_URL, FRONTDESK_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${FRONTDESK_URL}/v1`, apiKey: FRONTDESK_API_KEY, maxRetries: 0 });
const request = { model: "frontdesk-demo", messages: [{ role: "user", content: "买多少钱包邮？" }] };
const fresh = { headers: { "cache-control": "no-store" } };

test("a whole answer holds the fact, its source and the usage", async () => {
  const { data, response } = await client.chat.completions.create(request, fresh).withResponse();
  assert.match(data.choices[0].message.content, /129\s*元/);
  assert.equal(data.choices[0].finish_reason, "stop");
  assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
  const framed = response.headers.get("x-frontdesk-sources").split(",");
  assert.ok(framed.includes(data.frontdesk.sources[0].id));
});

test("a stream says the same", async () => {
  const whole = await client.chat.completions.create(request, fresh);
  const options = { ...request, stream: true, stream_options: { include_usage: true } };
  let text = "";
  let usage = null;
  for await (const chunk of await client.chat.completions.create(options, fresh)) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.deepEqual(usage, whole.usage);
});

test("a reader who leaves frees the blocks", async () => {
  const ends = Object.fromEntries(endsOfMessages().map((token) => [token.id, -100]));
  const endless = { ...request, stream: true, max_completion_tokens: 4000, logit_bias: ends };
  const stream = await client.chat.completions.create(endless, fresh);
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content) break;
  }
  const metric = async (name) => {
    const text = await (await fetch(`${FRONTDESK_URL}/metrics`)).text();
    return Number(text.match(new RegExp(`^${name} (\\S+)$`, "m"))[1]);
  };
  const until = Date.now() + 20_000;
  while ((await metric("frontdesk_engine_blocks_used")) > 0) {
    assert.ok(Date.now() < until, "blocks are still in use");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

test("a wrong key is an AuthenticationError", async () => {
  const stranger = new OpenAI({ baseURL: `${FRONTDESK_URL}/v1`, apiKey: "not-the-key", maxRetries: 0 });
  await assert.rejects(stranger.chat.completions.create(request), OpenAI.AuthenticationError);
});

function endsOfMessages() {
  const file = new URL("../../engine/demo/model/tokenizer.json", import.meta.url);
  const names = ["<|return|>", "<|end|>", "<|call|>"];
  return JSON.parse(readFileSync(file)).added_tokens.filter((token) => names.includes(token.content));
}
