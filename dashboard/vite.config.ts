import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const OUT = join(import.meta.dirname, "../src/quakestream/api/dashboard");

/** Of brotli: 6 % less than with 9, for 6 s. */
const QUALITY = 11;

/** Beside each built file its compressed forms: the server chooses, and compresses nothing itself. */
function precompressed(): Plugin {
  return {
    name: "precompressed",
    apply: "build",
    closeBundle() {
      for (const entry of readdirSync(OUT, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(m?js|css|json|svg|webmanifest|bin)$/.test(entry.name)) continue;
        const path = join(entry.parentPath, entry.name);
        const whole = readFileSync(path);
        const best = {
          params: { [constants.BROTLI_PARAM_QUALITY]: QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: whole.length },
        };
        writeFileSync(`${path}.br`, brotliCompressSync(whole, best));
        writeFileSync(`${path}.gz`, gzipSync(whole, { level: 9 }));
      }
    },
  };
}

const MAPLIBRE = join(import.meta.dirname, "node_modules/maplibre-gl/src");
const MAP_WORKER = "virtual:map-worker";
/** Its controls that this page has: who made the map, where it is the operator's own. */
const CONTROLS = /-(group|icon|logo|scale|geolocate|compass|button:)|popup|marker|crosshair|boxzoom|user-location/;

/** MapLibre from its sources: as it is published, the page's part and the worker's each have a copy of what both need,
 * and every control. From its sources they share it, and what this page has no use for is left out: 115 kB less. While
 * somebody works on the page it is as published, for that is ready at once. */
function lightMapLibre(): Plugin {
  return {
    name: "light-maplibre",
    enforce: "pre",
    apply: "build",
    config: () => ({
      resolve: { alias: [{ find: /^maplibre-gl$/, replacement: join(import.meta.dirname, "tools/maplibre.mjs") }] },
      // As it is compiled by its makers: a field that a class only declares is not set anew after its base has set it.
      oxc: { typescript: { removeClassFieldsWithoutInitializer: true } },
    }),
    resolveId: (id) => (id === MAP_WORKER ? `\0${MAP_WORKER}` : null),
    load(id) {
      if (id !== `\0${MAP_WORKER}`) return null;
      const worker = this.emitFile({ type: "chunk", name: "map-worker", id: join(MAPLIBRE, "source/worker.ts") });
      return `export default import.meta.ROLLUP_FILE_URL_${worker};`;
    },
    transform(code, id) {
      if (!id.endsWith("maplibre-gl.css")) return null;
      const isWanted = (selector: string): boolean => !CONTROLS.test(selector) || selector.startsWith("@");
      return code.replace(/([^{}]+)\{[^{}]*\}/g, (rule, selectors: string) =>
        selectors.split(",").some(isWanted) ? rule : "",
      );
    },
  };
}

/** The same, as published. */
function publishedMapWorker(): Plugin {
  return {
    name: "published-map-worker",
    enforce: "pre",
    apply: "serve",
    resolveId: (id) => (id === MAP_WORKER ? `\0${MAP_WORKER}` : null),
    load: (id) =>
      id === `\0${MAP_WORKER}` ? 'export { default } from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";' : null,
  };
}

/** The licences of what is built in, as they ask for: carried with it. */
function licences(): Plugin {
  return {
    name: "licences",
    apply: "build",
    closeBundle() {
      const root = import.meta.dirname;
      const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as Lock;
      const texts = Object.entries(packages).flatMap(([path, { version, dev, license }]) => {
        if (path === "" || dev) return [];
        const file = readdirSync(join(root, path)).find((name) => /^licen[cs]e/i.test(name));
        const text = file ? readFileSync(join(root, path, file), "utf8").trim() : "";
        return [`${path.replace(/.*node_modules\//, "")} ${version}, ${license}\n\n${text}\n`];
      });
      writeFileSync(join(OUT, "licences.txt"), texts.join(`\n${"-".repeat(80)}\n\n`));
    },
  };
}

interface Lock {
  packages: Record<string, { version?: string; dev?: boolean; license?: string }>;
}

export default defineConfig({
  base: "./",
  plugins: [lightMapLibre(), publishedMapWorker(), precompressed(), licences()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // inlined files would need `data:` in the Content-Security-Policy
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
    rolldownOptions: {
      input: { index: join(import.meta.dirname, "index.html"), sw: join(import.meta.dirname, "worker/sw.ts") },
      output: {
        // Browsers know a service worker by its address, and its scope is where it lies: at the root, always so called.
        entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js"),
      },
    },
  },
  // To load everything anew for each file takes two thirds of the processor. A busy machine is no fault.
  test: { isolate: false, testTimeout: 60_000 },
  server: { proxy: { "/api": process.env["QUAKESTREAM"] ?? "http://localhost:3002" } },
});
