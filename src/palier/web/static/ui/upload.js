// A file sent piece by piece, so that it may be long and a broken connection loses one piece: <form data-upload>.
// What the server has of it already is not sent again. Without script the form sends a short file whole.
const form = document.querySelector("form[data-upload]");
const TRIES = 4;

const say = (text) => {
  const place = form.querySelector("[data-said]");
  place.textContent = text;
  place.hidden = !text;
};

const rest = (ms) => new Promise((done) => setTimeout(done, ms));

const post = async (url, body, headers) => {
  for (let tried = 1; ; tried += 1) {
    try {
      const answer = await fetch(url, { method: "POST", body, headers });
      if (answer.status < 500) {
        return [answer.ok, await answer.json()];
      }
    } catch {
      // No network: tried again below.
    }
    if (tried === TRIES) {
      throw new Error(form.dataset.broken);
    }
    await rest(500 * 2 ** tried);
  }
};

const known = (file) => `upload ${file.name} ${file.size} ${file.lastModified}`;

const send = async (file) => {
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const headers = { "X-CSRFToken": token };
  const kept = JSON.parse(sessionStorage.getItem(known(file)) || "null");
  let place = kept;
  if (!place) {
    const named = new URLSearchParams({ name: file.name, length: String(file.size) });
    const [ok, begun] = await post(form.action, named, headers);
    if (!ok) {
      throw new Error(begun.said || form.dataset.broken);
    }
    place = { ...begun, at: 0 };
  }
  const size = Number(form.dataset.piece);
  const bar = form.querySelector("progress");
  bar.hidden = false;
  while (place.at < file.size) {
    const piece = file.slice(place.at, place.at + size);
    const [ok, told] = await post(`${place.piece}?at=${place.at}`, piece, {
      ...headers,
      "Content-Type": "application/octet-stream",
    });
    if (!ok) {
      sessionStorage.removeItem(known(file));
      throw new Error(told.said || form.dataset.broken);
    }
    place.at = told.size;
    sessionStorage.setItem(known(file), JSON.stringify(place));
    bar.value = (100 * place.at) / file.size;
  }
  sessionStorage.removeItem(known(file));
  location.assign(place.then);
};

form?.addEventListener("submit", async (event) => {
  const file = form.querySelector("input[type=file]").files[0];
  if (!file) {
    return;
  }
  event.preventDefault();
  say("");
  if (file.size > Number(form.dataset.most)) {
    say(form.dataset.tooLong);
    return;
  }
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    await send(file);
  } catch (error) {
    say(error.message);
    button.disabled = false;
  }
});
