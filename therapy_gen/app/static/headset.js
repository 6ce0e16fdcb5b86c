// The headset page: sources, a live table of contact, a recorded session.
import { call, clock } from "./calls.js";

const $ = (id) => document.getElementById(id);
const WORDS = { good: "good", flat: "dead: flat", railed: "dead: off the scale", loose: "loose", line: "mains", muscle: "muscle" };
const BUSY = ["checking", "playing", "scoring"];
let asking = 0;

function problem(text) {
  $("problem").hidden = !text;
  $("problem").textContent = text ?? "";
}

function cell(row, text, kind) {
  const made = row.insertCell();
  made.textContent = text;
  if (kind) made.className = kind;
}

function drawContacts(contacts) {
  const body = $("contacts");
  body.replaceChildren();
  for (const one of contacts) {
    const row = body.insertRow();
    cell(row, one.channel);
    cell(row, WORDS[one.state], one.dead ? "bad" : one.state === "good" ? "" : "warn");
    cell(row, one.to_do);
    for (const value of [one.spread, one.line, one.fast]) cell(row, String(value), "n");
  }
  $("box").hidden = false;
  const good = contacts.filter((one) => one.state === "good").length, dead = contacts.filter((one) => one.dead).length;
  const text = `${good} of ${contacts.length} good` + (dead ? `, ${dead} dead` : "");
  if ($("said").textContent !== text) $("said").textContent = text;
}

function drawRun(made) {
  $("run").hidden = made.state !== "playing" && made.state !== "scoring";
  if ($("run").hidden) return;
  const text = made.state === "scoring" ? "Scoring…" : made.away ? `${made.what}: ${made.away}` : made.what ?? "Looking at the contact…";
  if ($("what").textContent !== text) $("what").textContent = text;
  $("place").value = made.state === "scoring" ? 1 : made.duration ? (made.at ?? 0) / made.duration : 0;
  $("time").textContent = made.duration ? `${clock(made.at ?? 0)} of ${clock(made.duration)}` : "";
}

function drawResult(made) {
  $("result").hidden = !made.recorded;
  if (!made.recorded) return;
  const { recorded } = made;
  const lost = recorded.lost ? `, ${recorded.lost} s of it lost and marked bad` : "";
  $("recorded").textContent = `Recorded ${clock(recorded.duration)} into ${recorded.file}${lost}; labels are within some `
    + `${recorded.jitter_ms} ms.` + (recorded.problem ? ` ${recorded.problem}` : "");
  $("plays").hidden = !made.plays;
  const body = $("plays").tBodies[0];
  body.replaceChildren();
  for (const play of made.plays ?? []) {
    const row = body.insertRow();
    cell(row, play.title);
    cell(row, clock(play.clean), "n");
    cell(row, play.beta === null ? "" : play.beta.toFixed(2), "n");
  }
  $("order").textContent = made.score_problem ?? (made.order ? `${made.order[0].toUpperCase()}${made.order.slice(1)}.` : "");
}

function draw(made) {
  const busy = BUSY.includes(made.state);
  document.documentElement.dataset.headset = made.state;
  $("stop").hidden = !busy || made.state === "scoring";
  // It stands beside what it ends.
  if (made.state === "playing") $("run").append($("stop"));
  else if (made.state === "checking") $("box").after($("stop"));
  $("stop").textContent = made.state === "playing" ? "End the recording" : "End";
  problem(made.state === "failed" ? made.problem : "");
  if (made.contacts) drawContacts(made.contacts);
  else if (made.state === "checking") $("said").textContent = `Connecting to ${made.source}…`;
  drawRun(made);
  drawResult(made);
  return busy;
}

async function follow() {
  const mine = ++asking;
  try {
    while (mine === asking && draw(await call("/api/headset"))) await new Promise((go) => setTimeout(go, 500));
  } catch (error) {
    problem(error.message);
  }
}

async function begin(address, body) {
  problem("");
  try {
    draw(await call(address, body));
    follow();
  } catch (error) {
    problem(error.message);
  }
}

function listed(source, about) {
  const row = document.createElement("li"), words = document.createElement("div"), take = document.createElement("button");
  const name = document.createElement("code"), said = document.createElement("span");
  name.textContent = source;
  said.className = "soft small";
  said.textContent = about;
  words.className = "grow";
  words.append(name, " ", said);
  take.type = "button";
  take.className = "quiet";
  take.dataset.source = source;
  take.setAttribute("aria-label", `Take ${source}`);
  take.textContent = "Take";
  row.append(words, take);
  return row;
}

$("choose").addEventListener("submit", (event) => {
  event.preventDefault();
  begin("/api/headset/check", { source: $("source").value });
});
$("look").addEventListener("click", async () => {
  $("seen").textContent = "Looking…";
  try {
    const { sources } = await call("/api/headset/sources");
    for (const one of sources) if (!document.querySelector(`[data-source="${CSS.escape(one.source)}"]`)) $("found").prepend(listed(one.source, one.about));
    $("seen").textContent = sources.length ? "" : "No EEG stream of LSL can be seen: start the amplifier's program.";
  } catch (error) {
    $("seen").textContent = error.message;
  }
});
$("found").addEventListener("click", (event) => {
  const { source } = event.target.dataset;
  if (source) { $("source").value = source; $("source").focus(); }
});
$("stop").addEventListener("click", () => { asking += 1; begin("/api/headset/stop", {}); });
$("record")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  begin("/api/headset/record", {
    source: $("source").value, session: Number(form.session.value), sound: form.sound.value,
    score: form.score.checked, any_contact: form.any_contact.checked,
  });
});
document.documentElement.dataset.ready = "yes";
follow();
