export const style = `
:root {
  color-scheme: light dark;
  --ink: #1c2024; --soft: #596069; --ground: #fff; --raised: #f5f6f8; --line: #d9dde2; --link: #0b5cad;
  --get: #0b6b3a; --post: #0b5cad; --patch: #8a5300; --delete: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e8eb; --soft: #a3abb5; --ground: #14171a; --raised: #1e2226; --line: #363c43; --link: #82b8f5;
    --get: #6fcf97; --post: #82b8f5; --patch: #f0b860; --delete: #ff9a92;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; color: var(--ink); background: var(--ground); font: 16px/1.55 system-ui, sans-serif; }
a { color: var(--link); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; padding: .5rem; background: var(--ground); z-index: 2; }
.page { display: grid; grid-template-columns: 19rem minmax(0, 1fr); max-width: 84rem; margin: 0 auto; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.25rem 1rem; border-right: 1px solid var(--line); font-size: .9rem; }
nav h2 { font-size: .8rem; color: var(--soft); margin: 1.1rem 0 .2rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li a { display: flex; gap: .5rem; padding: .18rem .25rem; border-radius: 4px; color: inherit; text-decoration: none; line-height: 1.35; }
nav li a:hover { background: var(--raised); }
nav .method { flex: 0 0 3.4rem; font-size: .68rem; padding-top: .14rem; }
nav .home { font-weight: 650; color: inherit; text-decoration: none; font-size: 1rem; }
.find { display: block; margin-top: .8rem; color: var(--soft); }
.find input { width: 100%; font: inherit; padding: .4rem .5rem; border: 1px solid var(--line); border-radius: 6px; background: var(--ground); color: var(--ink); }
main { padding: 1.5rem 2rem 6rem; min-width: 0; }
h1 { margin: 0 0 .4rem; font-size: 1.8rem; line-height: 1.2; }
h2 { margin: 2.6rem 0 .6rem; font-size: 1.35rem; }
h3 { margin: 0 0 .3rem; font-size: 1.1rem; }
h3 a { color: inherit; text-decoration: none; }
h3 a:hover { text-decoration: underline; }
h4 { margin: 1rem 0 .25rem; font-size: .85rem; color: var(--soft); }
p { margin: .4rem 0; max-width: 46rem; }
.route { padding: 1.2rem 0; border-top: 1px solid var(--line); }
.route:target { box-shadow: -4px 0 0 var(--link); padding-left: .8rem; margin-left: -.8rem; }
.line { font-size: 1rem; max-width: none; overflow-wrap: anywhere; }
.who { color: var(--soft); font-size: .92rem; }
code { font: .88em/1.5 ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.method { font: 650 .78rem ui-monospace, Menlo, Consolas, monospace; color: var(--post); }
.get { color: var(--get); } .patch, .put { color: var(--patch); } .delete { color: var(--delete); }
pre { overflow-x: auto; padding: .8rem 1rem; background: var(--raised); border: 1px solid var(--line); border-radius: 6px; max-width: 60rem; }
pre code { overflow-wrap: normal; }
.fields, .answers { list-style: none; margin: 0; padding: 0; max-width: 60rem; }
.fields > li { padding: .35rem 0; border-top: 1px solid var(--line); }
.fields > li:first-child { border-top: 0; }
.fields .fields { margin-left: .4rem; padding-left: .9rem; border-left: 2px solid var(--line); }
.fields > li > code { font-weight: 600; }
.fields p { margin: .05rem 0; font-size: .93rem; }
.type, .limits { color: var(--soft); font-size: .86rem; font-weight: 400; }
.must { color: var(--delete); font-size: .8rem; }
.answers > li { padding: .12rem 0; font-size: .93rem; }
.answers .fields { margin: .3rem 0 .6rem 1.1rem; }
summary { cursor: pointer; }
details { margin: .5rem 0; }
.answers details { margin: 0; }
.wide { overflow-x: auto; margin: .8rem 0; max-width: 60rem; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td:first-child, td:nth-child(2) { min-width: 4rem; }
[hidden] { display: none !important; }
@media (max-width: 52rem) {
  .page { display: block; }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); }
  nav > details:not([open]) { margin: 0; }
  main { padding: 1rem 1rem 4rem; }
}
@media print {
  nav { display: none; }
  .page { display: block; }
}
`;
