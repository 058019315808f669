"use strict";
// The page: its trait, its colours, its contents, and what paper needs.
(() => {
  const root = document.documentElement;
  const select = document.getElementById("trait");
  const toggle = document.getElementById("theme");
  const contents = document.getElementById("contents");
  const articles = [...document.querySelectorAll("article[data-trait]")];
  const more = document.getElementById("more-answers");
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const wide = window.matchMedia("(min-width: 72rem)");
  const ALL = "all";
  root.classList.add("js");

  // The trait: figures, answers and tables follow it. With all traits, one answer of each stands for the rest.
  const wanted = () => (select ? select.value : ALL);
  let everyAnswer = false;
  const showAnswers = () => {
    const seen = new Set();
    let rest = 0;
    for (const article of articles) {
      const { trait } = article.dataset;
      const first = !seen.has(trait);
      seen.add(trait);
      const folded = wanted() === ALL && !first && !everyAnswer;
      article.classList.toggle("off", folded || (wanted() !== ALL && trait !== wanted()));
      rest += wanted() === ALL && !first;
    }
    if (more) {
      more.hidden = rest === 0;
      more.textContent = everyAnswer ? "Show one answer of each trait" : `Show all ${articles.length} answers`;
      more.setAttribute("aria-expanded", String(everyAnswer));
    }
  };
  const showTrait = () => {
    reportFigures.show(wanted());
    reportTables.show(wanted());
    showAnswers();
  };
  if (more) more.addEventListener("click", () => { everyAnswer = !everyAnswer; showAnswers(); });

  // Colours
  const chosenTheme = () => root.dataset.theme || (prefersDark.matches ? "dark" : "light");
  const showTheme = () => {
    toggle.setAttribute("aria-pressed", String(chosenTheme() === "dark"));
    reportFigures.colour(chosenTheme() === "dark");
  };
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    root.dataset.theme = chosenTheme() === "dark" ? "light" : "dark";
    showTheme();
  });
  prefersDark.addEventListener("change", showTheme);

  // The address: #trait=Openness, &dark or &light, or a place on the page, which is unfolded.
  const readHash = () => {
    const hash = new URLSearchParams(location.hash.slice(1));
    const trait = hash.get("trait");
    if (select && trait && [...select.options].some((option) => option.value === trait)) select.value = trait;
    if (hash.has("dark")) root.dataset.theme = "dark";
    if (hash.has("light")) root.dataset.theme = "light";
  };
  const reveal = (id) => {
    const place = id && document.getElementById(id);
    if (place && place.matches("details.table")) place.open = true;
    return place;
  };
  if (select) {
    document.getElementById("switch").hidden = false;
    select.addEventListener("change", () => {
      showTrait();
      const name = wanted() === ALL ? "all traits" : wanted();
      document.getElementById("said").textContent = `Figures, answers and tables now show ${name}.`;
      history.replaceState(null, "", `#trait=${encodeURIComponent(wanted())}`);
    });
  }
  window.addEventListener("hashchange", () => {
    readHash();
    showTheme();
    showTrait();
    reveal(location.hash.slice(1));
  });

  // Contents: beside the page where there is room, else folded into the bar; where the reader is stands out.
  const fold = () => { contents.open = wide.matches; };
  wide.addEventListener("change", fold);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link) reveal(link.getAttribute("href").slice(1));
    if (!wide.matches && (!contents.contains(event.target) || link)) contents.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || wide.matches || !contents.open) return;
    contents.open = false;
    contents.querySelector("summary").focus();
  });
  const entries = new Map([...contents.querySelectorAll(":scope > ol > li")].map((entry) => [entry.querySelector("a").hash.slice(1), entry]));
  const here = new IntersectionObserver((seen) => {
    for (const { target } of seen.filter((one) => one.isIntersecting)) {
      for (const [id, entry] of entries) {
        entry.classList.toggle("here", id === target.id);
        if (id === target.id) entry.querySelector("a").setAttribute("aria-current", "true");
        else entry.querySelector("a").removeAttribute("aria-current");
      }
      const side = contents.closest(".side");
      const entry = entries.get(target.id);
      if (wide.matches && entry) side.scrollTop += entry.getBoundingClientRect().top - side.getBoundingClientRect().top - side.clientHeight / 3;
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  for (const id of entries.keys()) here.observe(document.getElementById(id));

  // On paper: everything unfolded, every figure, in light colours, as wide as the sheet's text.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    root.dataset.printed = root.dataset.theme || "";
    root.dataset.theme = "light";
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((details) => { details.open = true; });
    reportTables.unfold();
    reportFigures.print(true);
  });
  window.addEventListener("afterprint", () => {
    if (root.dataset.printed) root.dataset.theme = root.dataset.printed;
    else delete root.dataset.theme;
    delete root.dataset.printed;
    folded.forEach((details) => { details.open = false; });
    reportFigures.print(false);
  });

  readHash();
  fold();
  showTheme();
  showTrait();
  reportFigures.start();
  const place = reveal(location.hash.slice(1));
  if (place) place.scrollIntoView();
  const later = window.requestIdleCallback || ((then) => setTimeout(then, 1000));
  later(async () => { await reportFigures.take(); await reportTables.take(); });
})();
