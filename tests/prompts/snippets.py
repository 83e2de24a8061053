r"""Code, formulas and templates as people paste them into a question, without a fence.

None of their braces mean a value, whatever names the notebook has. They are separated
by lines of five percent signs.
"""

from __future__ import annotations

#: Names that the braces of the snippets have: all exist in the notebook of the test.
NAMES = [
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
    "i",
    "j",
    "k",
    "m",
    "n",
    "p",
    "q",
    "r",
    "s",
    "t",
    "u",
    "v",
    "w",
    "x",
    "y",
    "z",
    "id",
    "key",
    "value",
    "name",
    "text",
    "item",
    "items",
    "user",
    "data",
    "url",
    "path",
    "df",
    "row",
    "col",
    "props",
    "state",
    "count",
    "total",
    "price",
    "msg",
    "title",
    "color",
    "size",
    "width",
    "height",
    "index",
    "label",
    "user_id",
    "item_id",
    "useState",
    "React",
    "children",
    "className",
    "style",
    "err",
    "error",
    "res",
    "result",
    "response",
    "req",
    "config",
    "options",
    "args",
    "kwargs",
    "env",
    "HOME",
    "USER",
    "alpha",
    "beta",
    "mu",
    "sigma",
    "equation",
    "document",
    "align",
    "itemize",
    "table",
    "figure",
    "center",
    "tabular",
    "cases",
    "block",
    "content",
    "page",
    "post",
    "loop",
    "forloop",
    "version",
    "host",
    "port",
    "token",
    "date",
    "year",
    "month",
    "day",
]

