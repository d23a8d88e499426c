/* Palier on a shop's page: <palier-balance>, <palier-points amount="49.90">, a banner, a pop-up.
   No cookies, no third party, no markup made of text; drawn in shadow roots, so that page and widget leave each
   other's styles alone. What the visitor closed is remembered in this browser only. */
(() => {
  "use strict";
  const tag = document.currentScript;
  if (!tag || customElements.get("palier-points")) return;
  const root = new URL(".", tag.src);
  const set = tag.dataset;
  const program = root.pathname.split("/").filter(Boolean).pop();
  const language = (set.language || document.documentElement.lang || "en").slice(0, 2) === "fr" ? "fr" : "en";
  const DAY = 86400000;
  const shown = new Set(); // elements on the page
  let told = null;
  let timer = 0;
  let round = 0;

  // Light or dark as the page says of itself (color-scheme), whatever the visitor's system is.
  const sheet = new CSSStyleSheet();
  const look = (accent) => sheet.replaceSync(`
    :host { --a: ${accent.light}; --ink: #1d1b16; --paper: #fff; --line: #d9d5cb; color: inherit; font: inherit }
    @supports (color: light-dark(#000, #fff)) { :host { --a: light-dark(${accent.light}, ${accent.dark}); --ink: light-dark(#1d1b16, #eef0ee); --paper: light-dark(#fff, #1a222b); --line: light-dark(#d9d5cb, #2c3742) } }
    [hidden] { display: none !important }
    .logo { display: block; width: auto; height: 32px; max-width: 144px; object-fit: contain; margin-bottom: 8px }
    .banner .logo { margin: 0 }
    @supports (color: light-dark(#000, #fff)) { .logo { background: light-dark(transparent, #fff); border-radius: 6px } }
    .brings { color: var(--a); font-size: .9em; font-weight: 600 }
    .box { color: var(--ink); background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 16px; line-height: 1.4; box-sizing: border-box; text-align: start }
    .number { font-size: 1.75em; font-weight: 650; line-height: 1.1; font-variant-numeric: tabular-nums }
    .number span { font-size: .55em; font-weight: 400 }
    p { margin: 4px 0 0 }
    .small { font-size: .875em }
    a, button { font: inherit; min-height: 44px; display: inline-flex; align-items: center; cursor: pointer; box-sizing: border-box; border-radius: 8px }
    a { color: var(--a) }
    a.main { color: var(--paper); background: var(--a); padding: 0 16px; text-decoration: none; font-weight: 600 }
    button { color: var(--ink); background: none; border: 1px solid var(--line); padding: 0 12px }
    a:focus-visible, button:focus-visible { outline: 3px solid var(--a); outline-offset: 2px }
    .banner { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; border-radius: 0; border-width: 0 0 1px; padding: 8px 16px }
    .banner p { flex: 1 1 16em; margin: 0 }
    .popup { position: fixed; inset: auto 16px 16px auto; z-index: 2147483000; max-width: min(360px, calc(100vw - 32px)); box-shadow: 0 8px 32px rgb(0 0 0 / .2) }
    .popup div { display: flex; gap: 8px; margin-top: 12px; flex-wrap: wrap }`);

  const make = (name, text, className) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    // By these names the shop can style it from outside: palier-points::part(brings).
    if (className) { made.className = className; made.part = className; }
    return made;
  };
  const link = (text, className) => {
    const made = make("a", text, className);
    made.href = told.portal;
    return made;
  };

  /* The logo, where there is one; where the shop lets no picture of ours in, the words stand alone. */
  const logo = () => {
    if (!told.logo) return [];
    const made = make("img", "", "logo");
    made.alt = told.logo.text;
    made.width = told.logo.width;
    made.height = told.logo.height;
    made.addEventListener("error", () => made.remove());
    made.src = told.logo.source;
    return [made];
  };

  /* How often: at most once in so many days after it was closed (banner) or shown (pop-up). Where nothing can be
     remembered, a pop-up never comes. */
  const key = (what) => `palier:${program}:${what}`;
  const rests = (what, days) => {
    try { return Date.now() - Number(localStorage.getItem(key(what)) || 0) < days * DAY; } catch { return what === "popup"; }
  };
  const note = (what) => {
    try { localStorage.setItem(key(what), String(Date.now())); return true; } catch { return false; }
  };
  const days = (text, usual) => (Number(text) >= 1 ? Number(text) : usual);

  class Part extends HTMLElement {
    constructor() {
      super();
      this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
    }
    connectedCallback() {
      shown.add(this);
      ask();
    }
    disconnectedCallback() { shown.delete(this); }
  }

  class Points extends Part {
    static observedAttributes = ["amount", "category", "sku", "quantity"];
    attributeChangedCallback() { if (this.isConnected) ask(); }
    price() {
      const asked = { amount: (this.getAttribute("amount") || "").trim() };
      for (const name of ["category", "sku"]) if (this.getAttribute(name)) asked[name] = this.getAttribute(name);
      const many = Number(this.getAttribute("quantity") || 1);
      if (Number.isInteger(many) && many > 1) asked.quantity = many;
      return asked;
    }
    tell(text) { this.shadowRoot.replaceChildren(...(text ? [make("span", text, "brings")] : [])); }
  }

  class Balance extends Part {
    tell() {
      const box = make("div", "", "box");
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", told.words.title);
      box.append(...logo());
      if (told.member) {
        const number = make("div", told.member.number + "\u00a0", "number");
        number.append(make("span", told.member.unit));
        box.append(number);
        if (told.member.note) box.append(make("p", told.member.note, "small"));
        const tier = [told.member.tier, told.member.next].filter(Boolean).join(" \u00b7 ");
        if (tier) box.append(make("p", tier, "small"));
        box.append(link(told.words.see));
      } else {
        box.append(make("strong", told.program));
        if (told.invitation) box.append(make("p", told.invitation));
        box.append(link(told.words.join));
      }
      this.shadowRoot.replaceChildren(box);
    }
  }

  class Invitation extends Part {
    tell() {
      const kind = this.getAttribute("kind");
      if (told.member || this.shadowRoot.firstChild) return;
      if (rests(kind, days(set[`${kind}Days`], kind === "popup" ? 30 : 7))) return;
      if (kind === "popup" && !note(kind)) return;
      const box = make("section", "", `box ${kind}`);
      box.setAttribute("aria-label", told.program);
      if (kind === "popup") box.setAttribute("role", "dialog");
      const close = make("button", told.words.close);
      close.type = "button";
      const leave = () => { note(kind); this.remove(); };
      close.addEventListener("click", leave);
      box.addEventListener("keydown", (event) => { if (event.key === "Escape") leave(); });
      const text = make("p");
      text.append(make("strong", told.program));
      if (told.invitation) text.append(` \u2013 ${told.invitation}`);
      const acts = kind === "popup" ? make("div") : box;
      box.append(...logo(), text);
      acts.append(link(told.words.join, "main"), close);
      if (acts !== box) box.append(acts);
      this.shadowRoot.append(box);
    }
  }

  /* One question for all that the page shows, a moment after the last change. */
  const ask = () => {
    clearTimeout(timer);
    timer = setTimeout(send, 60);
  };
  const send = async () => {
    const mine = ++round;
    const priced = [...shown].filter((part) => part instanceof Points && part.price().amount);
    try {
      for (let at = 0; at === 0 || at < priced.length; at += 60) {
        const some = priced.slice(at, at + 60);
        const answer = await fetch(new URL("show", root), {
          method: "POST",
          // A text is sent as it is: the browser needs not ask first whether it may.
          headers: { "Content-Type": "text/plain" },
          body: JSON.stringify({ language, token: set.member || "", prices: some.map((part) => part.price()) }),
          credentials: "omit",
          referrerPolicy: "no-referrer",
        });
        const content = await answer.json();
        if (!answer.ok) throw new Error(content.problem || answer.status);
        if (mine !== round) return;
        if (content.token === "refused" || content.token === "expired") console.warn(`palier: the page token is ${content.token}`);
        if (!told) look(content.accent);
        told = content;
        some.forEach((part, index) => part.tell(content.prices[index]));
      }
      for (const part of shown) if (!(part instanceof Points)) part.tell();
    } catch (error) {
      // The shop goes on without it.
      console.warn("palier:", error.message);
    }
  };

  customElements.define("palier-points", Points);
  customElements.define("palier-balance", Balance);
  customElements.define("palier-invitation", Invitation);
  const invite = (kind) => {
    const made = document.createElement("palier-invitation");
    made.setAttribute("kind", kind);
    if (kind === "banner") document.body.prepend(made);
    else document.body.append(made);
  };
  const begin = () => {
    if ("banner" in set) invite("banner");
    if ("popup" in set) setTimeout(() => invite("popup"), 1000 * days(set.popupAfter, 8));
  };
  if (document.body && document.readyState !== "loading") begin();
  else document.addEventListener("DOMContentLoaded", begin);
})();
