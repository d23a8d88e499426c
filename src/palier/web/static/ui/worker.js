// The service worker of a program's member pages. KEPT (written above by the server) says what it keeps: a shell in
// both languages and its static files. It never keeps a page or an answer of a member.
const CACHE = KEPT.name + KEPT.version;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll([...Object.values(KEPT.shells), ...KEPT.files]))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const drop = async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith(KEPT.name) && name !== CACHE) {
        await caches.delete(name);
      }
    }
    await self.clients.claim();
  };
  event.waitUntil(drop());
});

const shell = async () => {
  const cache = await caches.open(CACHE);
  const said = await cache.match("/-/language");
  const language = said ? await said.text() : "en";
  return (await cache.match(KEPT.shells[language] || KEPT.shells.en)) || Response.error();
};

// Away is also a server that is overloaded, has no database, or is not there behind its proxy.
const AWAY = [502, 503, 504];

const answered = async (asked) => {
  const answer = await fetch(asked);
  if (AWAY.includes(answer.status)) {
    throw new TypeError(`answered ${answer.status}`);
  }
  return answer;
};

self.addEventListener("fetch", (event) => {
  const asked = event.request;
  if (asked.method !== "GET") {
    return;
  }
  if (asked.mode === "navigate") {
    event.respondWith(answered(asked).catch(shell));
    return;
  }
  const path = new URL(asked.url).pathname;
  if (KEPT.files.some((file) => file.split("?")[0] === path)) {
    // From the network while there is one, so that nothing old is shown; from the shell without it.
    event.respondWith(
      answered(asked).catch(async () => (await (await caches.open(CACHE)).match(asked, { ignoreSearch: true })) || Response.error()),
    );
  }
});

self.addEventListener("message", (event) => {
  const { language } = event.data || {};
  if (KEPT.shells[language]) {
    event.waitUntil(caches.open(CACHE).then((cache) => cache.put("/-/language", new Response(language))));
  }
});
