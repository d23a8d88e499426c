// The studio's desk: what is typed in the form or the text is saved after a short rest, and the other side follows.
// Only the part in which somebody types is left as it is; without this script, the same forms are sent by their buttons.
const REST_MS = 600;

const studio = document.getElementById("studio");
let waiting = 0;
let turn = 0;
let sending = Promise.resolve();
let unsent = null;

const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

const number = () => {
  const text = document.getElementById("yaml");
  const numbers = studio.querySelector(".studio-numbers");
  if (text && numbers) {
    const count = text.value.split("\n").length;
    numbers.textContent = Array.from({ length: count }, (_, index) => index + 1).join("\n");
    numbers.scrollTop = text.scrollTop;
  }
};

const follow = () => {
  const text = document.getElementById("yaml");
  if (text) {
    text.addEventListener("scroll", () => {
      studio.querySelector(".studio-numbers").scrollTop = text.scrollTop;
    });
    number();
  }
};

const show = (html, kept) => {
  const come = new DOMParser().parseFromString(html, "text/html");
  const state = part(come, "state");
  if (!state) {
    return;
  }
  const conflict = state.querySelector('[value^="choose:"]');
  const focused = document.activeElement?.id;
  const scrolled = document.getElementById("yaml")?.scrollTop ?? 0;
  const opened = [...studio.querySelectorAll("details[open] > summary")].map((item) => item.textContent.trim());
  for (const name of ["state", "outline", "said", "form", "text", "panel"]) {
    const [mine, theirs] = [part(studio, name), part(come, name)];
    // What somebody types in stays under his hands, unless somebody else's text is shown in its place.
    if (mine && theirs && (name !== kept || conflict)) {
      mine.replaceWith(document.adoptNode(theirs));
    }
  }
  for (const field of studio.querySelectorAll('input[name="made_from"]')) {
    field.value = state.dataset.head;
  }
  for (const summary of part(studio, "form").querySelectorAll("details > summary")) {
    if (opened.includes(summary.textContent.trim())) {
      summary.parentElement.open = true;
    }
  }
  follow();
  const text = document.getElementById("yaml");
  if (text) {
    text.scrollTop = scrolled;
  }
  if (focused && document.activeElement?.id !== focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
};

const send = (form, submitter, kept) => {
  clearTimeout(waiting);
  unsent = null;
  const mine = (turn += 1);
  // One after the other: each is made from the save before it.
  sending = sending.then(async () => {
    const body = new FormData(form, submitter);
    body.set("made_from", part(studio, "state").dataset.head);
    form.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Requested-With": "fetch" } });
      const html = await answer.text();
      if (answer.ok || answer.status === 422) {
        // Somebody has typed on meanwhile: only what is not being typed in follows, and his own save comes next.
        show(html, mine === turn ? kept : unsent?.dataset.part ?? kept);
      } else {
        form.submit();
      }
    } catch {
      // No network: what was typed stays here, and the next change sends it again.
    }
    form.removeAttribute("aria-busy");
  });
};

const pane = (target) => target.closest("form[data-part]");

if (studio) {
  follow();
  studio.addEventListener("input", (event) => {
    const form = pane(event.target);
    if (!form) {
      return;
    }
    if (form.dataset.part === "text") {
      number();
    }
    if (event.target.hasAttribute("data-shape")) {
      send(form, null, "");
      return;
    }
    if (unsent && unsent !== form) {
      send(unsent, null, form.dataset.part);
    }
    clearTimeout(waiting);
    unsent = form;
    waiting = setTimeout(() => send(form, null, form.dataset.part), REST_MS);
  });
  studio.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.part || form.hasAttribute("data-moves") || event.submitter?.value.startsWith("choose:")) {
      event.preventDefault();
      send(form, event.submitter, "");
    }
  });
  studio.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-line]");
    const text = document.getElementById("yaml");
    if (!link || !text) {
      return;
    }
    const field = document.getElementById(new URL(link.href).hash.slice(1));
    if (field && !event.shiftKey) {
      event.preventDefault();
      for (let around = field.closest("details"); around; around = around.parentElement.closest("details")) {
        around.open = true;
      }
      field.focus();
    }
    // The line is shown in the text too, whoever has the focus.
    const lines = text.value.split("\n");
    const line = Number(link.dataset.line);
    const start = lines.slice(0, line - 1).reduce((sum, item) => sum + item.length + 1, 0);
    text.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
    text.scrollTop = Math.max(0, (line - 4) * parseFloat(getComputedStyle(text).lineHeight));
    if (!field && !link.search.includes("at=")) {
      event.preventDefault();
      text.focus();
    }
  });
  window.addEventListener("beforeunload", (event) => {
    if (unsent) {
      send(unsent, null, unsent.dataset.part);
      event.preventDefault();
    }
  });
}
