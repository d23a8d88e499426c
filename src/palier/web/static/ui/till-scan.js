// Scans, wherever the focus is: a reader that types like a keyboard is told from a person by its speed; a camera reads
// codes where the browser can.
const QUICK_MS = 50;
const SHORTEST = 4;

const typed = (field) => field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement;

// Calls `found(text)` for each scan. What a reader had typed into a field before it was known is taken out again.
export const listen = (found) => {
  let text = "";
  let last = 0;
  let field = null;
  let before = "";
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) {
        return;
      }
      const quick = event.timeStamp - last < QUICK_MS;
      last = event.timeStamp;
      if (event.key === "Enter") {
        if (quick && text.length >= SHORTEST) {
          event.preventDefault();
          event.stopImmediatePropagation();
          if (field) {
            field.value = before;
          }
          const scanned = text;
          text = "";
          found(scanned);
        }
        text = "";
        return;
      }
      if (event.key.length !== 1) {
        if (event.key !== "Shift") {
          text = "";
        }
        return;
      }
      if (!quick) {
        text = "";
        field = typed(event.target) ? event.target : null;
        before = field?.value ?? "";
      }
      text += event.key;
      if (quick && text.length > 2) {
        // Neither a shortcut nor a digit of the amount.
        event.stopImmediatePropagation();
        if (!field) {
          event.preventDefault();
        }
      }
    },
    { capture: true },
  );
  return { rest: () => performance.now() - last };
};

export const cameraReads = () => "BarcodeDetector" in globalThis && Boolean(navigator.mediaDevices?.getUserMedia);

// Reads one code by the camera; null when it is closed before.
export const readByCamera = async (box) => {
  const video = box.querySelector("video");
  const stop = box.querySelector("[data-camera-stop]");
  const detector = new globalThis.BarcodeDetector();
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  video.srcObject = stream;
  box.hidden = false;
  await video.play();
  let open = true;
  stop.addEventListener("click", () => { open = false; }, { once: true });
  try {
    while (open && box.isConnected) {
      const codes = await detector.detect(video).catch(() => []);
      if (codes.length) {
        return codes[0].rawValue;
      }
      await new Promise((resolve) => { setTimeout(resolve, 120); });
    }
    return null;
  } finally {
    box.hidden = true;
    stream.getTracks().forEach((track) => track.stop());
  }
};
