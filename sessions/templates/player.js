"use strict";
// Plays the session, or one of its pieces, from the sound that this file carries; nothing is fetched.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const sounds = new Map();
  const clock = (s) => `${Math.floor(Math.max(0, s) / 60)}:${String(Math.floor(Math.max(0, s) % 60)).padStart(2, "0")}`;
  // What plays: the index of an item, seconds into it, and whether to stop at its end.
  let index = 0, at = 0, alone = false, playing = false, since = 0, sound = null;

  function soundOf(piece) {
    if (!sounds.has(piece)) {
      const bytes = Uint8Array.from(atob($(`sound-${piece}`).textContent.trim()), (c) => c.charCodeAt(0));
      const audio = new Audio(URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" })));
      audio.preload = "auto";
      audio.addEventListener("ended", () => { if (audio === sound && playing) next(true); });
      sounds.set(piece, audio);
    }
    return sounds.get(piece);
  }
  const item = () => data.items[index];
  function moment() {
    if (playing && sound) return Math.min(sound.currentTime, item().duration);
    if (playing) return Math.min(at + (performance.now() - since) / 1000, item().duration);
    return at;
  }
  function halt() {
    at = moment();
    playing = false;
    if (sound) sound.pause();
  }
  function start() {
    playing = true;
    since = performance.now();
    sound = item().piece === null ? null : soundOf(item().piece);
    if (sound) {
      sound.currentTime = at;
      sound.play().catch((error) => { if (error.name !== "AbortError") { playing = false; draw(); } });
    }
    draw();
    requestAnimationFrame(tick);
  }
  function go(to, seconds, run) {
    halt();
    index = to;
    at = Math.min(Math.max(seconds, 0), item().duration);
    if (run) start(); else draw();
  }
  function next(ended) {
    if ((alone && ended) || index + 1 >= data.items.length) { halt(); at = 0; if (!alone) index = 0; draw(); return; }
    alone = false;
    go(index + 1, 0, playing);
  }
  function seekSession(seconds) {
    let found = data.items.findIndex((one) => seconds < one.onset + one.duration);
    if (found < 0) found = data.items.length - 1;
    alone = false;
    go(found, seconds - data.items[found].onset, playing);
  }
  function tick() {
    if (!playing) return;
    if (!sound && moment() >= item().duration) { next(true); }
    draw();
    if (playing) requestAnimationFrame(tick);
  }
  let said = "";
  function draw() {
    const here = moment(), one = item(), total = one.onset + here;
    $("toggle").textContent = playing ? "Pause" : "Play session";
    $("seek").value = total;
    $("seek").setAttribute("aria-valuetext", `${clock(total)} of ${clock(data.duration)}`);
    $("time").textContent = `${clock(total)} / ${clock(data.duration)}`;
    const name = one.piece === null ? "Silence" : data.titles[one.piece];
    if (said !== name) { said = name; $("what").textContent = name; }
    data.titles.forEach((title, piece) => {
      const mine = one.piece === piece, seconds = mine ? here : 0;
      const line = $(`cursor-${piece}`), range = $(`seek-${piece}`);
      line.setAttribute("x1", seconds); line.setAttribute("x2", seconds);
      range.value = seconds;
      range.setAttribute("aria-valuetext", `${clock(seconds)} of ${clock(Number(range.max))}`);
      $(`toggle-${piece}`).textContent = mine && playing ? "Pause" : "Play";
      $(`time-${piece}`).textContent = clock(seconds);
    });
    const arc = $("arc-cursor");
    if (arc) {
      const x = data.arc[0] + (total / data.duration) * data.arc[1];
      arc.setAttribute("x1", x); arc.setAttribute("x2", x);
    }
    document.querySelectorAll("tr[data-item]").forEach((row) => {
      row.classList.toggle("now", playing && Number(row.dataset.item) === index);
    });
  }
  const firstOf = (piece) => item().piece === piece ? index : data.items.findIndex((one) => one.piece === piece);
  function toggle() { if (playing) { halt(); draw(); } else { alone = false; start(); } }
  $("toggle").addEventListener("click", toggle);
  $("before").addEventListener("click", () => { alone = false; go(moment() > 3 || index === 0 ? index : index - 1, 0, playing); });
  $("after").addEventListener("click", () => next(false));
  $("seek").addEventListener("input", (event) => seekSession(Number(event.target.value)));
  data.titles.forEach((title, piece) => {
    $(`toggle-${piece}`).addEventListener("click", () => {
      if (playing && item().piece === piece) { halt(); draw(); return; }
      const to = firstOf(piece), from = item().piece === piece ? at : 0;
      alone = true;
      go(to, from, true);
    });
    $(`seek-${piece}`).addEventListener("input", (event) => { alone = true; go(firstOf(piece), Number(event.target.value), playing); });
    $(`roll-${piece}`).addEventListener("click", (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      alone = true;
      go(firstOf(piece), (event.clientX - box.left) / box.width * Number($(`seek-${piece}`).max), playing);
    });
  });
  document.querySelectorAll("button[data-from]").forEach((button) => {
    button.addEventListener("click", () => { alone = false; go(Number(button.dataset.from), 0, true); });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === " " && !event.target.closest("button,input,a,summary")) { event.preventDefault(); toggle(); }
  });
  document.documentElement.dataset.ready = "yes";
  draw();
})();
