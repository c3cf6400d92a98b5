// What this page takes of MapLibre, from its sources: see vite.config.ts. Its types are the published ones.
import { config } from "../node_modules/maplibre-gl/src/util/config.ts";

export { addProtocol } from "../node_modules/maplibre-gl/src/source/protocol_crud.ts";
export { Map } from "../node_modules/maplibre-gl/src/ui/map.ts";

export function setWorkerUrl(url) {
  config.WORKER_URL = url;
}
