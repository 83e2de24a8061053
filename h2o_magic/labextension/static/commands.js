// The commands of the palette; a chat docks by an event of the page.

export function addCommands(app, palette, dock) {
  const add = (id, label, execute) => {
    app.commands.addCommand(`h2o-magic:${id}`, { label, execute, isEnabled: () => Boolean(dock.tracker.currentWidget) });
    palette?.addItem({ command: `h2o-magic:${id}`, category: "Chat" });
  };
  add("dock", "Dock the Chat on the Right", () => dock.dock());
  if (dock.hasTabs) add("open-tab", "Open the Chat in a Tab", () => dock.openTab());
  add("show-in-cell", "Show the Chat in the Notebook", () => dock.close());
  add("ask", "Ask in the Chat", () => dock.ask());
  app.commands.addKeyBinding({ command: "h2o-magic:ask", keys: ["Ctrl Alt H"], selector: "body" });
  document.addEventListener("h2o-magic:dock", () => dock.dock());
}
