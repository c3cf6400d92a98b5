// The relief: cut out of one small picture, as tiles or as a globe has it, and turned from grey into shade and light that
// lie over land and sea of either theme.

import type { Camera } from "../state.ts";
import { loadRelief } from "./geography.ts";

const TILE_PX = 256;
/** The picture has no more in it. */
export const RELIEF_ZOOM = 3;
/** When all that matters is here. */
export const RELIEF_AFTER_MS = 1_500;
export const RELIEF_OPACITY = { light: 0.6, dark: 0.85 } as const;
/** Its picture is coarse: from near it would be smudges. */
export const RELIEF_WHOLE_TO_ZOOM = 3.5;
export const RELIEF_GONE_FROM_ZOOM = 5.5;
const SHADE = [9, 24, 48] as const;
const LIGHT = [255, 255, 255] as const;
const FLAT = 128;
const RADIAN = Math.PI / 180;

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

/** The picture, and each half as large as the one before. */
export async function reliefLevels(): Promise<Grey[]> {
  const levels = [greyOf(await loadRelief())];
  for (let last = levels[0] as Grey; last.width > 256; levels.push(last)) last = halved(last);
  return levels;
}

export function halved({ values, width, height }: Grey): Grey {
  const half = { values: new Uint8Array((width * height) / 4), width: width / 2, height: height / 2 };
  for (let n = 0; n < half.values.length; n++) {
    const corner = 2 * (n % half.width) + 2 * width * Math.floor(n / half.width);
    const sum = [0, 1, width, width + 1].reduce((total, step) => total + (values[corner + step] as number), 0);
    half.values[n] = sum / 4;
  }
  return half;
}

/** What of the relief a flat map or a globe shows, RGBA; where there is no earth, nothing.
 *
 * The view has so many pixels, its middle is the camera's, and a radian is `radiusPx` of them. Orthographic for a globe,
 * equirectangular for a flat map, as in J. P. Snyder, Map Projections: A Working Manual (1987), pp. 145 and 90.
 */
export function reliefSeen(
  levels: readonly Grey[],
  { latitude, longitude }: Pick<Camera, "latitude" | "longitude">,
  radiusPx: number,
  width: number,
  height: number,
  globe: boolean,
): Uint8ClampedArray<ArrayBuffer> {
  const data = new Uint8ClampedArray(4 * width * height).fill(FLAT);
  const wanted = 2 * Math.PI * radiusPx; // the world's width on the screen: a picture that is finer would glitter
  const picture = levels.findLast((one) => one.width >= wanted) ?? (levels[0] as Grey);
  const [sine, cosine] = [Math.sin(latitude * RADIAN), Math.cos(latitude * RADIAN)];
  for (let row = 0; row < height; row++) {
    const y = (height / 2 - row - 0.5) / radiusPx;
    for (let column = 0; column < width; column++) {
      const x = (column + 0.5 - width / 2) / radiusPx;
      let [phi, lambda] = [latitude * RADIAN + y, x];
      if (globe) {
        const outside = x * x + y * y;
        if (outside >= 1) continue;
        const towards = Math.sqrt(1 - outside);
        phi = Math.asin(towards * sine + y * cosine);
        lambda = Math.atan2(x, towards * cosine - y * sine);
      } else if (Math.abs(phi) >= Math.PI / 2 || Math.abs(x) > Math.PI) continue;
      const around = (longitude * RADIAN + lambda) / (2 * Math.PI) + 0.5;
      const u = Math.floor((around - Math.floor(around)) * picture.width);
      const v = Math.floor((0.5 - phi / Math.PI) * picture.height);
      const grey = picture.values[Math.min(picture.height - 1, v) * picture.width + u] as number;
      data[4 * (row * width + column)] = grey;
    }
  }
  shade(data);
  return data;
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
