// What VS Code's Jupyter extension does in a notebook's webview: requirejs, its own widget manager, a kernel, and scripts of
// widgets from `share/jupyter/nbextensions` beside the kernel; see src/webviews/webview-side/ipywidgets of microsoft/vscode-jupyter.
import { KernelManager, ServerConnection } from "@jupyterlab/services";

window.connect = async (token) => {
  const here = location.origin + "/";
  const serverSettings = ServerConnection.makeSettings({ baseUrl: here, wsUrl: here.replace("http", "ws"), token, appendToken: true });
  const kernel = await new KernelManager({ serverSettings }).startNew({ name: "python3" });
  const loader = {
    widgetsRegisteredInRequireJs: new Set(),
    loadWidgetScript: async (name) => {
      window.asked = [...(window.asked ?? []), name];
      window.requirejs.config({ paths: { [name]: `${here}static/nbextensions/${name}/index` } });
      loader.widgetsRegisteredInRequireJs.add(name);
    },
    errorHandler: (cls, name, version, error) => console.error(`could not load ${cls} of ${name} ${version}: ${error}`),
    successHandler: () => {},
  };
  window.vscIPyWidgets8.load();
  const manager = new window.vscIPyWidgets.WidgetManager(kernel, document.getElementById("container"), loader, () => {});

  // run a cell; widgets are shown as the extension's renderer shows them, texts are kept
  window.cell = async (code) => {
    const shown = [];
    const future = kernel.requestExecute({ code });
    future.onIOPub = ({ header, content }) => {
      if (header.msg_type === "stream") shown.push(content.text);
      if (header.msg_type === "error") shown.push(content.traceback.join("\n"));
      if (header.msg_type !== "display_data" && header.msg_type !== "execute_result") return;
      shown.push(content.data["application/vnd.jupyter.widget-view+json"] ?? content.data["text/plain"]);
    };
    await future.done;
    for (const { model_id } of shown.filter((s) => s.model_id)) {
      const output = document.createElement("div");
      output.className = "output cell-output-ipywidget-background";
      document.getElementById("container").append(output);
      const view = await manager.create_view(await manager.get_model(model_id), { el: output });
      await manager.display_view(null, view, { node: output });
    }
    return shown.filter((s) => typeof s === "string").join("");
  };
};
