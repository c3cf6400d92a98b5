// Asks for the frame's content again, and says so where that fails: a number that no longer changes must not look new.

const EVERY_MS = 30_000;
const stale = document.getElementById("stale");
let since = new Date();

async function again() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-cache", signal: AbortSignal.timeout(15_000) });
    if (answer.status >= 500) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [old, fresh] = [document.querySelector("main"), page.querySelector("main")];
    if (fresh === null) throw new Error("this is no such page");
    if (old.innerHTML !== fresh.innerHTML) old.replaceWith(document.adoptNode(fresh));
    document.title = page.title;
    since = new Date();
    stale.textContent = "";
  } catch {
    stale.textContent = stale.dataset.said.replace("{time}", `${since.toISOString().slice(11, 16)} UTC`);
  }
}

setInterval(again, EVERY_MS);
document.addEventListener("visibilitychange", again);
