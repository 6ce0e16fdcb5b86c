// The page with Play on it.
import { call, clock } from "./calls.js";
import { Player } from "./player.js";

const $ = (id) => document.getElementById(id);
const PLAY = "M8 5.5v13l11-6.5z", PAUSE = "M7 5h4v14H7zM13 5h4v14h-4z";
const player = new Player();
// For those who look from outside: tests, and a browser's console.
window.player = player;
let wanted = false, roll = null, loading = 0, notice = "";

function problem(words) {
  $("problem").textContent = words;
  $("problem").hidden = !words;
}

async function load(session = "") {
  const mine = ++loading;
  $("about").textContent = "Your next session is being made…";
  try {
    const made = await call(`/api/next${session ? `?session=${session}` : ""}`);
    if (mine !== loading) return;
    problem("");
    player.load(made);
    $("arc").innerHTML = made.arc ? `<h2>Arc</h2>${made.arc}` : "";
    $("seek").max = made.duration;
    $("length").textContent = clock(made.duration);
    $("what").textContent = made.title;
    $("about").textContent = "";
    for (const id of ["seek", "back", "next"]) $(id).disabled = false;
    if (wanted) { wanted = false; player.play(); }
  } catch (error) {
    if (mine !== loading) return;
    $("about").textContent = "";
    problem(error.message);
    $("play").setAttribute("aria-busy", "false");
  }
}

async function showRoll(piece) {
  roll = piece;
  if (!piece) return;
  try {
    const made = await call(`/api/roll/${piece}`);
    if (roll === piece) $("roll").innerHTML = made.svg;
  } catch { /* the picture may be missing; the sound is not */ }
}

function draw() {
  const item = player.item, on = player.playing;
  $("shape").setAttribute("d", on ? PAUSE : PLAY);
  $("play").setAttribute("aria-label", on ? "Pause" : "Play");
  const waiting = wanted || (!player.audio.paused && player.audio.readyState < 3);
  $("play").setAttribute("aria-busy", String(waiting));
  if (!player.session || !item) return;
  $("seek").value = player.at;
  $("seek").setAttribute("aria-valuetext", `${clock(player.at)} of ${clock(player.session.duration)}`);
  $("time").textContent = clock(player.at);
  const begun = on || player.at > 0;
  if (begun) {
    if ($("what").textContent !== item.title) { $("what").textContent = item.title; document.title = item.title; }
    const said = on ? item.about : notice || item.about;
    if ($("about").textContent !== said) $("about").textContent = said;
  }
  const shown = item.piece ?? player.session.items.find((one) => one.piece && one.onset > player.at)?.piece ?? null;
  if (shown !== roll) showRoll(shown);
  const line = $("cursor-now");
  if (line) { const x = item.piece ? player.at - item.onset : 0; line.setAttribute("x1", x); line.setAttribute("x2", x); }
  for (const star of $("stars").children) {
    star.disabled = !item.piece;
    star.setAttribute("aria-pressed", String(Number(star.dataset.value) <= (item.rating ?? 0)));
  }
  for (const mark of ["favourite", "never"]) {
    $(mark).disabled = !item.piece;
    $(mark).setAttribute("aria-pressed", String(item.mark === mark));
  }
  const cursor = document.getElementById("arc-cursor");
  if (cursor) { const x = 48 + player.at / player.session.duration * 580; cursor.setAttribute("x1", x); cursor.setAttribute("x2", x); }
}

player.addEventListener("change", draw);
player.addEventListener("problem", (event) => problem(event.detail));
player.addEventListener("slept", () => { $("timer").value = "0"; notice = "Asleep: the timer ended it."; draw(); });
player.audio.addEventListener("ended", () => load());

$("play").addEventListener("click", () => {
  problem("");
  notice = "";
  if (!player.session) { wanted = true; draw(); if (!$("about").textContent) load($("player").dataset.session); return; }
  player.toggle();
});
$("next").addEventListener("click", () => player.next());
$("back").addEventListener("click", () => player.back());
$("seek").addEventListener("input", (event) => player.seek(Number(event.target.value)));
document.addEventListener("keydown", (event) => {
  if (event.key === " " && !event.target.closest("button,input,select,textarea,a,summary")) { event.preventDefault(); $("play").click(); }
});

$("stars").addEventListener("click", async (event) => {
  const star = event.target.closest("button"), item = player.item;
  if (!star || !item?.piece) return;
  try {
    const value = Number(star.dataset.value);
    await call("/api/rate", { session: player.session.id, piece: item.piece, value });
    for (const one of player.session.items) if (one.piece === item.piece) one.rating = value;
    draw();
  } catch (error) { problem(error.message); }
});
for (const mark of ["favourite", "never"]) {
  $(mark).addEventListener("click", async () => {
    const item = player.item;
    if (!item?.piece) return;
    const on = item.mark !== mark;
    try {
      await call("/api/mark", { session: player.session.id, piece: item.piece, mark, on });
      for (const one of player.session.items) if (one.piece === item.piece) one.mark = on ? mark : null;
      if (on && mark === "never" && player.playing) player.next();
      draw();
    } catch (error) { problem(error.message); }
  });
}

let saving = 0;
function remember(values) {
  clearTimeout(saving);
  saving = setTimeout(() => call("/api/settings", values).catch((error) => problem(error.message)), 400);
}
function settings() {
  return {
    volume: Number($("volume").value), timer: Number($("timer").value), pacer: $("pace").checked,
    breaths: Number($("breaths").value) || 6,
  };
}
$("volume").addEventListener("input", () => { player.setVolume(Number($("volume").value)); remember(settings()); });
$("timer").addEventListener("change", () => { player.sleepAfter(Number($("timer").value)); remember(settings()); });
$("wishes").addEventListener("change", async () => {
  const form = new FormData($("wishes"));
  const values = { minutes: Number(form.get("minutes")), arc: form.get("arc"), palette: form.get("palette"), explore: Number(form.get("explore")),
    transition: form.get("transition"), layers: form.getAll("layer").map((name) => `${name}:${$(`level-${name}`).value}dB`) };
  try {
    await call("/api/settings", values);
    if (!player.playing) { player.session = null; roll = null; load(); }
  } catch (error) { problem(error.message); }
});

// The pacer: a ring that grows and shrinks, or words alone where motion is not wanted.
let words = 0;
function pace() {
  const on = $("pace").checked, seconds = 60 / Math.min(Math.max(Number($("breaths").value) || 6, 3), 12);
  $("pacer").hidden = !on;
  $("pacer").style.setProperty("--breath", `${seconds}s`);
  clearInterval(words);
  if (!on) return;
  const begun = performance.now();
  const say = () => {
    const share = ((performance.now() - begun) / 1000 % seconds) / seconds;
    $("breath").textContent = share < 0.4 ? "breathe in" : share < 0.5 ? "hold" : "breathe out";
  };
  say();
  words = setInterval(say, 200);
}
for (const id of ["pace", "breaths"]) $(id).addEventListener("change", () => { pace(); remember(settings()); });

player.setVolume(Number($("volume").value));
player.sleepAfter(Number($("timer").value));
pace();
load($("player").dataset.session);
document.documentElement.dataset.ready = "yes";
