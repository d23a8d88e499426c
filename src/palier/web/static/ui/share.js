// Shares or copies a link that stands on the page anyway; without script it can be selected and copied by hand.
(() => {
  for (const box of document.querySelectorAll("[data-share]")) {
    const field = document.getElementById(box.dataset.shareFrom);
    const send = box.querySelector("[data-share-send]");
    const copy = box.querySelector("[data-share-copy]");
    const done = box.querySelector("[data-share-done]");
    if (navigator.share) {
      send.hidden = false;
      send.addEventListener("click", async () => {
        try {
          await navigator.share({ title: box.dataset.shareTitle, url: field.value });
        } catch {
          // Closed without sharing: nothing to say.
        }
      });
    }
    copy.addEventListener("click", async () => {
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
      } catch {
        document.execCommand("copy");
      }
      done.textContent = done.dataset.shareDone;
    });
    box.hidden = false;
  }
})();
