// generated/openapi.d.ts, the API's types, from the consumer's own OpenAPI document.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import openapi, { astToString } from "openapi-typescript";

const root = new URL("../../", import.meta.url);
const target = new URL("../generated/openapi.d.ts", import.meta.url);

const described = execFileSync(new URL(".venv/bin/python", root).pathname, [
  new URL("tools/openapi.py", root).pathname,
]);
mkdirSync(new URL("./", target), { recursive: true });
writeFileSync(target, astToString(await openapi(JSON.parse(described))));
