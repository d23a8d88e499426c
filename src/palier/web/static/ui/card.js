// Renews the membership card just after its half minute, while the page is seen.
(() => {
  const renew = async () => {
    const box = document.getElementById("card");
    if (!box || document.hidden) {
      schedule(2);
      return;
    }
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("card");
      if (fresh) {
        box.replaceChildren(...fresh.childNodes);
        schedule(Number(fresh.dataset.seconds) || 30);
        return;
      }
    } catch {
      // No network: the card stays, and is tried again.
    }
    schedule(5);
  };
  const schedule = (seconds) => setTimeout(renew, (seconds + 0.5) * 1000);
  schedule(Number(document.getElementById("card")?.dataset.seconds) || 30);
})();
