// What JupyterLab loads at its start: a container as module federation expects it, written
// by hand, so that there is no build. Editors need prose.js; dock.js comes after the start.

(() => {
  const NAME = "h2o-magic";
  const load = (module) => import(new URL(module, entry));
  const entry = document.currentScript.src;
  const prose = Promise.all(["prose.js", "fields.js", "code_signs.js"].map(load)); // at once
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = new URL("style.css", entry);
  document.head.append(style);
  let scope; // the packages that JupyterLab shares

  /** Return a package that JupyterLab shares, in its newest version. */
  const shared = async (name) => {
    const versions = scope[name];
    const newest = Object.keys(versions).sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).at(-1);
    return (await versions[newest].get())();
  };

  /** Make the place of the dock, for JupyterLab to put it where it was. */
  const place = async () => {
    const { Widget } = await shared("@lumino/widgets");
    const root = new Widget();
    root.id = `${NAME}-chat`;
    root.addClass("h2o-dock");
    root.node.style.minWidth = "300px"; // JupyterLab reads it before the styles are there
    root.title.iconClass = "h2o-dock-icon";
    root.title.caption = "Chat";
    root.title.closable = true;
    return root;
  };

  const plugins = async () => {
    const packages = ["application", "apputils", "codemirror", "notebook"].map((name) => shared(`@jupyterlab/${name}`));
    const [{ ILayoutRestorer }, { ICommandPalette }, { IEditorExtensionRegistry }, { INotebookTracker }] = await Promise.all(packages);
    return [
      {
        id: `${NAME}:dock`,
        autoStart: true,
        requires: [INotebookTracker],
        optional: [ILayoutRestorer, ICommandPalette],
        activate: async (app, tracker, restorer, palette) => {
          const root = await place();
          app.shell.add(root, "right", { rank: 890 });
          restorer?.add(root, root.id);
          app.restored.then(async () => (await load("dock.js")).fill(root, shared, app, tracker, palette));
        },
      },
      {
        id: `${NAME}:prose`,
        autoStart: true,
        requires: [IEditorExtensionRegistry],
        activate: async (_, registry) => (await prose)[0].register(shared, registry),
      },
    ];
  };

  (window._JUPYTERLAB ??= {})[NAME] = {
    init: (given) => { scope = given; },
    get: async () => {
      const made = await plugins();
      return () => ({ __esModule: true, default: made });
    },
  };
})();
