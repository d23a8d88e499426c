// Forms whose answer is seen as they are filled in: <form data-live="URL" data-live-target="#id">. A change is sent
// after a short rest; what is answered replaces the content of the target. An older answer never replaces a newer one.
const REST_MS = 250;

const watch = (form) => {
  const target = document.querySelector(form.dataset.liveTarget);
  let waiting = 0;
  let latest = 0;
  const send = async () => {
    const turn = (latest += 1);
    target.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.dataset.live, {
        method: "POST",
        body: new FormData(form),
        headers: { "X-Requested-With": "fetch" },
      });
      const text = await answer.text();
      if (turn === latest && (answer.ok || answer.status === 422)) {
        target.innerHTML = text;
        form.dispatchEvent(new CustomEvent("live", { bubbles: true }));
      }
    } catch {
      // No network: what was shown stays, and the next change asks again.
    }
    if (turn === latest) {
      target.removeAttribute("aria-busy");
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(send, REST_MS);
  });
};

document.querySelectorAll("form[data-live]").forEach(watch);
