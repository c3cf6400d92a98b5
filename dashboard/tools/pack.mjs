// Files of many small whole numbers, which JSON writes at length: a head in JSON, and the numbers, each in as few bytes
// as it takes (LEB128; 0, -1, 1, -2, … are 0, 1, 2, 3, …). src/map/packed.ts reads them.

export function packed(head, numbers) {
  const words = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(words.length);
  const bytes = [];
  for (const number of numbers) {
    let rest = number < 0 ? -2 * number - 1 : 2 * number;
    while (rest > 127) {
      bytes.push((rest & 127) | 128);
      rest = Math.floor(rest / 128);
    }
    bytes.push(rest);
  }
  return Buffer.concat([length, words, Buffer.from(bytes)]);
}
