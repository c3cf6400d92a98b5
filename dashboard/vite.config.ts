import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const OUT = join(import.meta.dirname, "../src/quakestream/api/dashboard");

/** Of brotli. 11, for wheels and images, makes 5 % less of it than 9 and takes 20 s longer. */
const QUALITY = Number(process.env["PAGE_COMPRESSION"] ?? 9);

/** Beside each built file its compressed forms: the server chooses, and compresses nothing itself. */
function precompressed(): Plugin {
  return {
    name: "precompressed",
    apply: "build",
    closeBundle() {
      for (const entry of readdirSync(OUT, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(m?js|css|json|svg|webmanifest|woff2)$/.test(entry.name)) continue;
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
  plugins: [precompressed(), licences()],
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
  server: { proxy: { "/api": process.env["QUAKESTREAM"] ?? "http://localhost:3002" } },
});
