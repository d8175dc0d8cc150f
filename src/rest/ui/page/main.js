// Which page is shown, and keeping it up to date.

const REFRESH_MS = 2000;
let current = { update: null, turn: 0 };

function route() {
  const parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  if (parts[0] === "new") return { page: "new", title: "New connector", show: showNew };
  if (parts[0] === "worker") return { page: "worker", title: "Worker", show: showWorker };
  if (parts[0] === "connectors" && parts[1]) {
    const name = parts[1];
    const show = { config: showConfig, offsets: showOffsets, preview: showPreview }[parts[2]] ?? showConnector;
    return { page: "list", title: name, show: (main) => show(main, name) };
  }
  return { page: "list", title: "Connectors", show: showList };
}

async function navigate() {
  const turn = current.turn + 1;
  current = { update: null, turn };
  const { page, title, show } = route();
  document.title = `${title} – Ringmain`;
  for (const link of document.querySelectorAll("[data-page]")) {
    if (link.dataset.page === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const main = el("main", { id: "main", tabindex: "-1" });
  try {
    const update = await show(main);
    if (turn !== current.turn) return;
    current.update = update;
  } catch (error) {
    if (turn !== current.turn) return;
    main.replaceChildren(el("h1", {}, title), el("p", { class: "note bad" }, error.message), el("p", {}, el("a", { href: "#/" }, "All connectors")));
  }
  byId("main").replaceWith(main);
  main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function showHealth(look, text) {
  byId("health").querySelector(".dot").className = `dot ${look}`;
  if (byId("health-text").textContent !== text) byId("health-text").textContent = text;
}

async function checkHealth() {
  try {
    const health = await get("/health");
    showHealth("good", health.status);
  } catch (error) {
    showHealth(error.status === 503 ? "wait" : "bad", error.message);
  }
}

/** One after the other, so that a slow worker is not asked faster than it answers; a hidden page asks nothing. */
async function keepUpToDate() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
    if (document.hidden) continue;
    await checkHealth();
    const { update, turn } = current;
    // A list of choices that is open would be closed by a redraw.
    if (!update || byId("ask").open || document.activeElement?.tagName === "SELECT") continue;
    try {
      await update();
    } catch (error) {
      if (turn === current.turn && error.status === 404) await navigate();
    }
  }
}

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
    event.preventDefault();
    byId("filter")?.focus();
  }
});
window.addEventListener("hashchange", navigate);
checkHealth();
navigate();
keepUpToDate();
