// The page's beginning: the app, its first drawing, and the map as soon as it is here.

import "./style.css";
import { render } from "lit-html";
import { App } from "./app.ts";
import { settleFocus } from "./focus.ts";
import { listenToKeys } from "./keys.ts";
import { globeZoom, graphics, type MapListener, openZoom, takesWebGL } from "./map/map.ts";
import type { Camera } from "./state.ts";
import { printWhole, watchList } from "./views/list.ts";
import { shell, title } from "./views/shell.ts";

/** So long the map waits for the whole list, to begin where the largest is. */
const WHOLE_MS = 20_000;

/** After a frame its drawing is on the screen; only then may something take long, as to ask for WebGL does in software. */
const PAINTED_MS = 50;

const root = document.getElementById("app") as HTMLElement;
const app = new App();

app.draw = () => {
  const { documentElement } = document;
  // Only what is other than it was: each of these lets the browser look at the whole page anew.
  if (documentElement.lang !== app.preferences.language) documentElement.lang = app.preferences.language;
  if (documentElement.dataset["theme"] !== app.theme) documentElement.dataset["theme"] = app.theme;
  render(shell(app), root);
  watchList(app);
  const named = title(app);
  if (document.title !== named) document.title = named;
  settleFocus(app);
  if (app.live.loaded && performance.getEntriesByName("list").length === 0) performance.mark("list");
};

root.addEventListener("click", (event) => {
  const link = (event.target as Element).closest("a");
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  const href = link?.getAttribute("href") ?? "";
  if (!plain || !link || link.target || !(href.startsWith("?") || href === "./")) return;
  event.preventDefault();
  app.go(link.search);
});

listenToKeys(app);
printWhole(app);
// A click on a notification opens its earthquake here, where the page is open already.
navigator.serviceWorker?.addEventListener("message", ({ data }: MessageEvent<{ go: string }>) => app.go(data.go));
await app.start();
app.draw();
await showMap();

/** Where the map begins: at the earthquake that is open, else at the largest that is shown, with the whole globe in view. */
function firstSight({ clientWidth, clientHeight }: HTMLElement): Camera {
  const { selected } = app;
  const { shown } = app.listing;
  const largest = [...shown].sort((a, b) => (b.magnitude ?? -99) - (a.magnitude ?? -99))[0];
  const { latitude, longitude } = (selected ?? largest)?.location ?? { latitude: 15, longitude: 150 };
  const leaning = Math.max(-35, Math.min(35, latitude));
  if (clientWidth === 0) return { latitude: leaning, longitude, zoom: 1 }; // not shown in this view
  const zoom = globeZoom(0.86 * Math.min(clientWidth, clientHeight), clientHeight, leaning);
  return {
    latitude: selected ? latitude : leaning,
    longitude,
    zoom: selected ? Math.max(openZoom(selected.magnitude), zoom) : zoom,
  };
}

/** The operator's own map, where its server answers; else the built-in one serves. */
async function usableBasemap(): Promise<string | null> {
  const style = document.querySelector<HTMLMetaElement>('meta[name="basemap-style"]')?.content;
  if (!style) return null;
  const answers = await fetch(style, { signal: AbortSignal.timeout(5_000) }).then(
    (answer) => answer.ok,
    () => false,
  );
  return answers ? style : null;
}

async function showMap(): Promise<void> {
  const container = document.getElementById("map") as HTMLElement;
  await app.ready; // the list first: what draws the map is larger than all the rest
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, PAINTED_MS)));
  const basemap = await usableBasemap();
  const webgl = takesWebGL(graphics(), app.preferences.map, basemap !== null) ? import("./map/webgl.ts") : null;
  await Promise.race([app.whole, new Promise((resolve) => setTimeout(resolve, WHOLE_MS))]);
  const { camera } = app.state;
  const listener: MapListener = {
    picked: (id) => app.set({ id }),
    chosen: (point) => app.choose(point),
    pointed: (id, at) => app.point(id === null ? null : { id, ...at }),
    moved: (moved) => app.set({ camera: moved }, false),
  };
  const { look } = app;
  const start = camera ?? firstSight(container);
  if (webgl) {
    app.attach(await (await webgl).webglMap(container, listener, look, start, basemap));
  } else {
    const { canvasMap } = await import("./map/canvas.ts");
    app.attach(canvasMap(container, listener, look, start));
  }
  // For tests and the curious: what the map draws, asked of the map itself.
  Object.assign(window, { quakestream: { drawn: () => app.map?.drawn(), map: app.map?.kind } });
}
