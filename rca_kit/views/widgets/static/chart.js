// One plotly chart. plotly.js comes from the kernel once per page (the library widget), never from the network.

function repaint(value, twins) {
  if (typeof value === "string") return twins[value] ?? value;
  if (Array.isArray(value)) return value.map((v) => repaint(v, twins));
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, repaint(v, twins)]));
  return value;
}

// A page that was reopened fetches the models of a living kernel one by one, and a cell may run before this one is there.
const WAIT_MS = 250, WAITS = 240;

async function known(manager, id) {
  for (let i = 0; ; i += 1) {
    try {
      return await manager.get_model(id);
    } catch (e) {
      if (i >= WAITS) throw e;
      await new Promise((go) => setTimeout(go, WAIT_MS));
    }
  }
}

async function library(model) {
  const lib = await known(model.widget_manager, model.get("library").replace("IPY_MODEL_", ""));
  const version = lib.get("version");
  globalThis.__rcaKitPlotly ??= {};
  globalThis.__rcaKitPlotly[version] ??= (async () => {
    // plotly is a script of the old kind: run it with a module object of its own, whatever loaders the page has
    const text = `const module = { exports: {} };\n(function (module, exports, define) {\n${lib.get("source")}\n})(module, module.exports);\nexport default module.exports;`;
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const loaded = await import(/* webpackIgnore: true */ url);
    URL.revokeObjectURL(url);
    return loaded.default;
  })();
  return globalThis.__rcaKitPlotly[version];
}

async function render({ model, el }) {
  el.classList.add("rk-host");
  const root = document.createElement("div");
  root.className = "rk-chart";
  root.setAttribute("role", "figure");
  el.appendChild(root);
  const Plotly = await library(model);
  let last = 0;

  function send(event) {
    last += 1;
    model.send({ ...event, serial: last });
  }

  let drawing = Promise.resolve();
  function draw() {
    drawing = drawing.then(async () => {
      const figure = model.get("figure");
      const shown = isDark(el) ? repaint(figure, model.get("twins")) : figure;
      root.classList.toggle("rk-dark", isDark(el));
      root.setAttribute("aria-label", model.get("label"));
      await Plotly.react(root, shown.data ?? [], { ...shown.layout, autosize: true }, {
        displaylogo: false, responsive: true, scrollZoom: false, showTips: false,
        modeBarButtonsToRemove: ["toImage", "lasso2d", "autoScale2d"], ...(model.get("options") ?? {}),
      });
      root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
    });
    return drawing;
  }

  await draw();
  root.on("plotly_selected", (e) => {
    const span = e && (e.range?.x ?? Object.entries(e.range ?? {}).find(([k]) => k.startsWith("x"))?.[1]);
    if (span) send({ act: "brush", range: span.map(String) });
  });
  const clicked = (e) => {
    const point = e.points && e.points[0];
    if (point) send({ act: "click", id: String(point.id ?? ""), x: String(point.x ?? ""), y: String(point.y ?? "") });
  };
  root.on("plotly_click", clicked);
  for (const kind of ["plotly_icicleclick", "plotly_treemapclick"]) {
    root.on(kind, (e) => { clicked(e); return false; }); // Python draws the level below
  }
  model.on("change:figure", draw);
  const quiet = onTheme(el, draw);
  const resize = new ResizeObserver(() => { if (root.offsetWidth) Plotly.Plots.resize(root); });
  resize.observe(el);
  return () => { quiet(); resize.disconnect(); model.off("change:figure", draw); Plotly.purge(root); };
}

export default { render };
