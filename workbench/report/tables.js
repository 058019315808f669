"use strict";
// Tables: sorted by any column, narrowed to the trait shown, saved with their exact values.
const reportTables = (() => {
  const FEW = 12; // rows of a long table that are shown at first
  const ALL = "all";
  const FOLLOWS = ["trait", "edited", "trait_a", "trait_b"]; // columns that name a row's trait
  const words = new Intl.Collator("en", { numeric: true });
  const exact = (cell) => cell.dataset.v ?? cell.textContent;
  const number = (text) => ({ inf: Infinity, "-inf": -Infinity })[text] ?? Number(text);
  const sized = (count) => count.toLocaleString("en");

  const tableOf = (box) => {
    const table = box.querySelector("table");
    const headings = [...table.tHead.rows[0].cells];
    const names = headings.map((heading) => JSON.parse(heading.dataset.names));
    const rest = box.querySelector("script.rows"); // the rows that are held compressed
    let stored = [...table.tBodies[0].rows];
    const traitAt = names.flatMap(([name], at) => (FOLLOWS.includes(name) ? [at] : []));
    const [which, done] = [".which", ".done"].map((part) => box.querySelector(part));
    const more = box.querySelector(".more");
    let [rows, wanted, whole] = [stored, ALL, false];

    const lay = () => {
      const ofTrait = (row) => wanted === ALL || traitAt.some((at) => exact(row.cells[at]) === wanted);
      let own = rows.filter(ofTrait);
      const none = own.length === 0 && rows.length > 0 && traitAt.length > 0;
      if (none || !traitAt.length) own = rows;
      const shown = new Set(own);
      rows.forEach((row) => row.classList.toggle("off", !shown.has(row)));
      own.forEach((row, at) => row.classList.toggle("beyond", !whole && at >= FEW));
      which.textContent = wanted === ALL || !traitAt.length ? ""
        : none ? `No rows of ${wanted}: all are shown.`
        : `${wanted}: ${sized(own.length)} of ${sized(rows.length)} rows`;
      more.hidden = own.length <= FEW;
      more.textContent = whole ? `Show the first ${FEW} rows` : `Show all ${sized(own.length)} rows`;
      more.setAttribute("aria-expanded", String(whole));
    };

    // All rows, at once if they were taken out of the page before.
    const unfold = () => {
      if (!rest || !rest.isConnected) return;
      if (!packed.taken(rest)) {
        packed.take(rest).then(unfold, complain);
        return;
      }
      table.tBodies[0].insertAdjacentHTML("beforeend", packed.text(rest));
      rest.remove();
      stored = [...table.tBodies[0].rows];
      rows = stored;
      box.querySelector(".tools").hidden = false;
      lay();
    };

    // A click on a heading sorts by it, a second click turns the order; gaps stay last.
    const sortBy = (heading) => {
      const at = heading.cellIndex;
      const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const order = heading.classList.contains("number") ? (a, b) => number(a) - number(b) || 0 : words.compare;
      const keyed = stored.map((row) => [exact(row.cells[at]), row]);
      const gaps = keyed.filter(([value]) => value === "");
      const present = keyed.filter(([value]) => value !== "").sort(([a], [b]) => direction * order(a, b));
      rows = [...present, ...gaps].map(([, row]) => row);
      table.tBodies[0].append(...rows);
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      done.textContent = `Sorted by ${heading.textContent.trim()}, ${direction === 1 ? "least first" : "greatest first"}.`;
      lay();
    };

    const csv = () => {
      const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
      const line = (values) => values.map(quoted).join(",");
      const values = (row) => [...row.cells].flatMap((cell, at) => {
        const found = [exact(cell), cell.dataset.l, cell.dataset.h];
        return found.slice(0, names[at].length);
      });
      return [names.flat(), ...stored.map(values)].map(line).join("\n") + "\n";
    };
    const download = () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
      link.download = `${box.dataset.name}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      done.textContent = `${link.download} holds all ${sized(stored.length)} rows.`;
    };
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(csv());
        done.textContent = `Copied all ${sized(stored.length)} rows.`;
      } catch {
        done.textContent = "The browser does not allow copying here; download it instead.";
      }
    };

    box.querySelector(".tools").hidden = Boolean(rest);
    box.addEventListener("toggle", () => { if (box.open) unfold(); });
    box.querySelector(".download").addEventListener("click", download);
    box.querySelector(".copy").addEventListener("click", copy);
    more.addEventListener("click", () => { whole = !whole; lay(); });
    for (const heading of headings) heading.querySelector("button").addEventListener("click", () => sortBy(heading));
    // A rounded number tells its exact value when it is pointed at.
    table.addEventListener("pointerover", ({ target }) => {
      if (target.classList.contains("n") && target.dataset.v && !target.title) {
        target.title = [target.dataset.v, target.dataset.l, target.dataset.h].filter(Boolean).join(", ");
      }
    });
    const take = () => (rest && rest.isConnected ? packed.take(rest) : null);
    return { show: (trait) => { wanted = trait; lay(); }, unfold, take };
  };

  const tables = [...document.querySelectorAll("details.table")].map(tableOf);
  return {
    show: (trait) => tables.forEach((table) => table.show(trait)),
    unfold: () => tables.forEach((table) => table.unfold()),
    take: async () => { for (const table of tables) await table.take(); },
  };
})();
