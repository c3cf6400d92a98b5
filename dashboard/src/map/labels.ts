// Words on a map that do not run over each other: whoever asks first has the room. Pure.

interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export class Room {
  readonly #taken: Box[] = [];

  constructor(
    private readonly width: number,
    private readonly height: number,
  ) {}

  /** Take the room of a box around (x, y), px; false where it is taken, or not in sight. */
  take(x: number, y: number, width: number, height: number, padding = 3): boolean {
    const box = {
      left: x - width / 2 - padding,
      right: x + width / 2 + padding,
      top: y - height / 2 - padding,
      bottom: y + height / 2 + padding,
    };
    if (box.right < 0 || box.bottom < 0 || box.left > this.width || box.top > this.height) return false;
    const isFree = this.#taken.every(
      (one) => one.right <= box.left || one.left >= box.right || one.bottom <= box.top || one.top >= box.bottom,
    );
    if (isFree) this.#taken.push(box);
    return isFree;
  }
}
