// One panel of HTML that Python writes. What a person does in it goes back as messages; what they are typing survives a redraw.
// The same markup without this file is the static picture, so nothing here adds content.

function fields(root) {
  const out = {};
  for (const field of root.querySelectorAll("[name]")) {
    out[field.name] = field.type === "checkbox" ? field.checked : field.value;
  }
  return out;
}

// Jupyter serves the files of its folder; where we are not in Jupyter, there is no link
function served(path) {
  const config = document.getElementById("jupyter-config-data");
  const base = config ? JSON.parse(config.textContent).baseUrl : document.body.dataset.baseUrl;
  return base ? `${base}files/${path.split("/").map(encodeURIComponent).join("/")}` : "";
}

function render({ model, el }) {
  const root = document.createElement("div");
  el.classList.add("rk-host");
  el.appendChild(root);
  const typed = new Map(); // what was typed and not yet sent, by the field's data-key

  function draw() {
    const at = document.activeElement && root.contains(document.activeElement) ? document.activeElement : null;
    const key = at && at.dataset.key;
    const caret = at && "selectionStart" in at ? [at.selectionStart, at.selectionEnd] : null;
    const open = new Set([...root.querySelectorAll("details[open][data-key]")].map((d) => d.dataset.key));
    root.className = "rk mathjax_ignore tex2jax_ignore" + (isDark(el) ? " rk-dark" : "");
    root.innerHTML = model.get("html");
    for (const field of root.querySelectorAll("[data-key]")) {
      if (field.tagName === "DETAILS") { if (open.has(field.dataset.key)) field.open = true; continue; }
      if (typed.has(field.dataset.key)) field.value = typed.get(field.dataset.key);
    }
    for (const link of root.querySelectorAll("a[data-file]")) {
      const url = link.dataset.file && served(link.dataset.file);
      if (url) link.href = url;
    }
    const again = key && [...root.querySelectorAll("[data-key]")].find((n) => n.dataset.key === key);
    if (again) {
      again.focus({ preventScroll: true });
      if (caret && "setSelectionRange" in again && again.type !== "date") { try { again.setSelectionRange(...caret); } catch { /* no text */ } }
    }
  }

  function send(node, value) {
    const form = node.closest("form, [data-form]");
    const message = { act: node.dataset.act, arg: node.dataset.arg ?? "", value: value ?? "", form: form ? fields(form) : {} };
    // a button sends its whole form; a field only itself
    if (form && node.tagName === "BUTTON") for (const f of form.querySelectorAll("[data-key]")) typed.delete(f.dataset.key);
    typed.delete(node.dataset.key);
    model.send(message);
  }

  const listen = (type, act) => root.addEventListener(type, act);
  listen("click", (e) => {
    const node = e.target.closest("button[data-act]");
    if (node && !node.disabled) { e.preventDefault(); send(node); }
  });
  listen("submit", (e) => e.preventDefault());
  listen("input", (e) => {
    if (e.target.dataset.key) typed.set(e.target.dataset.key, e.target.value);
    if (e.target.dataset.live !== undefined) {
      clearTimeout(e.target.timer);
      const node = e.target;
      node.timer = setTimeout(() => send(node, node.value), Number(node.dataset.live));
    }
  });
  listen("change", (e) => {
    const node = e.target;
    if (node.dataset.act && node.dataset.live === undefined) send(node, node.type === "checkbox" ? String(node.checked) : node.value);
  });
  listen("keydown", (e) => {
    const plain = !e.ctrlKey && !e.metaKey && !e.altKey && !/^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName);
    const step = plain && { ArrowRight: "next", ArrowLeft: "previous", n: "next", p: "previous" }[e.key];
    const node = step && root.querySelector(`[data-step="${step}"]`);
    if (node) { e.preventDefault(); e.stopPropagation(); if (!node.disabled) send(node); }
  });
  // JupyterLab's own keys must not act on what is typed here
  listen("keypress", (e) => e.stopPropagation());

  model.on("change:html", draw);
  const quiet = onTheme(el, draw);
  draw();
  return () => { quiet(); model.off("change:html", draw); };
}

export default { render };
