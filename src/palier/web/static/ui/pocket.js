// Keeps on this phone what its owner may see without a network, and forgets it with the session.
(() => {
  const own = document.currentScript.dataset;
  const key = `palier ${own.program}`;
  const forget = () => {
    try {
      localStorage.removeItem(key);
    } catch {
      // Nothing can be kept here at all.
    }
  };
  if (own.signed !== "yes") {
    forget();
    return;
  }
  for (const form of document.querySelectorAll(`form[action="${own.leave}"]`)) {
    form.addEventListener("submit", forget);
  }
  const keep = async () => {
    try {
      const answer = await fetch(own.pocket, { headers: { accept: "application/json" }, redirect: "error" });
      if (answer.ok) {
        localStorage.setItem(key, JSON.stringify(await answer.json()));
      }
    } catch {
      // No network: what is kept stays as it was.
    }
  };
  const install = async () => {
    const made = await navigator.serviceWorker.register(own.worker, { scope: own.home });
    const ready = made.active || made.waiting || made.installing;
    ready?.postMessage({ language: document.documentElement.lang });
  };
  if (own.keep === "yes") {
    keep();
    if ("serviceWorker" in navigator) {
      install().catch(() => undefined);
    }
  }
})();
