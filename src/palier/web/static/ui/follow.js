// What goes on by itself, looked at again while it does: <div data-follow="URL">. The answer replaces the content; once
// nothing in it is marked data-open any more, it is done.
const EVERY_MS = 2000;

const follow = (place) => {
  const look = async () => {
    try {
      const answer = await fetch(place.dataset.follow, { headers: { "X-Requested-With": "fetch" } });
      if (answer.ok && !answer.redirected) {
        const text = await answer.text();
        // A button that is held keeps its place.
        if (!place.contains(document.activeElement) || !text.includes("data-open")) {
          place.innerHTML = text;
        }
        if (!text.includes("data-open")) {
          return;
        }
      }
    } catch {
      // No network: the next look may find it again.
    }
    setTimeout(look, EVERY_MS);
  };
  setTimeout(look, EVERY_MS);
};

document.querySelectorAll("[data-follow]").forEach(follow);
