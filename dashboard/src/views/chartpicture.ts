// A chart as a picture that stands for itself: its title, what it says, and that it is of a drill, in words.

const PAD_PX = 20;
const TITLE_PX = 18;
const WORDS_PX = 13;
const LINE = 1.4;

/** PNG of a plot's canvas with words above it. */
export function saveChart(
  plot: HTMLCanvasElement,
  { title, caption, drill }: { title: string; caption: string; drill: string },
): Promise<Blob> {
  const scale = plot.width / Math.max(1, plot.clientWidth || plot.width);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const font = (px: number, weight = 400): string =>
    `${weight} ${px * scale}px ${getComputedStyle(document.body).fontFamily}`;
  const pad = PAD_PX * scale;
  canvas.width = plot.width + 2 * pad;
  context.font = font(WORDS_PX);
  const lines = wrapped(context, caption, plot.width);
  const heading = drill === "" ? title : `${drill}: ${title}`;
  const above = pad + (TITLE_PX * LINE + lines.length * WORDS_PX * LINE + 8) * scale;
  canvas.height = above + plot.height + pad;
  context.fillStyle = colour("--paper");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.textBaseline = "top";
  context.fillStyle = colour(drill === "" ? "--ink" : "--drill");
  context.font = font(TITLE_PX, 700);
  context.fillText(heading, pad, pad);
  context.fillStyle = colour("--soft");
  context.font = font(WORDS_PX);
  lines.forEach((line, n) => {
    context.fillText(line, pad, pad + (TITLE_PX * LINE + n * WORDS_PX * LINE) * scale);
  });
  if (drill !== "") {
    // Across the plot, so that no cut of it can be taken for real.
    context.save();
    context.globalAlpha = 0.3;
    context.fillStyle = colour("--drill");
    context.font = font(Math.min(72, plot.clientWidth / 7), 700);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(drill, canvas.width / 2, above + plot.height / 2, plot.width);
    context.restore();
  }
  context.drawImage(plot, pad, above);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png");
  });
}

function wrapped(context: CanvasRenderingContext2D, words: string, widthPx: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words.split(/\s+/)) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && context.measureText(longer).width > widthPx) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}
