// One audio element plays the whole session, its silences included, as it is rendered. Nothing here waits for a frame
// to be drawn: in a hidden tab, or under a lock screen, the element and its events go on.
import { call } from "./calls.js";

const TELL_EVERY_S = 15;
const FADE_S = 30;
// `crypto.randomUUID` is missing where a phone opens the page over plain HTTP.
const fresh = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16).padStart(8, "0")).join("");

export class Player extends EventTarget {
  constructor() {
    super();
    this.audio = new Audio();
    this.audio.preload = "auto";
    this.session = null;
    this.play_ = fresh();
    this.told = 0;
    this.volume = 0.8;
    this.timer = null;
    this.others = new BroadcastChannel("therapy-gen");
    this.others.onmessage = (event) => { if (event.data !== this.play_) this.pause(); };
    const on = (name, work) => this.audio.addEventListener(name, work);
    on("timeupdate", () => this.tick());
    // `playing` comes again after every stall of the stream: only `play` is something that the listener did.
    on("play", () => { this.others.postMessage(this.play_); this.changed(); });
    on("playing", () => { this.tell("playing"); this.changed(); });
    on("pause", () => { if (!this.audio.ended) this.tell("paused"); this.changed(); });
    on("seeked", () => { if (this.playing) this.tell("playing"); this.changed(); });
    on("ended", () => { this.tell("ended"); this.play_ = fresh(); this.timer = null; this.changed(); });
    on("error", () => { if (this.audio.src) this.fail("The sound stopped: the app has ended. Start therapy-gen open again."); });
    // A system that freezes a page stops its sound: it goes on where it stood, unless the timer is over.
    document.addEventListener("freeze", () => { this.frozen = this.playing; });
    document.addEventListener("resume", () => { if (this.frozen) { this.frozen = false; if (!this.isOver()) this.play(); } });
    addEventListener("pagehide", () => this.tell(this.playing ? "ended" : "paused", true));
    this.keys();
  }
  get playing() { return !this.audio.paused && !this.audio.ended; }
  get at() { return this.audio.currentTime; }
  get item() {
    if (!this.session) return null;
    return this.session.items.findLast((one) => one.onset <= this.at + 0.05) ?? this.session.items[0];
  }
  load(session) {
    this.session = session;
    this.play_ = fresh();
    this.audio.src = session.sound;
    this.changed();
  }
  play() {
    this.audio.volume = this.volume;
    return this.audio.play().catch((error) => {
      if (error.name !== "AbortError") this.fail(`It cannot be played here (${error.message}).`);
    });
  }
  pause() { this.audio.pause(); }
  toggle() { if (this.playing) this.pause(); else this.play(); }
  seek(seconds) { this.audio.currentTime = Math.min(Math.max(seconds, 0), this.session.duration - 0.05); }
  next() {
    const to = this.session?.items.find((one) => one.piece && one.onset > this.at + 0.1);
    if (to) this.seek(to.onset); else if (this.session) this.seek(this.session.duration);
  }
  back() {
    const music = this.session?.items.filter((one) => one.piece && one.onset < this.at - 3) ?? [];
    this.seek(music.length ? music.at(-1).onset : 0);
  }
  setVolume(value) { this.volume = value; if (!this.fading) this.audio.volume = value; }
  sleepAfter(minutes) { this.timer = minutes ? performance.now() + minutes * 60000 : null; if (!minutes) this.audio.volume = this.volume; }
  get fading() { return this.timer !== null && this.timer - performance.now() < FADE_S * 1000; }
  isOver() {
    if (this.timer === null || this.timer > performance.now()) return false;
    this.timer = null;
    this.pause();
    this.audio.volume = this.volume;
    this.dispatchEvent(new Event("slept"));
    return true;
  }
  tick() {
    if (this.playing && !this.isOver() && this.fading) this.audio.volume = this.volume * (this.timer - performance.now()) / (FADE_S * 1000);
    if (this.playing && performance.now() - this.told > TELL_EVERY_S * 1000) this.tell("playing");
    if (this.session && this.item !== this.was) { this.was = this.item; if (this.playing) this.tell("playing"); this.announce(); }
    this.changed();
  }
  changed() { this.dispatchEvent(new Event("change")); }
  fail(words) { this.dispatchEvent(new CustomEvent("problem", { detail: words })); }
  tell(state, leaving = false) {
    if (!this.session || (state !== "playing" && !this.told)) return;
    this.told = performance.now();
    const at = state === "ended" && this.audio.ended ? this.session.duration : Math.min(this.at, this.session.duration);
    call("/api/heard", { play: this.play_, session: this.session.id, state, at }, leaving ? { keepalive: true } : {})
      .catch((error) => { if (!leaving) this.fail(error.message); });
  }
  announce() {
    const media = navigator.mediaSession;
    if (!media || !this.item) return;
    media.metadata = new MediaMetadata({ title: this.item.title, artist: "therapy-gen", album: this.session.title });
    try { media.setPositionState({ duration: this.session.duration, position: Math.min(this.at, this.session.duration) }); } catch { /* older browsers */ }
  }
  keys() {
    const handle = (action, work) => { try { navigator.mediaSession?.setActionHandler(action, work); } catch { /* not known here */ } };
    handle("play", () => this.play());
    handle("pause", () => this.pause());
    handle("stop", () => this.pause());
    handle("nexttrack", () => this.next());
    handle("previoustrack", () => this.back());
    handle("seekto", (details) => this.seek(details.seekTime));
  }
}
