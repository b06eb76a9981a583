// The stock widget manager and nothing of JupyterLab: what VS Code and other hosts of widgets have.
import { HTMLManager } from "@jupyter-widgets/html-manager";
import * as base from "@jupyter-widgets/base";

window.show = async ({ state, views }) => {
  const anywidget = window.anywidgetModule(base); // one module for models and views
  const loader = async (name) => { if (name !== "anywidget") throw new Error(name); return anywidget; };
  const manager = new HTMLManager({ loader });
  await manager.set_state(state);
  for (const { model_id } of views) {
    const view = await manager.create_view(await manager.get_model(model_id));
    await manager.display_view(view, document.getElementById("here"));
  }
};
