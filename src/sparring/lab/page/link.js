// What the page asks of the lab's server: JSON, a stream of events that loses nothing, and frames of the game.

const KEY = "sparring-lab-token";

/** The token that stands in the address, kept for this tab; the address bar is left without it. */
export function takeToken() {
  const found = /^#token=([\w-]+)/.exec(location.hash);
  if (found) {
    sessionStorage.setItem(KEY, found[1]);
    history.replaceState(null, "", location.pathname + "#/learn");
  }
}

export const mayChange = () => Boolean(sessionStorage.getItem(KEY));

/**
 * @param {string} path
 * @param {object} [body] sent by POST, with the token
 * @returns {Promise<any>} Error with the server's sentence when it refuses
 */
export async function ask(path, body) {
  const answer = await fetch(path, body === undefined ? {} : {
    method: "POST", body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-Sparring-Token": sessionStorage.getItem(KEY) || "" },
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error || `the lab answered ${answer.status}`);
  return said;
}

/**
 * Follow a game's events. The browser connects again by itself and says which event came last.
 * @param {string} name of the game
 * @param {(kind: string, message: any) => void} tell
 * @param {(there: boolean) => void} connected
 * @returns {() => void} to stop
 */
export function follow(name, tell, connected) {
  const source = new EventSource(`/api/games/${name}/events`);
  for (const kind of ["all", "opened", "state", "rows", "say", "health", "rewound", "ended"]) {
    source.addEventListener(kind, (event) => tell(kind, JSON.parse(event.data)));
  }
  source.onopen = () => connected(true);
  source.onerror = () => connected(false);
  return () => source.close();
}

/**
 * A frame as frames.py packs it.
 * @param {ArrayBuffer} data
 * @returns {{facts: any, arrays: Record<string, {values: Float32Array|Uint8Array, shape: number[]}>}}
 */
export function unpack(data) {
  const length = new DataView(data).getUint32(0, true);
  const facts = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  const arrays = {};
  let offset = 4 + length;
  for (const [name, kind, shape] of facts.arrays) {
    const count = shape.reduce((a, b) => a * b, 1);
    arrays[name] = { shape, values: kind === "f4" ? new Float32Array(data, offset, count) : new Uint8Array(data, offset, count) };
    const size = count * (kind === "f4" ? 4 : 1);
    offset += size + ((4 - (size % 4)) % 4);
  }
  return { facts, arrays };
}

/**
 * Ask for frame after frame, each when the one before is on the screen, so that no more are made than can be shown.
 * @param {string} name of the game
 * @param {() => string[]} wish what to see
 * @param {(frame: any) => void} show
 */
export function watch(name, wish, show) {
  let alive = true, version = -1, forced = false, stop = new AbortController();
  let shown = Promise.resolve();                               // the frame before is on the screen, and one more may be under way
  (async () => {
    while (alive) {
      if (document.hidden) {
        await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
        continue;
      }
      try {
        const answer = await fetch(`/api/games/${name}/frame?wish=${wish().join(",")}&after=${forced ? -1 : version}`, { signal: stop.signal });
        forced = false;
        if (answer.status === 200) {
          const frame = unpack(await answer.arrayBuffer());
          version = frame.facts.version;
          await shown;
          shown = new Promise((done) => requestAnimationFrame(() => { if (alive) show(frame); done(); }));
        } else if (answer.status !== 204) {
          await new Promise((done) => setTimeout(done, 1000));
        }
      } catch (error) {
        if (alive && error.name !== "AbortError") await new Promise((done) => setTimeout(done, 1000));
      }
    }
  })();
  return {
    again() { forced = true; stop.abort(); stop = new AbortController(); },
    end() { alive = false; stop.abort(); },
  };
}
