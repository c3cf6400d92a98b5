// Reads the tables that the Python side packs with numpy: a .npz is a zip of .npy, each a line of text and raw numbers.
import { readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";

const ARRAYS = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i4: Int32Array, i2: Int16Array, i8: BigInt64Array };
const CENTRAL_ENTRY = 0x02014b50;
const END_OF_DIRECTORY = 0x06054b50;
const DEFLATED = 8;

/** The arrays of these names, flat, as they lie in the file (little-endian, in C's order). */
export function readNpz(url, names) {
  const file = readFileSync(url);
  const found = {};
  for (const [name, bytes] of entries(file)) {
    const key = name.replace(/\.npy$/, "");
    if (names.includes(key)) found[key] = array(key, bytes());
  }
  for (const name of names) if (!(name in found)) throw new Error(`${url}: there is no ${name}`);
  return found;
}

function* entries(file) {
  let end = file.length - 22;
  while (file.readUInt32LE(end) !== END_OF_DIRECTORY) end--;
  let at = file.readUInt32LE(end + 16);
  while (file.readUInt32LE(at) === CENTRAL_ENTRY) {
    const [method, size, length, extra, comment] = [
      file.readUInt16LE(at + 10),
      file.readUInt32LE(at + 20),
      file.readUInt16LE(at + 28),
      file.readUInt16LE(at + 30),
      file.readUInt16LE(at + 32),
    ];
    const local = file.readUInt32LE(at + 42);
    const name = file.toString("utf8", at + 46, at + 46 + length);
    yield [
      name,
      () => {
        const start = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
        const packed = file.subarray(start, start + size);
        return method === DEFLATED ? inflateRawSync(packed) : packed;
      },
    ];
    at += 46 + length + extra + comment;
  }
}

function array(name, bytes) {
  const long = bytes.readUInt8(6) > 1;
  const start = (long ? 12 + bytes.readUInt32LE(8) : 10 + bytes.readUInt16LE(8)) | 0;
  const header = bytes.toString("latin1", 10, start);
  const kind = /'descr': '[<|]([a-z]\d)'/.exec(header)?.[1];
  const columns = /'fortran_order': True/.test(header);
  const Kind = ARRAYS[kind];
  if (!Kind) throw new Error(`${name}: numbers of an unknown kind: ${header}`);
  const raw = bytes.subarray(start);
  const whole = new Kind(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.byteLength));
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? "")
    .split(",")
    .filter((one) => one.trim())
    .map(Number);
  return { values: whole, shape, columns };
}
