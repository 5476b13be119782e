// Keeps a page that shows open questions true: what is new appears, what is over can't be pressed,
// and nothing can be allowed on a page that may be old. Decides nothing: the server checks again.
"use strict";

const LOST_MS = 35000; // the stream says something every 15 s
const POLL_MS = 5000;
// What moved under somebody's pointer must not be pressed by accident.
const SETTLE_MS = 700;
// A flood of questions must not make a flood of looks, least of all from tabs that nobody sees.
const PAUSE_MS = 300;
const HIDDEN_PAUSE_MS = 5000;

const page = document.querySelector("[data-now]");
const list = document.getElementById("pending");
const said = document.getElementById("said");
const banner = document.getElementById("banner");
const skew = Number(page.dataset.now) * 1000 - Date.now();
const channel = "BroadcastChannel" in window ? new BroadcastChannel("netproxy-inbox") : null;
let live = true;
let heard = Date.now();
let refreshing = null;
let again = false;

// One row: over, or what its buttons wait for.
function end(row, text) {
  row.dataset.over = "yes";
  const over = row.querySelector(".over");
  over.textContent = `No longer open: ${text}`;
  over.hidden = false;
  arm();
}

function arm() {
  for (const button of document.querySelectorAll("button[name=answer]")) {
    const row = button.closest("[data-row]");
    const block = button.closest("[data-block]");
    const over = row
      ? row.dataset.over
      : block.querySelector("[data-row]:not([data-over])") === null;
    const settling = block !== null && "settling" in block.dataset;
    button.disabled = Boolean(over) || settling || (button.classList.contains("allow") && !live);
  }
}

function settle(block) {
  block.dataset.settling = "yes";
  setTimeout(() => { delete block.dataset.settling; arm(); }, SETTLE_MS);
}

function setLive(value, why) {
  live = value;
  banner.hidden = value;
  if (!value) document.getElementById("banner-text").textContent = why;
  arm();
}

function rowsOf(root) {
  return new Map([...root.querySelectorAll("[data-row]")].map((row) => [row.dataset.row, row]));
}

// The same question, a little later: only what changes is touched, and the focus stays.
function update(row, fresh) {
  const parts = new Map([...fresh.querySelectorAll("[data-part]")].map((e) => [e.dataset.part, e]));
  for (const part of row.querySelectorAll("[data-part]")) {
    const now = parts.get(part.dataset.part);
    if (now === undefined) continue;
    if (part.tagName === "INPUT") part.value = now.value;
    else part.replaceChildren(...now.childNodes);
  }
}

function merge(fresh) {
  const ended = new Map([...fresh.querySelectorAll("[data-ended]")].map(
    (line) => [line.dataset.ended, line.textContent]));
  const blocks = new Map([...list.querySelectorAll("[data-block]")].map((b) => [b.dataset.block, b]));
  const standing = rowsOf(fresh);
  for (const [id, row] of rowsOf(list)) {
    if (!standing.has(id) && !row.dataset.over) {
      const text = ended.get(id) ?? "it was settled";
      end(row, text);
      said.textContent = `${row.querySelector(".host").textContent}: ${text}`;
    }
  }
  for (const block of fresh.querySelectorAll("[data-block]")) {
    const old = blocks.get(block.dataset.block);
    const news = [...rowsOf(block)].filter(([id]) => !rowsOf(list).has(id));
    for (const [, row] of news) {
      said.textContent = `New question: ${row.querySelector(".host").textContent}`;
    }
    if (old === undefined) {
      if (block.dataset.block !== "none") document.getElementById("more").before(block);
      settle(block);
    } else if (news.length > 0) {
      const over = [...old.querySelectorAll("[data-row][data-over]")];
      const focused = old.contains(document.activeElement) ? document.activeElement : null;
      const of = focused?.closest("[data-row]")?.dataset.row;
      for (const [id, row] of rowsOf(block)) {
        const details = row.querySelector("details");
        if (details !== null) details.open = rowsOf(old).get(id)?.querySelector("details")?.open ?? false;
      }
      old.replaceWith(block);
      block.append(...over);
      settle(block);
      const home = of === undefined ? block : rowsOf(block).get(of);
      if (focused !== null) home?.querySelector("a")?.focus();
    } else {
      for (const [id, row] of rowsOf(block)) update(rowsOf(old).get(id), row);
      const together = old.querySelector(".together");
      const now = block.querySelector(".together");
      if (together !== null && now !== null) update(together, now);
      else if (together !== null) together.hidden = true;
    }
  }
  if (standing.size > 0) list.querySelector("[data-block=none]")?.remove();
  document.getElementById("more").replaceWith(fresh.getElementById("more"));
  // All that wait, also those that are not drawn yet.
  const count = Number(fresh.getElementById("pending").dataset.count);
  document.title = `${count ? `(${count}) ` : ""}Inbox · netproxy`;
}

