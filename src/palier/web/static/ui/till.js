// The till in a browser: forms answer in place, scans and keys are caught, sales outlive the network.
import { Journal, able, newKeys } from "./till-journal.js";
import { cameraReads, listen, readByCamera } from "./till-scan.js";

const TIMEOUT_MS = 6000;
const SAY_AFTER_MS = 100;
const LIVE_MS = 250;
const SEND_EVERY_MS = 5000;
const KEY_MS = 60;

const words = document.getElementById("till-words").dataset;
const frame = document.querySelector(".till");
const page = () => document.getElementById("till");
const plural = new Intl.PluralRules(document.documentElement.lang || "en");
const said = (name, count) =>
  words[`${name}${plural.select(count) === "one" ? "One" : "Other"}`].replace("{n}", String(count));

const kept = {
  get: (name, otherwise) => {
    try {
      return localStorage.getItem(`palier-till ${name}`) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  set: (name, value) => {
    try {
      localStorage.setItem(`palier-till ${name}`, value);
    } catch {
      // A browser that keeps nothing asks again the next time.
    }
  },
};

let journal = null;
let away = false;

// --- sound and keys --------------------------------------------------------------------------------------

const switched = (id) => {
  const button = document.getElementById(id);
  const show = () => {
    const on = kept.get(id, "on") === "on";
    button.setAttribute("aria-pressed", String(on));
    if (id === "shortcuts") {
      frame.classList.toggle("no-keys", !on);
    }
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    kept.set(id, kept.get(id, "on") === "on" ? "off" : "on");
    show();
  });
  show();
};

let sounding = null;
const chime = () => {
  if (kept.get("sound", "on") !== "on" || !globalThis.AudioContext) {
    return;
  }
  sounding ??= new AudioContext();
  [[660, 0], [880, 0.09]].forEach(([pitch, after]) => {
    const tone = sounding.createOscillator();
    const volume = sounding.createGain();
    const at = sounding.currentTime + after;
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.06, at + 0.01);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.18);
    tone.connect(volume).connect(sounding.destination);
    tone.start(at);
    tone.stop(at + 0.2);
  });
};

const press = (key) => {
  const target = document.querySelector(`[data-key="${key}"]`);
  if (!target || target.hidden || target.disabled) {
    return false;
  }
  if (target instanceof HTMLInputElement) {
    target.focus();
    target.select();
  } else {
    target.click();
  }
  return true;
};

// Letters are keys where no words are typed; a scan types letters too, but too quickly for one alone.
const watchKeys = (scans) => {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || kept.get("shortcuts", "on") !== "on") {
      return;
    }
    const field = event.target;
    const typing = field instanceof HTMLInputElement && field.inputMode !== "decimal" && field.type !== "hidden";
    if (event.key === "Escape") {
      if (press("escape")) {
        event.preventDefault();
      } else {
        field.blur?.();
      }
      return;
    }
    if (event.key === "Enter" && !(field instanceof HTMLInputElement || field instanceof HTMLButtonElement)) {
      document.querySelector(".till-action .till-big:not([disabled])")?.click();
      return;
    }
    if (typing || event.repeat || !/^[a-z]$/i.test(event.key)) {
      return;
    }
    if (field instanceof HTMLInputElement) {
      event.preventDefault();
    }
    const { key } = event;
    setTimeout(() => {
      if (scans.rest() >= KEY_MS - 10) {
        if (key.toLowerCase() === "p") {
          document.querySelector(".till-paper > summary")?.click();
        } else {
          press(key.toLowerCase());
        }
      }
    }, KEY_MS);
  });
};

// --- the page answers in place ---------------------------------------------------------------------------

const put = (text, onlyParts) => {
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("till");
  const old = page();
  if (!fresh || !old) {
    return false;
  }
  if (onlyParts) {
    for (const part of ["#earns", "#lines", ".till-action", ".till-member"]) {
      const from = fresh.querySelector(part);
      const to = old.querySelector(part);
      if (from && to) {
        to.replaceWith(from);
      }
    }
    return true;
  }
  old.replaceWith(fresh);
  const focus = fresh.querySelector("[autofocus]") ?? document.getElementById("main");
  focus.focus({ preventScroll: true });
  if (focus instanceof HTMLInputElement && focus.value) {
    focus.select();
  }
  if (fresh.dataset.fresh) {
    chime();
    scrollTo({ top: 0 });
  }
  ready();
  return true;
};

