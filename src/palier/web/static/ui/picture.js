// A picture before it is sent: shown, and made smaller where it is larger than is taken, so that a photo from a phone
// goes through as it is. Without script the form sends the file itself.
const form = document.querySelector("form[data-picture]");
const EDGE = 1920;
const SHOWN = 240;

const drawn = (image, edge, canvas) => {
  const scale = Math.min(1, edge / Math.max(image.width, image.height));
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
};

const smaller = (image) =>
  new Promise((done) => {
    drawn(image, EDGE, document.createElement("canvas")).toBlob(done, "image/webp", 0.9);
  });

const field = form?.querySelector("input[type=file]");
field?.addEventListener("change", async () => {
  const preview = form.querySelector("canvas");
  const said = form.querySelector("[data-said]");
  const file = field.files[0];
  preview.hidden = true;
  said.textContent = "";
  if (!file) {
    return;
  }
  let image;
  try {
    image = await createImageBitmap(file);
  } catch {
    said.textContent = form.dataset.unread;
    return;
  }
  drawn(image, SHOWN, preview);
  preview.hidden = false;
  if (file.size <= Number(form.dataset.most)) {
    return;
  }
  const blob = await smaller(image);
  // Where the browser writes no WebP it has written PNG: its name says which.
  const name = `${file.name.replace(/\.[^.]*$/, "")}.${blob.type === "image/webp" ? "webp" : "png"}`;
  const chosen = new DataTransfer();
  chosen.items.add(new File([blob], name, { type: blob.type }));
  field.files = chosen.files;
  said.textContent = form.dataset.smaller;
});
