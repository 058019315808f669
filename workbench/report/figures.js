"use strict";
// What went wrong, where a reader's bug report (and a test) can find it.
const complain = (() => {
  const root = document.documentElement;
  root.dataset.errors = "";
  const told = (what) => { root.dataset.errors = [root.dataset.errors, String(what)].filter(Boolean).join("\n"); };
  window.addEventListener("error", (event) => told(event.message));
  window.addEventListener("unhandledrejection", (event) => told(event.reason));
  return told;
})();

// Figures: the stored ones in the page's colours and width, drawn when they come into view.
const reportFigures = (() => {
  const root = document.documentElement;
  const all = [...document.querySelectorAll("figure[data-figure]")];
  const narrow = window.matchMedia("(max-width: 35rem)");
  const touch = window.matchMedia("(pointer: coarse)");
  const PRINT_WIDTH = 660; // pixels of text on A4 or Letter within the stylesheet's margins
  const SAVED_WIDTH = 760;
  const READABLE = 3.5; // contrast of a mark with the page
  const ALL = "all";
  const state = { wanted: ALL, dark: false, printing: false };
  const cssColour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // Dark mode: greys are mirrored, colours get as much white as makes them legible, and scales, which start or have
  // their middle at the light ground, are turned over in lightness.
  const brush = document.createElement("canvas").getContext("2d");
  const channels = (text) => {
    brush.fillStyle = "#010203";
    brush.fillStyle = text;
    const value = brush.fillStyle;
    if (value === "#010203") return null;
    if (value[0] === "#") return [...[1, 3, 5].map((at) => parseInt(value.slice(at, at + 2), 16)), 1];
    return value.match(/[\d.]+/g).map(Number);
  };
  const written = ([red, green, blue], alpha) => `rgba(${[red, green, blue].map(Math.round).join(", ")}, ${alpha})`;
  const luminance = (parts) => {
    const [red, green, blue] = parts.slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const onDark = (text, paper) => {
    const found = channels(text);
    if (!found || found[3] === 0) return text;
    const [parts, alpha] = [found.slice(0, 3), found[3]];
    if (Math.max(...parts) - Math.min(...parts) <= 24) return written(parts.map((part) => 235 - 212 * (part / 255) ** 2), alpha);
    const ground = luminance(paper) + 0.05;
    let mixed = parts;
    for (let white = 0; white < 1 && (luminance(mixed) + 0.05) / ground < READABLE; white += 0.02) {
      mixed = parts.map((part) => part + (255 - part) * white);
    }
    return written(mixed, alpha);
  };
  const turnedOver = (text, paper) => {
    const found = channels(text);
    if (!found) return text;
    const parts = found.slice(0, 3);
    const shift = 255 - Math.max(...parts) - Math.min(...parts);
    return written(parts.map((part, at) => paper[at] + (part + shift) * (1 - paper[at] / 255)), found[3]);
  };
  const darken = (node, paper) => {
    for (const [name, value] of Object.entries(node)) {
      if (/color$/i.test(name) && typeof value === "string") node[name] = onDark(value, paper);
      else if (/color$/i.test(name) && Array.isArray(value)) node[name] = value.map((one) => (typeof one === "string" ? onDark(one, paper) : one));
      else if (name === "colorscale" && Array.isArray(value)) node[name] = value.map(([at, colour]) => [at, turnedOver(colour, paper)]);
      else if (Array.isArray(value)) value.filter((one) => one && typeof one === "object" && !Array.isArray(one)).forEach((one) => darken(one, paper));
      else if (value && typeof value === "object") darken(value, paper);
    }
  };

  const hasWebGL = (() => {
    const canvas = document.createElement("canvas");
    return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
  })();

  // A figure as stored → the figure for these colours and this width, without its own title.
  const dressed = (stored, { dark, printing, colours }) => {
    const { data = [], layout = {} } = stored;
    const template = (layout.template && layout.template.layout) || {};
    if (dark) darken({ data, layout }, channels(colours.paper));
    // Paper and saved files hold no WebGL.
    if (!hasWebGL || printing) data.forEach((trace) => { if (trace.type === "scattergl") trace.type = "scatter"; });
    layout.paper_bgcolor = colours.paper;
    layout.plot_bgcolor = colours.paper;
    layout.font = { ...layout.font, color: colours.ink, family: getComputedStyle(document.body).fontFamily };
    layout.hoverlabel = { ...layout.hoverlabel, font: { ...((layout.hoverlabel || {}).font || {}), family: layout.font.family } };
    layout.xaxis = layout.xaxis || {};
    layout.yaxis = layout.yaxis || {};
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
      Object.assign(layout[name], { gridcolor: colours.grid, linecolor: colours.rule, zerolinecolor: colours.rule, tickcolor: colours.rule });
    }
    // The page's heading stands for the plotly title, and its room goes to the plot.
    delete layout.title;
    const margin = { ...template.margin, ...layout.margin };
    const crowns = (layout.annotations || []).filter((note) => /^(paper|y\d* domain)$/.test(note.yref) && note.y >= 0.95 && note.yanchor === "bottom");
    const lines = Math.max(0, ...crowns.map((note) => String(note.text).split("<br>").length));
    layout.margin = { ...margin, t: Math.max(Math.min(margin.t ?? 100, lines ? 56 : 30), lines && 12 + 17 * lines), b: margin.b ?? 60 };
    layout.autosize = true;
    layout.height = layout.height || 440;
    delete layout.width;
    return { data, layout };
  };
  const ink = ([paper, text, rule, grid]) => ({ paper, ink: text, rule, grid });
  // On a phone the figure as it is laid out for a narrow column, where the page holds that.
  const narrowly = () => narrow.matches && !state.printing;
  const fitted = (stored) => {
    if (!narrowly() || !stored.narrow) return stored;
    const { layout, colorbars } = stored.narrow;
    const data = stored.data.map((trace, at) => (colorbars[at] ? { ...trace, colorbar: colorbars[at] } : trace));
    return { data, layout: { ...layout, template: stored.layout.template } };
  };
  const onScreen = (whole) => {
    const stored = fitted(whole);
    const colours = ink(["--paper", "--ink", "--rule", "--grid"].map(cssColour));
    const { data, layout } = dressed(stored, { dark: state.dark && !state.printing, printing: state.printing, colours });
    const { margin } = layout;
    if (state.printing) Object.assign(layout, { width: PRINT_WIDTH, height: layout.height * 0.78 });
    if (touch.matches) layout.dragmode = false;
    if (narrowly()) {
      const template = (layout.template && layout.template.layout) || {};
      layout.font.size = Math.min(layout.font.size || (template.font || {}).size || 12, 12);
      layout.margin = { ...margin, l: Math.min(margin.l ?? 80, 48), r: Math.min(margin.r ?? 80, 12) };
    }
    return { data, layout };
  };
  // Panels side by side and numbers in cells need room; a narrower page scrolls the figure.
  const roomOf = ({ data, layout }) => {
    const axes = Object.keys(layout).filter((key) => /^xaxis\d*$/.test(key));
    const panels = new Set(axes.map((key) => ((layout[key].domain || [0])[0]).toFixed(3))).size;
    const widths = data.filter((trace) => trace.type === "heatmap" && trace.texttemplate).map((trace) => (trace.x || []).length);
    const cells = panels > 1 ? widths.reduce((sum, width) => sum + width, 0) : Math.max(0, ...widths);
    if (narrowly()) return cells ? 130 + cells * 40 : 0;
    return Math.max([0, 0, 480][panels] ?? panels * 165, cells ? 160 + cells * 42 : 0);
  };

  const sourcesOf = (figure) => [...figure.querySelectorAll("script[data-key]")];
  const sourceOf = (figure) => {
    const sources = sourcesOf(figure);
    const keyed = (key) => sources.find((source) => source.dataset.key === key);
    return (sources.length > 1 && keyed(state.wanted)) || keyed(ALL) || sources[0];
  };

  const draw = (figure) => {
    const plot = figure.querySelector(".plot");
    const source = sourceOf(figure);
    const key = source.dataset.key;
    figure.dataset.key = key;
    if (!packed.figureReady(source)) {
      packed.figureTaken(source).then(() => { if (figure.dataset.key === key) draw(figure); }, complain);
      return;
    }
    try {
      const { data, layout } = onScreen(packed.figure(source));
      const room = roomOf({ data, layout });
      plot.style.minWidth = room && !state.printing ? `${room}px` : "";
      const stage = plot.parentElement;
      if (stage.scrollWidth > stage.clientWidth) stage.setAttribute("tabindex", "0");
      else stage.removeAttribute("tabindex");
      layout.uirevision = key;
      const standin = figure.querySelector(".standin");
      figure.dataset.alt = figure.dataset.alt || standin.textContent;
      const own = (layout.meta || {}).alt;
      standin.setAttribute("aria-label", own || (key === ALL ? figure.dataset.alt : `${figure.dataset.alt} Shown: ${key}.`));
      standin.className = "standin unseen"; // the figure stands before it; readers of the text still have it
      Plotly.react(plot, data, layout, {
        responsive: true, displaylogo: false, displayModeBar: touch.matches ? false : "hover",
        showSendToCloud: false, plotlyServerURL: "", // the data stay on this page
        modeBarButtonsToRemove: ["toImage", "lasso2d", "select2d", "autoScale2d"],
      }).then(() => {
        figure.dataset.drawn = key;
        // What only a mouse reaches is no stop for the keyboard.
        plot.querySelectorAll("button, a, [tabindex]").forEach((one) => one.setAttribute("tabindex", "-1"));
      }, complain);
    } catch (error) {
      complain(`${figure.dataset.figure}: ${error.message}`);
    }
  };

  const nameOf = (key) => (key === ALL ? "All traits" : key);
  const tell = (figure) => {
    const source = sourceOf(figure);
    const key = source.dataset.key;
    const missing = sourcesOf(figure).length > 1 && key !== state.wanted && state.wanted !== ALL;
    figure.querySelector(".shown").textContent = nameOf(key) + (missing ? ` (this figure has none for ${state.wanted})` : "");
    figure.querySelector(".stage").style.setProperty("--height", `${source.dataset.height}px`);
    const file = figure.querySelector(".file");
    if (file) file.textContent = source.dataset.file;
    if (figure.dataset.key && figure.dataset.key !== key) draw(figure);
  };

  // A figure as a file is on white paper, whatever the page's colours.
  const save = async (figure) => {
    const source = sourceOf(figure);
    const key = source.dataset.key;
    await packed.figureTaken(source);
    const colours = ink(["#ffffff", "#1d2125", "#d9d8d3", "#e6e5e1"]);
    const { data, layout } = dressed(packed.figure(source), { dark: false, printing: true, colours });
    const filename = figure.dataset.figure + (key === ALL ? "" : `-${key.toLowerCase()}`);
    return Plotly.downloadImage({ data, layout }, { format: "svg", filename, width: SAVED_WIDTH, height: layout.height });
  };
  for (const figure of all) {
    const button = figure.querySelector(".save");
    button.hidden = false;
    button.addEventListener("click", () => save(figure).catch(complain));
  }

  const observer = new IntersectionObserver((entries) => {
    for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
      observer.unobserve(target);
      if (!target.dataset.key) draw(target);
    }
  }, { rootMargin: "400px 0px" });
  const drawnAlready = () => all.filter((figure) => figure.dataset.key);
  const redraw = () => drawnAlready().forEach(draw);
  narrow.addEventListener("change", redraw);

  return {
    show: (wanted) => { state.wanted = wanted; all.forEach(tell); },
    colour: (dark) => { if (state.dark !== dark) { state.dark = dark; redraw(); } },
    print: (printing) => { state.printing = printing; all.forEach(draw); },
    start: () => {
      for (const figure of all) {
        // What is in view at once need not wait for the observer's first frame.
        if (figure.getBoundingClientRect().top < window.innerHeight) draw(figure);
        else observer.observe(figure);
      }
    },
    // Paper is printed at once: what it needs is taken out of the page before.
    take: async () => { for (const figure of all) await packed.figureTaken(sourceOf(figure)); },
  };
})();
