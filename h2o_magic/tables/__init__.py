"""One prompt over the rows of a table: asked, kept, resumed, measured."""
