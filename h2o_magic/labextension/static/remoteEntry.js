// What JupyterLab loads at its start: a container as module federation expects it, written
// by hand, so that there is no build. The plugins' own modules come while JupyterLab loads.

(() => {
  const NAME = "h2o-magic";
  const load = (module) => import(new URL(module, entry));
  const entry = document.currentScript.src;
  const dock = load("dock.js");
  const prose = load("prose.js");
  for (const sheet of ["dock.css", "cells.css"]) {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(sheet, entry);
    document.head.append(link);
  }
  let scope; // what JupyterLab shares: its own packages, by name and version

  /** Return a package that JupyterLab shares, in its newest version. */
  const shared = async (name) => {
    const versions = scope[name];
    const newest = Object.keys(versions).sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).at(-1);
    return (await versions[newest].get())();
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
        activate: async (...given) => (await dock).activate(shared, ...given),
      },
      {
        id: `${NAME}:prose`,
        autoStart: true,
        requires: [IEditorExtensionRegistry],
        activate: async (_, registry) => (await prose).register(shared, registry),
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
