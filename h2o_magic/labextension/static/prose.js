// `%%h2o` cells as prose: classes, coloured by style.css, overrule those of Python,
// whose parser is left alone. Only the lines in sight are marked.

import { fields, words } from "./fields.js";

const CELL = /^\s*%%h2o(?=[ \n]|$)/;
const LINE = /^\s*%h2o(?: +\w+)?(?=\s|$)/;

export async function register(shared, registry) {
  const names = ["@jupyterlab/codemirror", "@codemirror/view", "@codemirror/state"];
  const [{ EditorExtensionRegistry }, view, { Prec, RangeSetBuilder }] = await Promise.all(names.map(shared));
  // Around the marks of all others.
  const extension = EditorExtensionRegistry.createImmutableExtension(Prec.lowest(plugin(view, RangeSetBuilder)));
  registry.addExtension(Object.freeze({ name: "h2o-magic:prose", factory: () => extension }));
}

function plugin({ Decoration, ViewPlugin }, RangeSetBuilder) {
  const line = (name) => Decoration.line({ class: name });
  const [prose, options] = [line("cm-h2o-prose"), line("cm-h2o-prose cm-h2o-options")];
  const mark = (name) => Decoration.mark({ class: `cm-h2o-${name}` });
  return ViewPlugin.fromClass(
    class {
      constructor(view) {
        this.read(view.state.doc);
        this.decorate(view);
      }

      update({ docChanged, viewportChanged, view }) {
        if (docChanged) this.read(view.state.doc);
        if (docChanged || viewportChanged) this.decorate(view);
      }

      /** Find the cell's first line, and its fields below that. */
      read(doc) {
        const found = CELL.exec(doc.sliceString(0, 1000));
        this.head = found && doc.lineAt(found[0].length);
        const begin = this.head?.to ?? doc.length;
        this.fields = fields(doc.sliceString(begin)).map((span) => span.map((place) => begin + place));
      }

      decorate({ state: { doc }, visibleRanges }) {
        const set = new RangeSetBuilder();
        let at = 0;
        for (const { from, to } of visibleRanges) {
          for (at = Math.max(at, from); at <= to; ) {
            const each = doc.lineAt(at);
            for (const [begin, end, decoration] of this.of(each)) set.add(begin, end, decoration);
            at = each.to + 1;
          }
        }
        this.decorations = set.finish();
      }

      *of({ from, to, text }) {
        const magic = this.head ? from === this.head.from && CELL.exec(text) : LINE.exec(text);
        if (magic) {
          const end = magic[0].length;
          yield [from, from, options];
          yield [from + end - magic[0].trimStart().length, from + end, mark("magic")];
          for (const [begin, after, name] of words(text, end)) yield [from + begin, from + after, mark(name)];
        } else if (this.head) {
          yield [from, from, prose];
          for (const [begin, end] of this.fields) if (begin >= from && end <= to) yield [begin, end, mark("value")];
        }
      }
    },
    { decorations: (made) => made.decorations },
  );
}
