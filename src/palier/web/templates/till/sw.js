{% autoescape off %}// Keeps the till's shell on the tablet: pages and files come from the network while it is there, from here otherwise.
// They are of release and program {{ kept_version }}: another one is fetched anew.
const ROOT = "{{ root }}";
const SHELL = "{{ shell }}";
const FILES = [{% for file in files %}"{{ file }}"{% if not forloop.last %}, {% endif %}{% endfor %}];{% endautoescape %}
const NAME = `palier-till ${ROOT}`;

const fetchedFresh = async () => {
  const kept = await caches.open(NAME);
  await kept.addAll([...FILES, SHELL].map((url) => new Request(url, { cache: "reload" })));
};

self.addEventListener("install", (event) => {
  event.waitUntil(fetchedFresh().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

// The shell in the language that was chosen last.
self.addEventListener("message", (event) => {
  if (event.data === "refresh") {
    event.waitUntil(fetchedFresh().catch(() => undefined));
  }
});

// Away is also a server that is overloaded, has no database, or is not there behind its proxy.
const AWAY = [502, 503, 504];

const answered = async (request) => {
  const answer = await fetch(request);
  if (AWAY.includes(answer.status)) {
    throw new TypeError(`answered ${answer.status}`);
  }
  return answer;
};

const orKept = async (request) => {
  try {
    const answer = await answered(request);
    if (answer.ok) {
      const kept = await caches.open(NAME);
      await kept.put(request, answer.clone());
    }
    return answer;
  } catch (error) {
    const found = await caches.match(request, { ignoreSearch: true });
    if (found) {
      return found;
    }
    throw error;
  }
};

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) {
    return;
  }
  if (request.mode === "navigate" && url.pathname.startsWith(ROOT)) {
    // Forms too: whoever locks the till or ends a shift without the network finds the shell, not the browser's error.
    event.respondWith(answered(request).catch(() => caches.match(SHELL)));
  } else if (request.method === "GET" && FILES.includes(url.pathname)) {
    event.respondWith(orKept(request));
  }
});