async function look() {
  const answer = await fetch("/pending", { headers: { Accept: "text/html" }, cache: "no-store" });
  if (answer.status === 401) return setLive(false, "You are signed out.");
  if (!answer.ok) throw new Error(String(answer.status));
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (list !== null) merge(fresh);
  else mergeOne(fresh);
  localise(document);
  setLive(true, "");
  return undefined;
}

// The page of one question.
function mergeOne(fresh) {
  for (const [id, row] of rowsOf(page)) {
    const now = rowsOf(fresh).get(id);
    if (row.dataset.over) continue;
    if (now !== undefined) {
      update(page, now);
    } else {
      const line = [...fresh.querySelectorAll("[data-ended]")].find((l) => l.dataset.ended === id);
      end(row, line?.textContent ?? "it was settled");
      said.textContent = `No longer open: ${line?.textContent ?? "it was settled"}`;
    }
  }
}

function refresh() {
  again = true;
  refreshing ??= (async () => {
    while (again) {
      again = false;
      try { await look(); } catch { setLive(false, "Not live: the gateway doesn't answer."); }
      await new Promise((done) => { setTimeout(done, document.hidden ? HIDDEN_PAUSE_MS : PAUSE_MS); });
    }
    refreshing = null;
  })();
}

function hear(message) {
  heard = Date.now();
  if (message === "lost") setLive(false, "Not live: the connection was lost. Nothing can be allowed.");
  else refresh();
}

// One tab holds the stream for all: a browser gives one host six connections (RFC 9112 leaves the
// number to clients), and the seventh tab would load nothing.
function stream(free) {
  const source = new EventSource("/events");
  const tell = (message) => { hear(message); channel?.postMessage(message); };
  source.addEventListener("open", () => tell("change"));
  source.addEventListener("change", () => tell("change"));
  source.addEventListener("beat", () => tell("beat"));
  source.addEventListener("signed-out", () => { source.close(); tell("change"); });
  source.addEventListener("error", () => {
    tell("lost");
    if (source.readyState === EventSource.CLOSED) setTimeout(free, POLL_MS);
  });
  window.addEventListener("pagehide", () => { source.close(); free(); }, { once: true });
}

function follow() {
  if (channel === null || !("locks" in navigator)) return;
  channel.addEventListener("message", (event) => hear(event.data));
  const hold = () => navigator.locks.request("netproxy-stream", () => new Promise(stream)).then(hold);
  hold();
}

function tick() {
  for (const left of document.querySelectorAll("[data-ends]")) {
    const row = left.closest("[data-row]") ?? page;
    const seconds = Math.round(Number(left.dataset.ends) - (Date.now() + skew) / 1000);
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    left.textContent = seconds > 0 ? `${clock} left to answer` : "its time is over";
    if (seconds <= 0 && row.dataset.row && !row.dataset.over) end(row, "nobody answered in time");
  }
  const silent = Date.now() - heard > LOST_MS;
  if (silent && live && channel !== null) setLive(false, "Not live: the gateway is silent.");
}

// Beside the stream, for browsers without these, and to come back from a loss.
function poll() {
  if (!live || channel === null || !("locks" in navigator)) refresh();
}

// A page out of the browser's memory shows what was.
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
tick();
follow();
setInterval(tick, 1000);
setInterval(poll, POLL_MS);