const post = async (form, body) => {
  const answer = await fetch(form.action, {
    method: "POST",
    body,
    headers: { "X-Requested-With": "till" },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!answer.headers.has("X-Till")) {
    // Not the till's own word: whoever stands between answered, and the till may not have been asked.
    throw new TypeError(`answered ${answer.status}`);
  }
  return answer;
};

const busy = (form, submitter) => {
  const button = submitter ?? form.querySelector("button[type=submit]") ?? document.querySelector(".till-big");
  const timer = setTimeout(() => {
    if (button) {
      button.setAttribute("aria-busy", "true");
      button.dataset.said = button.innerHTML;
      button.textContent = words.working;
    }
  }, SAY_AFTER_MS);
  return () => {
    clearTimeout(timer);
    if (button?.dataset.said !== undefined) {
      button.innerHTML = button.dataset.said;
      delete button.dataset.said;
      button.removeAttribute("aria-busy");
    }
  };
};

let sending = false;
let latest = 0;

// Whether the amount in the field is another than what the page offers to credit.
let unsettled = false;

const submit = async (form, submitter) => {
  if (sending) {
    return;
  }
  if (form.hasAttribute("data-credit") && unsettled) {
    // What is credited is what was shown: the amount as it stands now is looked at first.
    form = document.getElementById("amount-form");
    submitter = null;
  }
  sending = true;
  latest += 1;
  const free = busy(form, submitter);
  const body = new FormData(form, submitter);
  unsettled = false;
  try {
    let entry = null;
    if (form.hasAttribute("data-credit") && journal) {
      entry = await journal.write(JSON.parse(document.getElementById("entry").textContent));
      body.set("entry", entry.text);
      body.set("signature", entry.signature);
    }
    let answer;
    let text;
    try {
      answer = await post(form, body);
      text = await answer.text();
    } catch {
      free();
      await goAway();
      if (entry) {
        tellKept(words.unsure);
      }
      return;
    }
    if (entry) {
      // What the till answered is final: taken, or not done at all.
      await journal.forget(entry.number);
    }
    free();
    if (answer.redirected || !put(text)) {
      location.assign(answer.redirected ? answer.url : words.root);
    }
  } finally {
    free();
    sending = false;
  }
};

let live = 0;
const liveChange = (form) => {
  clearTimeout(live);
  unsettled = true;
  live = setTimeout(async () => {
    const turn = (latest += 1);
    try {
      const answer = await post(form, new FormData(form));
      const text = await answer.text();
      // What is no amount takes the offer away too; the error waits until somebody asks for it.
      if (turn === latest && !answer.redirected) {
        unsettled = false;
        put(text, true);
      }
    } catch {
      await goAway();
    }
  }, LIVE_MS);
};

// --- without the network ---------------------------------------------------------------------------------

const strip = document.getElementById("strip");
const stripText = document.getElementById("strip-text");
const sendNow = document.getElementById("strip-send");

const showStrip = async (text) => {
  const waiting = journal ? (await journal.waiting()).length : 0;
  const shown = text ?? (away ? (waiting ? said("waiting", waiting) : words.gone) : waiting ? said("sending", waiting) : "");
  strip.hidden = !shown;
  stripText.textContent = shown;
  sendNow.hidden = !waiting;
};

const tellKept = (text, bad = false) => {
  const band = page()?.querySelector(".till-band");
  const notice = page()?.querySelector(".notice");
  if (!band || !notice) {
    return;
  }
  band.hidden = bad;
  notice.hidden = !bad;
  (bad ? notice : band.querySelector(".till-title")).textContent = text;
};

const plainAmount = (text) => {
  const exponent = Number(page().dataset.exponent || 2);
  if (/^[1-9][0-9]*,[0-9]{3}$/.test(text.trim())) {
    // A thousand to some, a thousandth to others.
    return null;
  }
  const plain = text.replace(/[\s\u00a0\u202f]/g, "").replace(",", ".");
  const form = new RegExp(exponent ? `^[0-9]{1,9}(\\.[0-9]{1,${exponent}})?$` : "^[0-9]{1,9}$");
  return form.test(plain) && Number(plain) > 0 ? plain : null;
};

const shiftOf = () => kept.get("shift", "") || null;

// As the server tells a phone from a card: it begins with + or 0, and has digits and what stands between them.
const isPhone = (text) => /^\+/.test(text) || /^0[0-9]{9}$/.test(text.replace(/[\s.()-]/g, ""));

const money = (amount) => {
  const { exponent, currency } = words;
  const form = { style: "currency", currency, minimumFractionDigits: Number(exponent), maximumFractionDigits: Number(exponent) };
  return new Intl.NumberFormat(document.documentElement.lang, form).format(Number(amount));
};

let keeping = false;
const keepSale = async (form) => {
  // A second tap while the first is kept is the same sale.
  if (keeping) {
    return;
  }
  keeping = true;
  try {
    await keep(form);
  } finally {
    keeping = false;
  }
};

const keep = async (form) => {
  const card = form.elements.card.value.trim();
  const amount = plainAmount(form.elements.amount.value);
  if (!card && !form.elements.amount.value.trim() && !page().querySelector(".till-band").hidden) {
    // One tap too many, after the sale was kept: that stays said.
    return;
  }
  if (!journal) {
    tellKept(words.noKeys, true);
  } else if (card.length < 3 || card.length > 200 || card.includes("@") || isPhone(card)) {
    tellKept(words.noCard, true);
    form.elements.card.focus();
  } else if (!amount) {
    tellKept(words.noAmount, true);
    form.elements.amount.focus();
  } else if (!(await journal.room())) {
    tellKept(words.full, true);
  } else {
    const member = /^PAL1\./i.test(card) ? { code: card } : { card };
    await journal.write({ member, amount, shift: shiftOf(), lines: [], ticket: null });
    form.reset();
    tellKept(words.kept);
    chime();
    form.elements.card.focus();
    await showStrip();
  }
};

const goAway = async () => {
  if (!away) {
    away = true;
    const inside = document.getElementById("till-offline").content.cloneNode(true);
    page().replaceChildren(inside);
    page().removeAttribute("data-member");
    const worker = kept.get("worker", "");
    page().querySelector(".till-under").textContent =
      shiftOf() && worker ? words.under.replace("{name}", () => worker) : words.underNobody;
    page().querySelector("input").focus();
  }
  await showStrip();
};

const showConflicts = async () => {
  const box = document.getElementById("conflicts");
  const list = box.querySelector("ul");
  const rows = journal ? await journal.refused() : [];
  box.hidden = !rows.length;
  list.replaceChildren();
  for (const row of rows) {
    const item = document.getElementById("till-conflict").content.cloneNode(true).firstElementChild;
    const { amount, member } = JSON.parse((await journal.open(row)).text);
    const whose = member.card ?? (member.code ? words.code : "");
    const when = new Date(row.at).toLocaleString(document.documentElement.lang);
    item.querySelector(".what").textContent = [when, whose, money(amount)].filter(Boolean).join(" · ");
    item.querySelector(".said").textContent = row.said;
    const again = item.querySelector(".again");
    const aside = item.querySelector(".aside");
    again.textContent = words.again;
    aside.textContent = words.aside;
    again.addEventListener("click", async () => {
      await journal.again(row.number);
      await send();
    });
    aside.addEventListener("click", async () => {
      await journal.forget(row.number);
      await showConflicts();
    });
    list.append(item);
  }
};

let sendingKept = false;
const send = async () => {
  // What a form is sending at this moment is not sent beside it.
  if (!journal || sendingKept || sending) {
    return;
  }
  sendingKept = true;
  try {
    const waiting = (await journal.waiting()).length;
    if (!waiting && !away) {
      return;
    }
    const done = waiting ? await journal.send() : await reached();
    if (!done) {
      await showStrip();
      return;
    }
    await showConflicts();
    if (done.ended) {
      await showStrip(words.ended);
      return;
    }
    if (away) {
      await comeBack();
    }
    await showStrip(done.credited ? said("sent", done.credited) : undefined);
  } finally {
    sendingKept = false;
  }
};

// Whether the till's server answers again.
const reached = async () => {
  try {
    const answer = await fetch(`${words.root}shell`, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    return answer.headers.has("X-Till") ? { credited: 0, ended: false } : null;
  } catch {
    return null;
  }
};

// The counter as the server has it, emptied: what lay there when the network went was kept, or begins anew.
const comeBack = async () => {
  away = false;
  const answer = await fetch(words.root, { cache: "no-store" });
  if (answer.redirected || page()?.dataset.shell || !put(await answer.text())) {
    location.assign(words.root);
    return;
  }
  const next = page().querySelector('form[action$="/clear"]');
  if (next) {
    await submit(next, null);
  }
};

// --- beginning -------------------------------------------------------------------------------------------

const scanned = (text) => {
  const offlineCard = page()?.querySelector("#offline-card");
  if (offlineCard) {
    offlineCard.value = text;
    page().querySelector("#offline-amount").focus();
    return;
  }
  const wanted = [...document.querySelectorAll("form[data-scan]")].find((form) =>
    text.toUpperCase().startsWith(form.dataset.scan),
  );
  const form = wanted ?? document.getElementById("find-form");
  if (form) {
    form.querySelector("input:not([type=hidden])").value = text;
    submit(form, null);
    return;
  }
  // Somebody else's card while a member is served: it is his turn.
  const other = page()?.querySelector('form[action$="/clear"]');
  if (other) {
    const body = new FormData(other);
    body.set("who", text);
    post({ action: `${words.root}find` }, body)
      .then(async (answer) => put(await answer.text()))
      .catch(goAway);
  }
};

const ready = () => {
  const start = document.getElementById("camera-start");
  if (start && cameraReads()) {
    start.hidden = false;
    start.addEventListener("click", async () => {
      try {
        const text = await readByCamera(document.getElementById("camera"));
        if (text) {
          scanned(text);
        }
      } catch {
        start.disabled = true;
      }
    });
  }
  // Who opened the till last, by password or PIN: what is kept without the network is kept under that name.
  if (page()?.dataset.shift) {
    kept.set("shift", page().dataset.shift);
    kept.set("worker", page().dataset.worker);
  } else if (document.querySelector("[data-nobody]")) {
    kept.set("shift", "");
    kept.set("worker", "");
  }
};

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.matches(".till-offline form")) {
    event.preventDefault();
    await keepSale(form);
  } else if (form.matches("[data-swap]")) {
    event.preventDefault();
    clearTimeout(live);
    await submit(form, event.submitter);
  } else if (form.matches("[data-enrol]") && able()) {
    // The code is of one tablet, and sent once: a second tap is the same one.
    event.preventDefault();
    if (!form.dataset.sent) {
      form.dataset.sent = "yes";
      form.elements.public_key.value = await newKeys().catch(() => "");
      form.submit();
    }
  }
});

