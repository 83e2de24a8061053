// The head of the dock, and what it says without a chat.

const SVG = "http://www.w3.org/2000/svg";
export const TAB = "M2.5 3.5h11v9h-11zM2.5 6h11M8 3.5V6";
export const CELL = "M2.5 3h11v10h-11zM9.5 3v10M4.5 8h3M6 6.5 4.5 8 6 9.5";

export class Notice {
  constructor(open) {
    this.name = make("span", "h2o-dock-name");
    this.text = make("p", "h2o-dock-text");
    this.text.setAttribute("role", "status");
    this.button = make("button", "jp-Dialog-button jp-mod-accept jp-mod-styled");
    this.button.type = "button";
    this.button.addEventListener("click", open);
    this.head = make("div", "h2o-dock-head", this.name);
    this.body = make("div", "h2o-dock-notice", this.text, this.button);
    this.node = make("div", "", this.head, this.body);
  }

  /** Add a button to the head. */
  addButton(path, label, click) {
    const icon = document.createElementNS(SVG, "svg");
    const line = document.createElementNS(SVG, "path");
    icon.setAttribute("viewBox", "0 0 16 16");
    line.setAttribute("d", path);
    icon.append(line);
    const button = make("button", "h2o-dock-button", icon);
    button.type = "button";
    button.title = label;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", click);
    this.head.append(button);
  }

  setTitle(title) {
    this.name.textContent = title;
    this.head.hidden = !title;
  }

  /** Say why there is no chat, and offer what opens one; nothing where one is shown. */
  show(chat, isShown) {
    const [text, offer] = isShown ? ["", ""] : state(chat);
    this.body.hidden = isShown;
    this.text.textContent = text;
    this.button.textContent = offer;
    this.button.hidden = !offer;
  }
}

function state(chat) {
  if (!chat) return ["Open a notebook to chat beside it.", ""];
  if (chat.opening) return [chat.isBusy ? "The chat opens when the running cell has ended." : "Opening the chat…", ""];
  if (chat.problem) return [chat.problem, "Try Again"];
  if (chat.wasLost) return ["The chat is not connected to the kernel. The conversation is saved.", "Reconnect"];
  if (chat.data) return ["Opening the chat…", ""];
  return ["This notebook has no chat yet.", "Open a Chat"];
}

function make(tag, name, ...children) {
  const made = document.createElement(tag);
  made.className = name;
  made.append(...children);
  return made;
}