SNIPPETS = r"""
print(f"{name} is {count:,} years old")
%%%%%
f"{x!r:>10}"
%%%%%
logger.info(f'{user_id}: {msg}')
%%%%%
rf"\d{n}{x}"
%%%%%
message = "Hello {name}, you owe {price}".format(name=name, price=price)
%%%%%
template = "{name} <{url}>"
%%%%%
d = {key: value for key, value in items}
%%%%%
s = {a, b, c}
%%%%%
x = {'a': 1, "b": {"c": [1, 2]}}
%%%%%
config = {"user": {name}, "n": {n}}
%%%%%
return {x}
%%%%%
return {key: value}
%%%%%
for k, v in data.items():
    print(f"{k}={v}")
%%%%%
def greet(name):
    return f"Hello {name}"
%%%%%
class Point:
    def __repr__(self):
        return f"Point({self.x}, {self.y})"
%%%%%
@app.get("/items/{item_id}")
def read(item_id: int): ...
%%%%%
assert f"{x}" == "1", "{x}"
%%%%%
"{:>10}".format(x)
%%%%%
"{0} {1}".format(a, b)
%%%%%
'{name}'.format(**data)
%%%%%
string.Template("${name} is ${count}")
%%%%%
t"Hello {name}"
%%%%%
query = f"SELECT * FROM {table} WHERE id = {id}"
%%%%%
SELECT * FROM {table} WHERE {col} = 1
%%%%%
lambda x: {x}
%%%%%
while x < n: total += {i: i}[i]
%%%%%
if x in {a, b}: pass
%%%%%
print("{", x, "}")
%%%%%
print({x})
%%%%%
>>> {x}
%%%%%
... {x: y}
%%%%%
with open(f"{path}/data.csv") as f:
    text = f.read()
%%%%%
raise ValueError(f"bad {value!r}")
%%%%%
df.rename(columns={"a": "b"})
%%%%%
df.query(f"x > {n}")
%%%%%
df.groupby("a").agg({"b": "sum", "c": ["min", "max"]})
%%%%%
np.array([{x}, {y}])
%%%%%
async def f(): return {x}
%%%%%
yield {key: value}
%%%%%
match x:
    case {"a": a}:
        print(a)
%%%%%
import {useState} from "react"
%%%%%
import {useState, useEffect} from 'react';
%%%%%
import type {Props} from "./types"
%%%%%
export {x, y}
%%%%%
export {x};
%%%%%
export {x} from './x'
%%%%%
const {data} = useQuery()
%%%%%
const { a, b } = props
%%%%%
const {name, url} = props;
%%%%%
let {x} = point
%%%%%
var o = {x}
%%%%%
const o = {x, y}
%%%%%
function f({name}) { return name }
%%%%%
function App({children}: Props) {
  return <div>{children}</div>
}
%%%%%
const f = ({x, y}) => x + y
%%%%%
({x}) => x
%%%%%
items.map(i => ({id: i}))
%%%%%
items.map((item) => <li key={item}>{item}</li>)
%%%%%
<p>{text}</p>
%%%%%
<h1>{title}</h1>
<p>{content}</p>
%%%%%
<Foo bar={x} />
%%%%%
<Foo {...props}/>
%%%%%
<input value={value} onChange={e => setValue(e.target.value)} />
%%%%%
<div className={className} style={{color: color}}>
%%%%%
{count > 0 && <span>{count}</span>}
%%%%%
{items.length ? <List items={items}/> : null}
%%%%%
return (
  <ul>
    {items.map(i => <li>{i}</li>)}
  </ul>
)
%%%%%
interface User { name: string; id: number }
%%%%%
interface Props {name: string}
%%%%%
type P = {x: number}
%%%%%
type Partial<T> = {[K in keyof T]?: T[K]}
%%%%%
enum Color {Red, Green}
%%%%%
if (x) {y}
%%%%%
if (x) { return {y} }
%%%%%
for (let i = 0; i < n; i++) {x}
%%%%%
while (x) {i++}
%%%%%
switch (x) {
  case 1: {a}
}
%%%%%
try {x} catch (err) {y}
%%%%%
console.log({x})
%%%%%
console.log(`${name} is ${count}`)
%%%%%
`Hello ${name}`
%%%%%
throw new Error(`bad ${value}`)
%%%%%
fetch(`/api/${id}`, {method: "POST"})
%%%%%
setState({count})
%%%%%
dispatch({type: "x", data})
%%%%%
module.exports = {x, y}
%%%%%
$(".a").css({color})
%%%%%
object.foo = {x}
%%%%%
let x: {name: string} = {name}
%%%%%
public void f() {x}
%%%%%
public class A { int x; }
%%%%%
int main() {return x;}
%%%%%
int a[] = {x, y};
%%%%%
int a[] = {x};
%%%%%
#define F(x) {x}
%%%%%
struct Point {x: i32, y: i32}
%%%%%
struct P {
    x: f64,
}
%%%%%
let p = Point {x, y};
%%%%%
println!("{x} and {y}");
%%%%%
println!("{name}: {value:?}");
%%%%%
println!("{}", x)
%%%%%
use std::{fs, io};
%%%%%
impl Foo for Bar {x}
%%%%%
fn f() {x}
%%%%%
match x { Some(y) => {y}, None => {z} }
%%%%%
fmt.Printf("%v {x}\n", x)
%%%%%
func f() {x}
%%%%%
m := map[string]int{"a": 1}
%%%%%
p := Point{x, y}
%%%%%
p := T{x}
%%%%%
go func() {x}()
%%%%%
val s = "$name ${count}"
%%%%%
println("${name}")
%%%%%
puts "#{name} is #{count}"
%%%%%
"#{x}"
%%%%%
items.each {|i| puts i}
%%%%%
echo ${HOME}
%%%%%
echo "${USER}"
%%%%%
echo {a,b}
%%%%%
cp file.{txt,md} /tmp
%%%%%
for f in *.txt; do mv "$f" "${f%.txt}.md"; done
%%%%%
export PATH=${HOME}/bin
%%%%%
awk '{print}' file
%%%%%
awk '{x}' file
%%%%%
awk '{print $1}' data.csv | sort
%%%%%
find . -name x -exec rm {} \;
%%%%%
xargs -I {} cp {} dst
%%%%%
if [ -n "${x}" ]; then echo "{x}"; fi
%%%%%
printf "%s\n" "${items[@]}"
%%%%%
f() {x; }
%%%%%
docker inspect --format '{{.State}}' id
%%%%%
git stash show stash@{1}
%%%%%
git rev-parse HEAD@{u}
%%%%%
.btn {color: red}
%%%%%
.btn{color:red}
%%%%%
a:hover {color: blue; }
%%%%%
#id { width: 1px }
%%%%%
body {
  color: red;
}
%%%%%
@media (max-width: 600px) { .a {color: red} }
%%%%%
:root {--x: 1px}
%%%%%
h1, h2 {size: 1}
%%%%%
@include foo {x}
%%%%%
.a { .b & {x: 1} }
%%%%%
{"name": "x", "n": 1}
%%%%%
{"a": {"b": {"c": 1}}}
%%%%%
[{"id": 1}, {"id": 2}]
%%%%%
{
  "name": "{name}",
  "url": "{url}"
}
%%%%%
{"text": "{text}"}
%%%%%
{"q": {x}}
%%%%%
"key": {value}
%%%%%
'key': '{value}',
%%%%%
{'a': [1, 2, {x}]}
%%%%%
{"$ref": "#/definitions/{name}"}
%%%%%
{name: "x"}
%%%%%
{a: 1, b: 2}
%%%%%
{id:1}
%%%%%
{{ name }}
%%%%%
{{name}}
%%%%%
{{ name|upper }}
%%%%%
{{name.first}} {{ name['a'] }}
%%%%%
Hello {{name}}, you have {{ count }} items
%%%%%
{% for i in items %}{{ i }}{% endfor %}
%%%%%
{% if user %}{{user}}{% endif %}
%%%%%
{% block content %}{x}{% endblock %}
%%%%%
{# comment {x} #}
%%%%%
{%- set x = 1 -%}
%%%%%
<a href="{{ url }}">{{title}}</a>
%%%%%
{{#each items}}{{this}}{{/each}}
%%%%%
{{> header}}
%%%%%
<title>{title}</title>
%%%%%
<?php echo "{$name}"; ?>
%%%%%
<%= name %> {x} </div>
%%%%%
image: {{ .Values.image }}
%%%%%
- name: "{{ item }}"
%%%%%
run: echo ${{ env.HOME }}
%%%%%
$\frac{x}{y}$
%%%%%
\frac{x}{y}
%%%%%
\frac{a}{b} + \sqrt{c}
%%%%%
x_{n} + x_{i}
%%%%%
x^{n}
%%%%%
e^{x}
%%%%%
$x_{i}^{n}$
%%%%%
$$\sum_{i}^{n} {x}$$
%%%%%
$\{x\}$
%%%%%
\{x | x > 0\}
%%%%%
The set {x | x > 0} is open
%%%%%
\mathbf{x} \in \mathbb{R}
%%%%%
\begin{equation} {x} \end{equation}
%%%%%
\begin{align}
{x} &= {y}
\end{align}
%%%%%
\begin{cases} x \\ y \end{cases}
%%%%%
\textbf{text}
%%%%%
\section{title} \label{label}
%%%%%
\cite{key} and \ref{label}
%%%%%
\documentclass{a} \usepackage{b}
%%%%%
\newcommand{\R}{x}
%%%%%
\int_{a}^{b} f(x) dx
%%%%%
\lim_{n} {x}
%%%%%
\left\{x\right\}
%%%%%
{\bf x}
%%%%%
{\it text} and {\em {x}}
%%%%%
\hat{\beta} = {x}
%%%%%
\operatorname{a}{x}
%%%%%
$f\colon {x} \to {y}$
%%%%%
P({x}) = \frac{1}{n}
%%%%%
\(x = {y}\)
%%%%%
\[ {x} \]
%%%%%
\d{n}-[a-z]{n}
%%%%%
^[a-z]{n}$
%%%%%
(\w{n}){m}
%%%%%
re.compile(r"\d{n}")
%%%%%
/^x{n}$/
%%%%%
GET /users/{id}/posts/{post}
%%%%%
https://api.example.com/v1/{version}/items?x={x}
%%%%%
paths:
  /items/{id}:
    get: x
%%%%%
%{name} and %{count}
%%%%%
@{x} @{n}
%%%%%
terraform: "${var.name}"
%%%%%
resource "a" "b" {x = 1}
%%%%%
server { listen 80; location / {x} }
%%%%%
\documentclass{article}
\begin{document}
{x} and {y}
\end{document}
%%%%%
foo({x: {y}})
%%%%%
foo({x}, {y})
%%%%%
a && {x} || {y}
%%%%%
x => {y}
%%%%%
std::vector<int> v{x};
%%%%%
auto p = Point{x, y};
%%%%%
return std::pair{x, y};
%%%%%
template<typename T> struct A {x};
%%%%%
x::y {z}
%%%%%
a = {x}; b = {y};
%%%%%
data class A(val x: Int) {y}
%%%%%
SELECT {fn NOW()} FROM x
%%%%%
CREATE TABLE {table} (id INT)
%%%%%
UPDATE t SET x = {x}
%%%%%
proc f {x} {
  puts $x
}
%%%%%
set x {a b c}
%%%%%
(defn f [{:keys [a b]}] {:x a})
%%%%%
%{ key => value }
%%%%%
const {a, b} = props; let {x} = this.state
%%%%%
var line = $"{name} is {value}";
%%%%%
Console.WriteLine($@"{path}\{name}") prints what
%%%%%
$"{name} is {value}" in C#
%%%%%
\t{x}\n
"""


def snippets() -> list[str]:
    return SNIPPETS.strip("\n").split("\n%%%%%\n")
