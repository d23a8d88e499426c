// Passkeys: asks the device, hands its answer over. Buttons with data-passkey stay hidden where there is no such device.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function readable(options) {
  const asked = { ...options.publicKey, challenge: bytes(options.publicKey.challenge) };
  if (asked.user) asked.user = { ...asked.user, id: bytes(asked.user.id) };
  for (const name of ["excludeCredentials", "allowCredentials"]) {
    if (asked[name]) asked[name] = asked[name].map((each) => ({ ...each, id: bytes(each.id) }));
  }
  return { publicKey: asked };
}

function written(credential) {
  const given = credential.response;
  const response = { clientDataJSON: text(given.clientDataJSON) };
  if (given.attestationObject) response.attestationObject = text(given.attestationObject);
  else {
    response.authenticatorData = text(given.authenticatorData);
    response.signature = text(given.signature);
    if (given.userHandle) response.userHandle = text(given.userHandle);
  }
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response };
}

async function post(form, address, body) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  let asking = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    // The device answers one challenge: a second tap would end it, and leave a key on the device that opens nothing.
    if (asking) return;
    asking = true;
    const said = form.querySelector("[data-said]");
    said.hidden = true;
    try {
      const options = readable(await post(form, form.dataset.begin, {}));
      const credential =
        form.dataset.passkey === "add"
          ? await navigator.credentials.create(options)
          : await navigator.credentials.get(options);
      const done = await post(form, form.action, written(credential));
      window.location.assign(done.to);
    } catch (error) {
      said.textContent = error.name === "Error" ? error.message : form.dataset.failed;
      said.hidden = false;
    } finally {
      asking = false;
    }
  });
}
