// What tools/pack.mjs has packed, as it was.

const HEAD = 4;

export function unpacked<T>(bytes: Uint8Array): { head: T; numbers: number[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const begin = HEAD + view.getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(HEAD, begin))) as T;
  const numbers: number[] = [];
  let [value, unit] = [0, 1];
  for (const byte of bytes.subarray(begin)) {
    value += (byte & 127) * unit;
    unit *= 128;
    if (byte > 127) continue;
    numbers.push(value % 2 === 0 ? value / 2 : -(value + 1) / 2);
    [value, unit] = [0, 1];
  }
  return { head, numbers };
}
