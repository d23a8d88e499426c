// The journal of a till: sales are numbered, signed by a key that never leaves the tablet, and kept encrypted until the
// server has said what became of each. Nothing else is kept: no name, no balance, no address.
const STORE = "palier-till";
const MOST = 500;
const OLDEST_MS = 72 * 3600 * 1000;
const AT_ONCE = 50;
const TIMEOUT_MS = 8000;

const asked = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const opened = () => {
  const request = indexedDB.open(STORE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("keys");
    request.result.createObjectStore("numbers");
    request.result.createObjectStore("entries", { keyPath: ["device", "number"] });
  };
  return asked(request);
};

const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));

export const able = () => Boolean(globalThis.crypto?.subtle && globalThis.indexedDB);

// A pair of keys for a tablet that is being enrolled, kept under its own name; the public half, in base64.
export const newKeys = async () => {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  const seal = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  const spki = await crypto.subtle.exportKey("spki", pair.publicKey);
  const hash = await crypto.subtle.digest("SHA-256", spki);
  const name = [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const store = await opened();
  await asked(store.transaction("keys", "readwrite").objectStore("keys").put({ pair, seal }, `new ${name}`));
  return base64(spki);
};

export class Journal {
  constructor(store, keys, words, ahead) {
    this.store = store;
    this.keys = keys;
    this.device = words.device;
    this.program = words.program;
    this.root = words.root;
    this.ahead = ahead;
  }

  // The journal of this device; null where this browser does not hold the device's keys.
  static async of(words) {
    if (!able()) {
      return null;
    }
    const store = await opened();
    const keys = (name) => asked(store.transaction("keys").objectStore("keys").get(name));
    let device = words.device;
    if (!device) {
      device = await keys(`device ${words.program}`);
      if (!device) {
        return null;
      }
      // Without the network, the tablet's clock is off by what it was when the server was last heard.
      return new Journal(store, await keys(device), { ...words, device }, (await keys(`ahead ${device}`)) ?? 0);
    }
    const ahead = Number(words.serverMs) - Date.now();
    let found = await keys(device);
    if (!found) {
      found = await keys(`new ${words.keyHash}`);
      if (!found) {
        return null;
      }
      const writing = store.transaction("keys", "readwrite").objectStore("keys");
      await asked(writing.put(found, device));
      await asked(writing.delete(`new ${words.keyHash}`));
    }
    const writing = store.transaction("keys", "readwrite").objectStore("keys");
    await asked(writing.put(device, `device ${words.program}`));
    await asked(writing.put(ahead, `ahead ${device}`));
    return new Journal(store, found, words, ahead);
  }

  now() {
    return Date.now() + this.ahead;
  }

  async number() {
    const numbers = this.store.transaction("numbers", "readwrite").objectStore("numbers");
    const next = ((await asked(numbers.get(this.device))) ?? 0) + 1;
    await asked(numbers.put(next, this.device));
    return next;
  }

  // Whether one more may be kept while the network is away.
  async room() {
    const kept = await this.all();
    return kept.length < MOST && !kept.some((entry) => this.now() - entry.at > OLDEST_MS);
  }

  // Numbers, signs and keeps a sale before it is sent: however the answer is lost, it counts once.
  async write(sale) {
    const number = await this.number();
    const at = this.now();
    const text = JSON.stringify({
      v: 1,
      program: this.program,
      device: this.device,
      number,
      at: new Date(at).toISOString(),
      ...sale,
    });
    const bytes = new TextEncoder().encode(text);
    const signed = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, this.keys.pair.privateKey, bytes);
    const entry = { text, signature: base64(signed) };
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const sealed = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv },
      this.keys.seal,
      new TextEncoder().encode(JSON.stringify(entry)),
    );
    await this.put({ device: this.device, number, at, iv, sealed, state: "waiting", said: "" });
    return { number, ...entry };
  }

  put(row) {
    return asked(this.store.transaction("entries", "readwrite").objectStore("entries").put(row));
  }

  async all() {
    const range = IDBKeyRange.bound([this.device, 0], [this.device, Infinity]);
    return asked(this.store.transaction("entries").objectStore("entries").getAll(range));
  }

  async waiting() {
    return (await this.all()).filter((entry) => entry.state === "waiting");
  }

  async refused() {
    return (await this.all()).filter((entry) => entry.state === "refused");
  }

  forget(number) {
    return asked(
      this.store.transaction("entries", "readwrite").objectStore("entries").delete([this.device, Number(number)]),
    );
  }

  async again(number) {
    const row = (await this.all()).find((entry) => entry.number === Number(number));
    if (row) {
      await this.put({ ...row, state: "waiting", said: "" });
    }
  }

  async open(row) {
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: row.iv }, this.keys.seal, row.sealed);
    return JSON.parse(new TextDecoder().decode(plain));
  }

  // Sends what waits; how many were credited, or null while the server is not reached. A refused one stays, with why.
  async send() {
    let credited = 0;
    for (;;) {
      const rows = (await this.waiting()).slice(0, AT_ONCE);
      if (!rows.length) {
        return { credited, ended: false };
      }
      const entries = await Promise.all(rows.map((row) => this.open(row)));
      let answer;
      try {
        answer = await fetch(`${this.root}journal`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ entries }),
          redirect: "manual",
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
      } catch {
        return null;
      }
      if (answer.status === 401) {
        return { credited, ended: true };
      }
      if (!answer.ok) {
        return null;
      }
      const { results } = await answer.json();
      for (const [index, result] of results.entries()) {
        if (result.status === "refused") {
          await this.put({ ...rows[index], state: "refused", said: result.said, code: result.code });
        } else {
          await this.forget(rows[index].number);
          credited += 1;
        }
      }
    }
  }
}
