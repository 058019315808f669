/* What the page does without asking the server: its address, its appearance, and names for the handles of its sliders. */
(function () {
  "use strict";
  var KEYS = ["trait", "layers", "q", "d", "rule", "gamma", "scope", "t", "seed", "layer", "neuron", "ask"];
  var dark = window.matchMedia("(prefers-color-scheme: dark)");

  function appearance() {
    return dark.matches ? "dark" : "light";
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.explore = {
    appearance: function () {
      return appearance();
    },
    remember: function () {
      var query = new URLSearchParams();
      for (var i = 0; i < KEYS.length; i += 1) {
        var value = arguments[i];
        if (value !== null && value !== undefined && value !== "") {
          query.set(KEYS[i], Array.isArray(value) ? value.join("-") : String(value));
        }
      }
      window.history.replaceState(window.history.state, "", "?" + query.toString() + window.location.hash);
      return window.dash_clientside.no_update;
    }
  };

  dark.addEventListener("change", function () {
    window.dash_clientside.set_props("appearance", { data: appearance() });
  });

  function name() {
    document.querySelectorAll("[data-label]").forEach(function (control) {
      var label = control.getAttribute("data-label");
      var handles = control.querySelectorAll("[role=slider]");
      var fields = control.querySelectorAll("input");
      [handles, fields].forEach(function (several) {
        several.forEach(function (each, place) {
          var own = several.length > 1 ? label + (place ? ", last" : ", first") : label;
          if (each.getAttribute("aria-label") !== own) {
            each.setAttribute("aria-label", own);
          }
        });
      });
    });
  }

  /* Dash calls a set of radio buttons a list box whose options hold controls, which no assistive technology reads. */
  function group() {
    document.querySelectorAll("fieldset [role=listbox]").forEach(function (list) {
      list.setAttribute("role", "radiogroup");
      list.setAttribute("aria-label", list.closest("fieldset").querySelector("legend").textContent);
    });
    document.querySelectorAll("fieldset label[role=option], fieldset label[aria-selected]").forEach(function (option) {
      option.removeAttribute("role");
      option.removeAttribute("aria-selected");
    });
  }

  function mend() {
    name();
    group();
  }
  new MutationObserver(mend).observe(document.documentElement, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["role", "aria-selected"]
  });
})();
