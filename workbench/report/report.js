"use strict";
(() => {
  const root = document.documentElement;
  const figures = [...document.querySelectorAll("figure[data-figure]")];
  const select = document.getElementById("trait");
  const toggle = document.getElementById("theme");
  const narrow = window.matchMedia("(max-width: 35rem)");
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const touch = window.matchMedia("(pointer: coarse)");
  const PRINT_WIDTH = 660; // pixels of text on A4 or Letter within the stylesheet's margins
  const ALL = "all";
  let printing = false;

  // What went wrong, where a reader's bug report (and a test) can find it.
  const errors = [];
  root.dataset.errors = "";
  const complain = (what) => {
    errors.push(String(what));
    root.dataset.errors = errors.join("\n");
  };
  window.addEventListener("error", (event) => complain(event.message));
  window.addEventListener("unhandledrejection", (event) => complain(event.reason));

  // Colours: the stylesheet's variables, and a figure's own greys mirrored in dark mode.
  const chosenTheme = () => root.dataset.theme || (prefersDark.matches ? "dark" : "light");
  const isDark = () => !printing && chosenTheme() === "dark";
  const cssColour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const brush = document.createElement("canvas").getContext("2d");
  const channels = (text) => {
    brush.fillStyle = "#010203";
    brush.fillStyle = text;
    const value = brush.fillStyle;
    if (value === "#010203") return null;
    if (value[0] === "#") return [...[1, 3, 5].map((at) => parseInt(value.slice(at, at + 2), 16)), 1];
    return value.match(/[\d.]+/g).map(Number);
  };
  const mirrored = (text) => {
    const found = channels(text);
    if (!found || found[3] === 0) return text;
    const grey = found.slice(0, 3);
    if (Math.max(...grey) - Math.min(...grey) > 24) return text;
    const [red, green, blue] = grey.map((value) => Math.round(235 - 212 * (value / 255) ** 2));
    return `rgba(${red}, ${green}, ${blue}, ${found[3]})`;
  };
  const mirrorGreys = (node) => {
    for (const [name, value] of Object.entries(node)) {
      if (/color$/i.test(name)) {
        if (typeof value === "string") node[name] = mirrored(value);
        else if (Array.isArray(value)) node[name] = value.map((v) => (typeof v === "string" ? mirrored(v) : v));
      }
      if (value && typeof value === "object" && !Array.isArray(value)) mirrorGreys(value);
      else if (Array.isArray(value) && value[0] && typeof value[0] === "object") value.forEach(mirrorGreys);
    }
  };

  const hasWebGL = (() => {
    const canvas = document.createElement("canvas");
    return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
  })();

  // A figure as stored → the figure for this page's colours, width and heading.
  const dressed = (stored) => {
    const { data = [], layout = {} } = stored;
    const template = (layout.template && layout.template.layout) || {};
    if (isDark()) mirrorGreys({ data, layout });
    if (!hasWebGL) data.forEach((trace) => { if (trace.type === "scattergl") trace.type = "scatter"; });
    const [paper, ink, rule, grid] = ["--paper", "--ink", "--rule", "--grid"].map(cssColour);
    layout.paper_bgcolor = paper;
    layout.plot_bgcolor = paper;
    layout.font = { ...layout.font, color: ink, family: getComputedStyle(document.body).fontFamily };
    layout.hoverlabel = { ...layout.hoverlabel, font: { ...((layout.hoverlabel || {}).font || {}), family: layout.font.family } };
    layout.xaxis = layout.xaxis || {};
    layout.yaxis = layout.yaxis || {};
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
      Object.assign(layout[name], { gridcolor: grid, linecolor: rule, zerolinecolor: rule, tickcolor: rule });
    }
    // The page's heading stands for the plotly title, and its room goes to the plot.
    delete layout.title;
    const margin = { ...template.margin, ...layout.margin };
    const crowned = (layout.annotations || []).some((note) => note.yref === "paper" && note.y >= 0.95);
    layout.margin = { ...margin, t: Math.min(margin.t ?? 100, crowned ? 56 : 30), b: margin.b ?? 60 };
    layout.autosize = true;
    delete layout.width;
    if (printing) layout.width = PRINT_WIDTH;
    if (touch.matches) layout.dragmode = false;
    if (narrow.matches && !printing) {
      layout.font.size = Math.min(layout.font.size || (template.font || {}).size || 12, 11);
      layout.margin = { ...layout.margin, l: Math.min(margin.l ?? 80, 48), r: Math.min(margin.r ?? 80, 12) };
      layout.legend = { ...layout.legend, orientation: "h", xref: "container", x: 0.5, xanchor: "center", yref: "container", y: 0, yanchor: "bottom" };
    }
    return { data, layout };
  };
  const panelColumns = (layout) =>
    new Set(Object.keys(layout).filter((k) => /^xaxis\d*$/.test(k)).map((k) => ((layout[k].domain || [0])[0]).toFixed(3))).size;

  // Drawing: lazily, again when the trait, the colours or the width class change.
  const wanted = () => (select ? select.value : ALL);
  const nameOf = (key) => (key === ALL ? "All traits" : key);
  const sourceOf = (figure) => {
    const sources = [...figure.querySelectorAll('script[type="application/json"]')];
    const keyed = (key) => sources.find((source) => source.dataset.key === key);
    return (sources.length > 1 && keyed(wanted())) || keyed(ALL) || sources[0];
  };
  const draw = (figure) => {
    const plot = figure.querySelector(".plot");
    const source = sourceOf(figure);
    const key = source.dataset.key;
    figure.dataset.key = key;
    try {
      const { data, layout } = dressed(JSON.parse(source.textContent));
      const columns = panelColumns(layout);
      plot.style.minWidth = columns > 2 && !printing ? `${columns * 165}px` : "";
      layout.height = layout.height || 440;
      if (printing) layout.height *= 0.78;
      layout.uirevision = key;
      figure.dataset.alt = figure.dataset.alt || plot.getAttribute("aria-label");
      plot.setAttribute("aria-label", key === ALL ? figure.dataset.alt : `${figure.dataset.alt} Shown: ${key}.`);
      const standin = plot.querySelector(".standin");
      if (standin) standin.remove();
      Plotly.react(plot, data, layout, {
        responsive: true, displaylogo: false, displayModeBar: touch.matches ? false : "hover",
        showSendToCloud: false, plotlyServerURL: "", // the data stay on this page
        modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
        toImageButtonOptions: { format: "svg", filename: `${figure.dataset.figure}-${key}` },
      }).then(() => { figure.dataset.drawn = key; }, complain);
    } catch (error) {
      complain(`${figure.dataset.figure}: ${error.message}`);
    }
  };
  const redraw = () => figures.filter((figure) => figure.dataset.key).forEach(draw);

  const showTrait = () => {
    for (const figure of figures) {
      const shown = figure.querySelector(".shown");
      const several = figure.querySelectorAll('script[type="application/json"]').length > 1;
      const key = sourceOf(figure).dataset.key;
      const missing = several && key !== wanted() && wanted() !== ALL;
      shown.textContent = nameOf(key) + (missing ? ` (this figure has none for ${wanted()})` : "");
      if (figure.dataset.key && figure.dataset.key !== key) draw(figure);
    }
    for (const answer of document.querySelectorAll("article[data-trait]")) {
      answer.hidden = wanted() !== ALL && answer.dataset.trait !== wanted();
    }
  };

  const readHash = () => {
    const hash = new URLSearchParams(location.hash.slice(1));
    const trait = hash.get("trait");
    if (select && trait && [...select.options].some((option) => option.value === trait)) select.value = trait;
    if (hash.has("dark")) root.dataset.theme = "dark";
    if (hash.has("light")) root.dataset.theme = "light";
    toggle.setAttribute("aria-pressed", String(chosenTheme() === "dark"));
  };

  // Tables: a click on a heading sorts by it, a second click turns the order; gaps stay last.
  const words = new Intl.Collator("en", { numeric: true });
  const sortBy = (heading) => {
    const table = heading.closest("table");
    const at = heading.cellIndex;
    const numeric = heading.classList.contains("number");
    const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const number = (text) => ({ inf: Infinity, "-inf": -Infinity })[text] ?? Number(text);
    const order = (a, b) => {
      if (!numeric) return words.compare(a, b);
      return number(a) < number(b) ? -1 : number(a) > number(b) ? 1 : 0;
    };
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [row.cells[at].dataset.value, row]);
    const gaps = rows.filter(([value]) => value === "");
    const present = rows.filter(([value]) => value !== "").sort(([a], [b]) => direction * order(a, b));
    body.append(...[...present, ...gaps].map(([, row]) => row));
    for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  };
  for (const button of document.querySelectorAll("th button")) {
    button.addEventListener("click", () => sortBy(button.closest("th")));
  }

  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    root.dataset.theme = chosenTheme() === "dark" ? "light" : "dark";
    toggle.setAttribute("aria-pressed", String(chosenTheme() === "dark"));
    redraw();
  });
  prefersDark.addEventListener("change", () => { readHash(); redraw(); });
  narrow.addEventListener("change", redraw);
  if (select) {
    select.addEventListener("change", () => {
      showTrait();
      document.getElementById("said").textContent = `Figures and answers now show ${nameOf(wanted())}.`;
      history.replaceState(null, "", `#trait=${encodeURIComponent(wanted())}`);
    });
  }
  window.addEventListener("hashchange", () => {
    const theme = chosenTheme();
    readHash();
    showTrait();
    if (chosenTheme() !== theme) redraw();
  });

  // On paper: every figure, in light colours, as wide as the sheet's text.
  window.addEventListener("beforeprint", () => {
    printing = true;
    root.dataset.printed = root.dataset.theme || "";
    root.dataset.theme = "light";
    document.querySelectorAll("details").forEach((details) => { details.open = true; });
    figures.forEach(draw);
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    if (root.dataset.printed) root.dataset.theme = root.dataset.printed;
    else delete root.dataset.theme;
    delete root.dataset.printed;
    figures.forEach(draw);
  });

  readHash();
  showTrait();
  const observer = new IntersectionObserver((entries) => {
    for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
      observer.unobserve(target);
      if (!target.dataset.key) draw(target);
    }
  }, { rootMargin: "400px 0px" });
  for (const figure of figures) {
    // What is in view at once need not wait for the observer's first frame.
    if (figure.getBoundingClientRect().top < window.innerHeight) draw(figure);
    else observer.observe(figure);
  }
})();
