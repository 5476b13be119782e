"""The style sheet of the audit report: light, dark, narrow, and on paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --back: #fbfbfa; --card: #fff; --text: #1d2327; --quiet:
  #5c6770; --line: #dfe3e6; --allow: #2f74c0; --deny: #c8482f; --good: #1d7a46; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --back: #14171a; --card: #1c2126; --text: #e6e9eb;
  --quiet: #9aa5ad; --line: #333b42; --allow: #5b9de6; --deny: #ee7a5f; --good: #5cc48a; --bad:
  #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1rem 3rem; background: var(--back);
  color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 0 0 .6rem; }
header p, footer p, .quiet, .legend { color: var(--quiet); margin: .2rem 0 .8rem; overflow-wrap:
  anywhere; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding:
  1rem; margin: 1rem 0; break-inside: avoid; min-width: 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; align-items: start; }
.pair section { margin: 0; }
.verdicts p { margin: .3rem 0; overflow-wrap: anywhere; }
.sign { display: inline-block; width: 1.4em; height: 1.4em; line-height: 1.4em; border-radius:
  50%; margin-right: .5em; text-align: center; font-weight: 700; color: var(--card); }
.good .sign { background: var(--good); }
.bad .sign { background: var(--bad); }
.open .sign { background: var(--quiet); }
p.bad strong, span.bad { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: .8rem;
  margin: 1rem 0; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .7rem .9rem; }
.tiles dt { color: var(--quiet); font-size: .85rem; }
.tiles dd { margin: 0; font-size: .85rem; color: var(--quiet); }
.tiles dd:nth-of-type(1) { font-size: 1.35rem; color: var(--text); font-variant-numeric:
  tabular-nums; }
svg { display: block; width: 100%; height: auto; }
svg.plot { min-width: 38rem; }
svg text { font: 12px system-ui, sans-serif; fill: var(--quiet); text-anchor: middle; }
svg text.end { text-anchor: end; }
svg text.start { text-anchor: start; }
.grid { stroke: var(--line); stroke-width: 1; }
rect.allow { fill: var(--allow); }
rect.deny { fill: var(--deny); }
.key { display: inline-block; width: .8em; height: .8em; border-radius: .15em; margin: 0 .35em 0
  .6em; }
.key.allow { background: var(--allow); margin-left: 0; }
.key.deny { background: var(--deny); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--quiet); font-weight: 500; white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
td:first-child { overflow-wrap: anywhere; min-width: 11rem; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td code { white-space: nowrap; }
code { font: .88em ui-monospace, monospace; }
.bar { width: 9rem; min-width: 4rem; height: .55rem; margin-top: .45rem; }
@media (max-width: 44rem) { .pair { grid-template-columns: 1fr; } .bar { width: 5rem; } body {
  padding: 1rem .6rem; } }
@media print { body { max-width: none; padding: 0; font-size: 11px; } section { border-color:
  #bbb; } .wide { overflow: visible; } }
"""
