(function () {
  "use strict";
  // Charts come alive only when everything needed is here; whatever goes wrong, the static pictures stay.
  var packed = document.getElementById("plotly-gz");
  var holders = Array.prototype.slice.call(document.querySelectorAll("[data-figure]"));
  if (!packed || !holders.length || !window.DecompressionStream) { return; }
  var twins = JSON.parse(document.getElementById("dark-twins").textContent);
  var dark = window.matchMedia("(prefers-color-scheme: dark)");

  function repaint(value) {
    if (typeof value === "string") { return dark.matches && twins[value] ? twins[value] : value; }
    if (Array.isArray(value)) { return typeof value[0] === "number" ? value : value.map(repaint); }
    if (value && typeof value === "object") {
      var out = {};
      Object.keys(value).forEach(function (key) { out[key] = repaint(value[key]); });
      return out;
    }
    return value;
  }

  function draw(holder) {
    var figure = repaint(JSON.parse(document.getElementById(holder.getAttribute("data-figure")).textContent));
    var live = holder.querySelector(".live");
    live.hidden = false;
    return window.Plotly.react(live, figure.data, figure.layout, {
      displaylogo: false, responsive: true, displayModeBar: "hover",
      modeBarButtonsToRemove: ["toImage", "lasso2d", "select2d", "autoScale2d"]
    }).then(function () {
      holder.querySelector(".still").hidden = true;
      holder.setAttribute("data-drawn", "yes");
    }, function () { live.hidden = true; });
  }

  // Plotly's map library writes a style element of its own, which the policy refuses and we do not need: it leaves that
  // alone when an element with its id is there already.
  function occupy(source) {
    (source.match(/getElementById\("[0-9a-f]{64}"\)/g) || []).forEach(function (call) {
      var mark = document.createElement("template");
      mark.id = call.slice(16, 80);
      document.head.appendChild(mark);
    });
  }

  function start(source) {
    occupy(source);
    var script = document.createElement("script");
    script.textContent = source;           // allowed by its hash in the page's policy, nothing else would be
    document.head.appendChild(script);
    if (!window.Plotly) { return; }
    var all = holders.reduce(function (done, holder) { return done.then(function () { return draw(holder); }); }, Promise.resolve());
    all.then(function () { document.documentElement.setAttribute("data-charts", "live"); });
    dark.addEventListener("change", function () { holders.forEach(draw); });
    window.addEventListener("beforeprint", function () { holders.forEach(function (h) { h.querySelector(".still").hidden = false; }); });
    window.addEventListener("afterprint", function () { holders.forEach(function (h) { h.querySelector(".still").hidden = true; }); });
  }

  function inflate() {
    var text = atob(packed.textContent.trim());
    var bytes = new Uint8Array(text.length);
    for (var i = 0; i < text.length; i += 1) { bytes[i] = text.charCodeAt(i); }
    var stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  window.setTimeout(function () { inflate().then(start).catch(function () { return undefined; }); }, 0);
}());
