// Tiles of the relief: cut out of one small picture, and turned from grey into shade and light that lie over land and sea
// of either theme.

import { loadRelief } from "./geography.ts";

const TILE_PX = 256;
/** The picture has no more in it. */
export const RELIEF_ZOOM = 3;
const SHADE = [9, 24, 48] as const;
const LIGHT = [255, 255, 255] as const;
const FLAT = 128;

/** Gives the tile of an address that ends in `z/x/y`, as MapLibre asks for it. */
export function reliefTiles(): (url: string) => Promise<ImageBitmap> {
  const picture = loadRelief();
  return async (url) => {
    const [z, x, y] = url.split("/").slice(-3).map(Number) as [number, number, number];
    return cut(await picture, z, x, y);
  };
}

function cut(picture: ImageBitmap, z: number, x: number, y: number): ImageBitmap {
  const canvas = new OffscreenCanvas(TILE_PX, TILE_PX);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no canvas for the relief");
  const tiles = 2 ** z;
  const width = picture.width / tiles;
  for (let row = 0; row < TILE_PX; row++) {
    const from = sourceRow(y + row / TILE_PX, tiles, picture.height);
    const to = sourceRow(y + (row + 1) / TILE_PX, tiles, picture.height);
    context.drawImage(picture, x * width, from, width, Math.max(to - from, 1), 0, row, TILE_PX, 1);
  }
  const pixels = context.getImageData(0, 0, TILE_PX, TILE_PX);
  shade(pixels.data);
  context.putImageData(pixels, 0, 0);
  return canvas.transferToImageBitmap();
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
