// Classes of intensity in the colours of ShakeMap: the same on the map and in the tables (styles/exposure.css).

export const MMI_COLOURS: Readonly<Record<number, string>> = {
  3: "#bfe0ff",
  4: "#7ff7f0",
  5: "#8ff07a",
  6: "#fff300",
  7: "#ffc800",
  8: "#ff9100",
  9: "#ff2a00",
  10: "#c80000",
};
