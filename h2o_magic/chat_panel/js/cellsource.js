// Code of an answer as the source of a cell in a notebook of Python.

const PYTHON = new Set(["", "python", "python3", "py", "py3", "ipython", "ipython3", "pycon"]);
const SHELL = new Set(["bash", "sh", "shell", "zsh", "console", "shell-session", "terminal"]);
const MAGIC = new Set(["html", "javascript", "latex", "svg"]);

/** Return `{source, as}`, where `as` tells of another cell than of Python; null if it cannot run. */
export function cellSource(code, language) {
  if (PYTHON.has(language)) return { source: withoutPrompts(code, /^(>>>|\.\.\.) ?/), as: "" };
  if (SHELL.has(language)) return shellCell(withoutPrompts(code, /^[$%] /), language);
  if (MAGIC.has(language)) return { source: `%%${language}\n${code}`, as: ` as a %%${language} cell` };
  return null;
}

/** Return what was typed at prompts, without what came of it; other code as it is. */
function withoutPrompts(code, prompt) {
  const lines = code.split("\n");
  if (!prompt.test(lines.find((line) => line.trim()) ?? "")) return code;
  return lines.filter((line) => prompt.test(line)).map((line) => line.replace(prompt, "")).join("\n");
}

function shellCell(code, language) {
  const [line, ...more] = code.split("\n").filter((each) => each.trim());
  if (!line || more.length || line.endsWith("\\")) {
    const shell = language === "sh" ? "sh" : "bash";
    return { source: `%%${shell}\n${code}`, as: ` as a %%${shell} cell` };
  }
  // A shell of its own knows neither the kernel's environment nor its folder.
  const magic = line.match(/^\s*(?:python3? -m )?(pip|conda|mamba|cd)3? /)?.[1];
  if (!magic) return { source: `!${line.trim()}`, as: " as a ! cell" };
  return { source: line.trim().replace(/^(?:python3? -m )?(\w+?)3? /, "%$1 "), as: ` as a %${magic} cell` };
}
