// src/openapi.d.ts, the API's types, from the consumer's own OpenAPI document. With --check: fail where it is out of date.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import openapi, { astToString } from "openapi-typescript";

const root = new URL("../../", import.meta.url);
const target = new URL("../src/openapi.d.ts", import.meta.url);

const described = execFileSync(new URL(".venv/bin/python", root).pathname, [
  new URL("tools/openapi.py", root).pathname,
]);
const types = `// Made by tools/types.mjs. Not to be edited.\n${astToString(await openapi(JSON.parse(described)))}`;
if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== types) {
    console.error("src/openapi.d.ts is not what the API is: npm --prefix dashboard run types");
    process.exit(1);
  }
} else {
  writeFileSync(target, types);
}
