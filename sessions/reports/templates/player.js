"use strict";
// Plays the session, or one of its pieces, from the sound that this page carries or has beside it. Silences are sound,
// too: a page in the background gets no animation frames and few timers, but what it plays goes on.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const clock = (s) => `${Math.floor(Math.max(0, s) / 60)}:${String(Math.floor(Math.max(0, s) % 60)).padStart(2, "0")}`;
  const audio = new Audio();
  audio.preload = "auto";
  const urls = new Map();
  // What plays: the index of an item, seconds into it, whether to stop at its end, and the item that is loaded.
  let index = 0, at = 0, alone = false, playing = false, loaded = -1;

  const item = () => data.items[index];
  function silence(seconds) {
    const rate = 8000, frames = Math.max(1, Math.round(seconds * rate));
    const bytes = new Uint8Array(44 + frames).fill(128), view = new DataView(bytes.buffer);
    const write = (place, text) => [...text].forEach((c, n) => { bytes[place + n] = c.charCodeAt(0); });
    write(0, "RIFF"); view.setUint32(4, 36 + frames, true); write(8, "WAVEfmt "); view.setUint32(16, 16, true);
    view.setUint16(20, 1, true); view.setUint16(22, 1, true); view.setUint32(24, rate, true);
    view.setUint32(28, rate, true); view.setUint16(32, 1, true); view.setUint16(34, 8, true);
    write(36, "data"); view.setUint32(40, frames, true);
    return URL.createObjectURL(new Blob([bytes], { type: "audio/wav" }));
  }
  function urlOf(one) {
    const key = one.piece === null ? `silence ${one.duration}` : one.piece;
    if (!urls.has(key)) {
      let url;
      if (one.piece === null) url = silence(one.duration);
      else if (data.sounds) url = data.sounds[one.piece];
      else {
        const bytes = Uint8Array.from(atob($(`sound-${one.piece}`).textContent.trim()), (c) => c.charCodeAt(0));
        url = URL.createObjectURL(new Blob([bytes], { type: "audio/ogg; codecs=opus" }));
      }
      urls.set(key, url);
    }
    return urls.get(key);
  }
  const moment = () => Math.min(playing && loaded === index ? audio.currentTime : at, item().duration);
  function halt() {
    at = moment();
    playing = false;
    audio.pause();
  }
  function start() {
    if (loaded !== index) { audio.src = urlOf(item()); loaded = index; }
    audio.currentTime = at;
    playing = true;
    audio.play().catch((error) => { if (error.name !== "AbortError") { playing = false; draw(); } });
    tell();
    draw();
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
  function back() { alone = false; go(moment() > 3 || index === 0 ? index : index - 1, 0, playing); }
  function seekSession(seconds) {
    let found = data.items.findIndex((one) => seconds < one.onset + one.duration);
    if (found < 0) found = data.items.length - 1;
    alone = false;
    go(found, seconds - data.items[found].onset, playing);
  }
  audio.addEventListener("ended", () => { if (playing) next(true); });
  audio.addEventListener("timeupdate", () => {
    if (!playing) return;
    if (loaded === index && audio.currentTime >= item().duration) next(true); else draw();
  });
  // Headphones pulled out, another player: the system pauses.
  audio.addEventListener("pause", () => { if (playing && !audio.ended && audio.readyState > 2) { halt(); draw(); } });

  const nameOf = (one) => one.piece === null ? "Silence" : data.titles[one.piece];
  function tell() {
    const session = navigator.mediaSession;
    if (!session) return;
    session.metadata = new MediaMetadata({ title: nameOf(item()), artist: "therapy-gen", album: document.title });
  }
  function handle(action, what) {
    try { navigator.mediaSession?.setActionHandler(action, what); } catch { /* not known to this browser */ }
  }
  handle("play", () => { if (!playing) start(); });
  handle("pause", () => { halt(); draw(); });
  handle("nexttrack", () => next(false));
  handle("previoustrack", back);

  let said = "";
  function draw() {
    const here = moment(), one = item(), total = one.onset + here;
    for (const id of ["toggle", "play"]) $(id).textContent = playing ? "Pause" : "Play session";
    $("seek").value = total;
    $("seek").setAttribute("aria-valuetext", `${clock(total)} of ${clock(data.duration)}`);
    $("time").textContent = `${clock(total)} / ${clock(data.duration)}`;
    if (said !== nameOf(one)) { said = nameOf(one); $("what").textContent = said; }
    if (navigator.mediaSession) navigator.mediaSession.playbackState = playing ? "playing" : "paused";
    data.titles.forEach((title, piece) => {
      const mine = one.piece === piece, seconds = mine ? here : 0;
      const line = $(`cursor-${piece}`), range = $(`seek-${piece}`);
      if (line) { line.setAttribute("x1", seconds); line.setAttribute("x2", seconds); }
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
  $("play").addEventListener("click", toggle);
  $("before").addEventListener("click", back);
  $("after").addEventListener("click", () => next(false));
  $("seek").addEventListener("input", (event) => seekSession(Number(event.target.value)));
  data.titles.forEach((title, piece) => {
    $(`toggle-${piece}`).addEventListener("click", () => {
      if (playing && item().piece === piece) { halt(); draw(); return; }
      const to = firstOf(piece), from = item().piece === piece ? at : 0;
      alone = true;
      go(to, from, true);
    });
    const seek = (seconds) => { alone = true; go(firstOf(piece), seconds, playing); };
    $(`seek-${piece}`).addEventListener("input", (event) => seek(Number(event.target.value)));
    // A recorded piece has none.
    $(`roll-${piece}`)?.addEventListener("click", (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      seek((event.clientX - box.left) / box.width * Number($(`seek-${piece}`).max));
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