document.addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-live]");
  if (form) {
    liveChange(form);
  }
});

document.addEventListener("click", async (event) => {
  const copy = event.target.closest?.("[data-copy]");
  const print = event.target.closest?.("[data-print]");
  if (copy) {
    const text = copy.closest(".stack").querySelector(".receipt-text").textContent;
    await navigator.clipboard?.writeText(text);
    copy.textContent = words.copied;
  } else if (print) {
    const what = print.closest(".stack").querySelector(".receipt-text, .till-slip");
    what.classList.add("print-this");
    frame.classList.add("printing");
    globalThis.print();
    frame.classList.remove("printing");
    what.classList.remove("print-this");
  }
});

sendNow.addEventListener("click", send);
// The console's picture of a code leads here with it behind the #, where no server sees it.
const takeCode = () => {
  const field = document.querySelector("[data-enrol]")?.elements.code;
  if (field && /^#[0-9A-Za-z-]{1,20}$/.test(location.hash)) {
    field.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
  }
};

addEventListener("hashchange", takeCode);
addEventListener("pageshow", () => {
  delete document.querySelector("[data-enrol]")?.dataset.sent;
});
addEventListener("online", send);
addEventListener("offline", () => {
  if (page()?.matches(".till-counter")) {
    goAway();
  }
});

