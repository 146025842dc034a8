// What the JavaScript probes share: checks in order, one line of JSON for each, as in report.py.
import { readFileSync } from "node:fs";

const SECONDS = 60;

export class Probe {
  constructor(client, module) {
    this.client = client;
    this.module = module;
    this.checks = [];
  }

  check(capability, name, run) {
    this.checks.push({ capability, name, run });
  }

  async main() {
    const [url, ...options] = process.argv.slice(2);
    const value = (name, otherwise) => {
      const at = options.indexOf(name);
      return at < 0 ? otherwise : options[at + 1];
    };
    const target = { url, v1: `${url}/v1`, model: value("--model", "eyas"), key: value("--key", "x") };
    const only = value("--only", "");
    say({ client: this.client, version: version(this.module) });
    for (const { capability, name, run } of this.checks) {
      if (!name.includes(only)) continue;
      const begun = performance.now();
      let outcome = "pass";
      let reason = "";
      try {
        await within(run(target));
      } catch (error) {
        outcome = "fail";
        reason = `${error?.name}: ${error?.message}`.replace(/\s+/g, " ").slice(0, 400);
      }
      const seconds = Math.round((performance.now() - begun) / 10) / 100;
      say({ client: this.client, capability, check: name, outcome, reason, seconds });
    }
    process.exit(0);
  }
}

export const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Weather of a city.",
    parameters: {
      type: "object",
      properties: { city: { type: "string", enum: ["Paris", "Berlin"] } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};

export const QUESTION = [{ role: "user", content: "Hello, who are you?" }];

export async function refused(promise) {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`no error, but ${JSON.stringify(answer)?.slice(0, 200)}`);
}

function version(module) {
  return JSON.parse(readFileSync(new URL(`node_modules/${module}/package.json`, import.meta.url), "utf-8")).version;
}

function within(promise) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`no result after ${SECONDS} s`)), SECONDS * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
