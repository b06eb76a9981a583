// Light or dark: what the page around us is, in JupyterLab, Notebook, VS Code and Voila.

function isDark(el) {
  const said = document.body.dataset.jpThemeLight;
  if (said !== undefined) return said === "false";
  const kind = document.body.dataset.vscodeThemeKind; // its page is transparent, and its theme may differ from the system's
  if (kind !== undefined) return !kind.endsWith("light");
  for (let node = el; node; node = node.parentElement) {
    const rgba = getComputedStyle(node).backgroundColor.match(/[\d.]+/g);
    if (rgba && (rgba.length < 4 || Number(rgba[3]) > 0)) {
      return 0.299 * rgba[0] + 0.587 * rgba[1] + 0.114 * rgba[2] < 128;
    }
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function onTheme(el, act) {
  const watch = new MutationObserver(() => act());
  watch.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind", "class"] });
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", act);
  return () => { watch.disconnect(); media.removeEventListener("change", act); };
}