const begin = async () => {
  takeCode();
  switched("sound");
  const counter = page()?.matches(".till-counter");
  const shell = Boolean(page()?.dataset.shell);
  if (counter || shell) {
    switched("shortcuts");
    watchKeys(listen(scanned));
  }
  journal = await Journal.of(words).catch(() => null);
  ready();
  if (navigator.serviceWorker) {
    navigator.serviceWorker.register(`${words.root}sw.js`, { scope: words.root }).catch(() => undefined);
    const known = kept.get("language", "");
    if (known && known !== document.documentElement.lang) {
      navigator.serviceWorker.controller?.postMessage("refresh");
    }
    kept.set("language", document.documentElement.lang);
  }
  if (shell) {
    await goAway();
  }
  await showConflicts();
  await send();
  await showStrip();
  setInterval(send, SEND_EVERY_MS);
  if (counter) {
    rest();
  }
};

// Untouched for as long as the page says, the till locks itself; the server does too.
const rest = () => {
  let touched = Date.now();
  for (const kind of ["pointerdown", "keydown"]) {
    document.addEventListener(kind, () => { touched = Date.now(); }, { capture: true });
  }
  setInterval(() => {
    const idle = Number(page()?.dataset.idleS ?? 300) * 1000;
    if (!away && Date.now() - touched > idle) {
      document.getElementById("lock-form")?.requestSubmit();
    }
  }, 5000);
};

begin();
