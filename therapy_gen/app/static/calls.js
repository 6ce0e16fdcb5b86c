// Calls of the app: JSON out and in; what goes wrong is an error with words for the listener.
const token = document.querySelector("meta[name=csrf]").content;
const GONE = "The app does not answer: it has ended, or this machine slept. Start therapy-gen open again.";

export async function call(address, body, options = {}) {
  let answer;
  try {
    answer = await fetch(address, body === undefined ? {} : {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF": token },
      body: JSON.stringify(body),
      ...options,
    });
  } catch {
    throw new Error(GONE);
  }
  let said;
  try { said = await answer.json(); } catch { throw new Error(GONE); }
  if (!answer.ok) throw new Error(said.error ?? GONE);
  return said;
}

export const clock = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};
