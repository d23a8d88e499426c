// Which columns a wide table shows: chosen above it, kept in this browser. Without script all are shown.
(() => {
  const words = document.querySelector("[data-columns]");
  const FEWEST = 5;

  const kept = (name) => {
    try {
      return new Set(JSON.parse(localStorage.getItem(name) ?? "[]"));
    } catch {
      return new Set();
    }
  };

  const keep = (name, hidden) => {
    try {
      localStorage.setItem(name, JSON.stringify([...hidden]));
    } catch {
      // A browser that keeps nothing: the choice holds for this page.
    }
  };

  for (const table of document.querySelectorAll(".console-main .table-box > table")) {
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
    const even = [...table.rows].every((row) => row.cells.length === heads.length);
    if (heads.length < FEWEST || !even) {
      continue;
    }
    const titles = heads.map((head) => head.textContent.trim());
    // Tables with the same columns are the same table, of whichever program or period.
    const name = `columns ${titles.join("|")}`;
    const hidden = kept(name);

    const show = () => {
      for (const row of table.rows) {
        titles.forEach((title, place) => {
          row.cells[place].hidden = place > 0 && hidden.has(title);
        });
      }
    };

    const box = document.createElement("details");
    box.className = "columns";
    const summary = box.appendChild(document.createElement("summary"));
    summary.textContent = words.dataset.columns;
    const choices = box.appendChild(document.createElement("fieldset"));
    const legend = choices.appendChild(document.createElement("legend"));
    legend.className = "visually-hidden";
    legend.textContent = `${words.dataset.columns} ${table.parentElement.getAttribute("aria-label") ?? ""}`;
    titles.forEach((title, place) => {
      // The first column says what a row is about.
      if (place === 0 || !title) {
        return;
      }
      const label = choices.appendChild(document.createElement("label"));
      const choice = label.appendChild(document.createElement("input"));
      choice.type = "checkbox";
      choice.checked = !hidden.has(title);
      choice.addEventListener("change", () => {
        hidden[choice.checked ? "delete" : "add"](title);
        keep(name, hidden);
        show();
      });
      label.append(title);
    });
    const frame = document.createElement("div");
    frame.className = "table-frame";
    const scrolling = table.parentElement;
    scrolling.replaceWith(frame);
    frame.append(box, scrolling);
    show();
  }
})();
