// What this browser says of its reader and its window; each can change while the page is open.

export const darkMedia = matchMedia("(prefers-color-scheme: dark)");
/** As in styles/windows.css, a phone, also on its side, or a page that is zoomed into: too little room
 * for all filters at once, so they fold. */
export const smallMedia = matchMedia("(max-height: 34rem), (max-width: 36rem)");
export const printMedia = matchMedia("print");
export const motionMedia = matchMedia("(prefers-reduced-motion: reduce)");
