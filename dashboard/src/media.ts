// What this browser says of its reader and its window; each can change while the page is open.

export const darkMedia = matchMedia("(prefers-color-scheme: dark)");
/** As in styles/windows.css: a phone on its side, or a page that is zoomed into. */
export const lowMedia = matchMedia("(max-height: 34rem)");
export const motionMedia = matchMedia("(prefers-reduced-motion: reduce)");
