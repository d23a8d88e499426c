// Fills the shell with what this phone has kept: text only, never markup.
(() => {
  const own = document.currentScript.dataset;
  let kept = null;
  try {
    kept = JSON.parse(localStorage.getItem(`palier ${own.program}`) || "null");
  } catch {
    kept = null;
  }
  const say = (name, text) => {
    document.querySelector(`[data-kept="${name}"]`).textContent = text;
  };
  document.getElementById("again").addEventListener("click", () => location.reload());
  if (!kept) {
    return;
  }
  document.getElementById("nothing").hidden = true;
  const at = new Date(kept.at * 1000);
  const written = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
  say("name", kept.name);
  say("number", kept.number);
  say("unit", kept.unit);
  say("at", written.format(at));
  say("card", kept.card);
  const size = kept.qr.length;
  const steps = kept.qr.flatMap((row, y) => [...row].map((dark, x) => (dark === "1" ? `M${x + 2} ${y + 2}h1v1h-1z` : "")));
  const drawing = document.getElementById("kept-qr");
  drawing.setAttribute("viewBox", `0 0 ${size + 4} ${size + 4}`);
  drawing.querySelector("path").setAttribute("d", steps.join(""));
  document.getElementById("kept").hidden = false;
})();
