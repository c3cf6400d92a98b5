// Tiles of the relief: cut out of one small picture, and turned from grey into shade and light that lie over land and sea
// of either theme.

import { loadRelief } from "./geography.ts";

const TILE_PX = 256;
/** The picture has no more in it. */
export const RELIEF_ZOOM = 3;
const SHADE = [9, 24, 48] as const;
const LIGHT = [255, 255, 255] as const;
const FLAT = 128;

/** A picture in grey, row by row. */
export interface Grey {
  values: Uint8Array;
  width: number;
  height: number;
}

/** Gives the tile of an address that ends in `z/x/y`, as MapLibre asks for it. */
export function reliefTiles(): (url: string) => Promise<ImageBitmap> {
  const picture = loadRelief().then(greyOf);
  return async (url) => {
    const [z, x, y] = url.split("/").slice(-3).map(Number) as [number, number, number];
    const data = cut(await picture, z, x, y, TILE_PX);
    shade(data);
    return createImageBitmap(new ImageData(data, TILE_PX, TILE_PX));
  };
}

function greyOf(picture: ImageBitmap): Grey {
  const { width, height } = picture;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no canvas for the relief");
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const values = new Uint8Array(width * height);
  for (let n = 0; n < values.length; n++) values[n] = data[4 * n] as number;
  return { values, width, height };
}

/** A tile of so many px a side, RGBA: each of its pixels is the mean of what lies under it. */
export function cut(
  { values, width, height }: Grey,
  z: number,
  x: number,
  y: number,
  side: number,
): Uint8ClampedArray<ArrayBuffer> {
  const tiles = 2 ** z;
  const data = new Uint8ClampedArray(4 * side * side);
  const edges = (n: number, of: number): number => Math.max(0, Math.min(of, Math.round(n)));
  for (let row = 0; row < side; row++) {
    const top = Math.min(height - 1, edges(sourceRow(y + row / side, tiles, height), height));
    const bottom = Math.max(top + 1, edges(sourceRow(y + (row + 1) / side, tiles, height), height));
    for (let column = 0; column < side; column++) {
      const left = Math.min(width - 1, edges(((x + column / side) / tiles) * width, width));
      const right = Math.max(left + 1, edges(((x + (column + 1) / side) / tiles) * width, width));
      let sum = 0;
      for (let v = top; v < bottom; v++) for (let u = left; u < right; u++) sum += values[v * width + u] as number;
      data.fill(sum / ((bottom - top) * (right - left)), 4 * (row * side + column), 4 * (row * side + column) + 3);
    }
  }
  return data;
}

/** Where a row of Mercator's world lies in a picture whose degrees are even. */
export function sourceRow(y: number, tiles: number, height: number): number {
  const latitude = Math.atan(Math.sinh(Math.PI * (1 - (2 * y) / tiles)));
  return (0.5 - latitude / Math.PI) * height;
}

/** Grey into nothing where it is flat, dark where it is darker, white where it is lighter; in place, RGBA. */
export function shade(data: Uint8ClampedArray): void {
  for (let n = 0; n < data.length; n += 4) {
    const grey = data[n] as number;
    const [red, green, blue] = grey < FLAT ? SHADE : LIGHT;
    data[n] = red;
    data[n + 1] = green;
    data[n + 2] = blue;
    data[n + 3] = 2 * Math.abs(grey - FLAT);
  }
}
