// The newest earthquakes, asked for every two seconds. Every text is set as text, never as markup.
const INTERVAL_MS = 2000;
const MARKS = { exercise: "EXERCISE", test: "TEST" };
const revisions = new Map();
let lastAnswer = null;

const at = (id) => document.getElementById(id);

function markOf(earthquake) {
  if (earthquake.recordedTimestamp !== undefined) return "RECORDED";
  return MARKS[earthquake.mode] ?? null;
}

function cell(row, text) {
  const td = row.insertCell();
  td.textContent = text;
  return td;
}

function rowOf(earthquake, first) {
  const row = document.createElement("tr");
  const magnitude = earthquake.magnitude === null ? "none yet" : earthquake.magnitude.toFixed(1);
  const head = cell(row, `${magnitude} ${earthquake.magnitudeType ?? ""} `);
  const mark = markOf(earthquake);
  if (mark !== null) {
    const badge = document.createElement("span");
    badge.className = "mark";
    badge.textContent = mark;
    head.append(badge);
  }
  const { latitude, longitude, depth } = earthquake.location;
  cell(row, earthquake.place ?? `${latitude.toFixed(2)}°, ${longitude.toFixed(2)}°`);
  cell(row, new Date(earthquake.timestamp).toISOString().replace("T", " ").slice(0, 19));
  cell(row, depth === null || depth === undefined ? "–" : depth.toFixed(1));
  cell(row, earthquake.agency ?? earthquake.source);
  cell(row, `${earthquake.status}${earthquake.revision > 1 ? `, revision ${earthquake.revision}` : ""}`);
  if (!first && revisions.get(earthquake.id) !== earthquake.revision) row.className = "new";
  revisions.set(earthquake.id, earthquake.revision);
  return row;
}

function showDrill(earthquakes) {
  const marks = [...new Set(earthquakes.map(markOf).filter((mark) => mark !== null))];
  const note = at("drill");
  note.hidden = marks.length === 0;
  note.textContent = marks.includes("RECORDED")
    ? "RECORDED: what is marked so is a recording of past earthquakes, played again with its times shifted. It is not happening now."
    : `${marks.join(" and ")}: what is marked so is not a real earthquake.`;
  document.title = marks.length === 0 ? "Quakestream" : `[${marks.join(", ")}] Quakestream`;
}

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function refresh() {
  const connection = at("connection");
  try {
    const [list, total] = await Promise.all([ask("api/v1/earthquakes?limit=50"), ask("api/v1/earthquakes/count")]);
    const first = lastAnswer === null;
    at("earthquakes").replaceChildren(...list.earthquakes.map((earthquake) => rowOf(earthquake, first)));
    at("count").textContent = total.count.toLocaleString("en");
    showDrill(list.earthquakes);
    lastAnswer = new Date();
    connection.textContent = "live";
    connection.className = "";
  } catch {
    connection.textContent = lastAnswer === null ? "no answer yet" : `stale since ${lastAnswer.toISOString().slice(11, 19)} UTC`;
    connection.className = "stale";
  }
  setTimeout(refresh, INTERVAL_MS);
}

refresh();
