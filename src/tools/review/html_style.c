/* SPDX-License-Identifier: MIT */
/* Contrast of text is 4.5:1 at least on each background (WCAG 2.2, 1.4.3), in both schemes. */
#include "tools/review/html.h"

/*
 * The hash of these bytes is the only style that the page's policy allows (html.c), so a style
 * attribute or another <style> has no effect. Colours are variables, set anew for dark mode and for
 * paper. Nothing depends on colour alone: classes deny and would have signs, hatching and words in
 * the markup.
 */
const char html_style[] =
    /* Colours, for light and for dark. */
    ":root{color-scheme:light dark;--page:#f4f6f8;--card:#fff;--text:#1b1f24;--muted:#525c67;"
    "--line:#d5dbe1;--deny:#b3261e;--would:#8a5a00;--allow:#2b6a9c;--fill:#8fbbdd;--link:#0b57a4;"
    "--soft:#fbeceb}"
    "@media (prefers-color-scheme:dark){:root{--page:#0f1419;--card:#182028;--text:#e6edf3;"
    "--muted:#a3b0bd;--line:#36424e;--deny:#ff8f85;--would:#f2c14e;--allow:#86bdea;--fill:#3d6a8f;"
    "--link:#8ac2ff;--soft:#3a2424}}"
    /* The page: text of one column, as wide as can be read, and a link to skip to it. */
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"
    "\"Segoe UI\",Roboto,\"Liberation Sans\",sans-serif;overflow-wrap:anywhere}"
    "header,main,footer,nav{max-width:1200px;margin:0 auto;padding:0 20px}"
    "header{padding-top:28px}h1{font-size:26px;line-height:1.25;margin:0 0 6px}"
    "h2{font-size:19px;margin:0 0 12px}h3{font-size:15px;margin:0 0 8px}"
    "p{margin:0 0 10px;max-width:75ch}a{color:var(--link)}"
    ".muted,.note{color:var(--muted)}.note{font-size:13px}"
    ".skip{position:absolute;left:-9999px}.skip:focus{left:20px;top:8px;background:var(--card);"
    "padding:8px 12px;z-index:1}"
    ":focus-visible{outline:3px solid var(--link);outline-offset:2px}"
    "nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:6px 18px;margin:14px 0 18px;padding:0}"
    /* The head: what the report is about, and its figures. */
    ".meta{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:14px 0 0}"
    ".meta dt{color:var(--muted)}.meta dd{margin:0}"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;"
    "margin:0 0 18px}"
    ".figures div{background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:12px 16px;border-top:4px solid var(--line)}"
    ".figures dt{font-size:14px;color:var(--muted)}"
    ".figures dd{margin:0;font-size:28px;line-height:1.2;font-variant-numeric:tabular-nums;"
    "font-weight:600}"
    ".figures dd small{display:block;font-size:13px;font-weight:400;color:var(--muted);"
    "line-height:1.4}"
    ".figures .deny{border-top-color:var(--deny)}.figures .deny b{color:var(--deny)}"
    ".figures .would{border-top-color:var(--would)}.figures .would b{color:var(--would)}"
    ".figures .allow{border-top-color:var(--allow)}"
    ".figures b{font-weight:600}"
    /* Sections and tables. A wide table scrolls in its region, never the page. */
    "section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:18px "
    "20px;margin:0 0 18px}"
    ".lists{columns:440px 2;column-gap:36px}"
    ".lists>div{break-inside:avoid;margin-bottom:22px}"
    ".scroll{overflow-x:auto;max-width:100%;position:relative}"
    "table{border-collapse:collapse;width:100%;font-size:14px}"
    "caption{text-align:left;font-weight:600;padding:0 0 6px;color:var(--text)}"
    "caption .note{font-weight:400;display:block}"
    "th,td{text-align:left;vertical-align:top;padding:6px 10px 6px 0;border-top:1px solid "
    "var(--line)}"
    "thead th{color:var(--muted);font-weight:500;font-size:13px;border-top:0;white-space:nowrap}"
    "tbody th{font-weight:400}"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "th.n{text-align:right}.bar{width:24%;min-width:36px;padding-top:11px}"
    ".t{white-space:nowrap;font-variant-numeric:tabular-nums}"
    ".wide{min-width:880px}.wide td{min-width:90px}"
    "code{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,\"Liberation Mono\",monospace}"
    /* Marks in the tables, and what opens below a row. */
    ".tag{display:inline-block;font-size:12px;font-weight:600;border:1px solid;border-radius:4px;"
    "padding:0 6px;white-space:nowrap}"
    ".tag.deny{color:var(--deny)}.tag.would{color:var(--would);border-style:dashed}"
    "summary{cursor:pointer;color:var(--link)}details[open] summary{margin-bottom:6px}"
    ".changes{display:grid;grid-template-columns:max-content 1fr;gap:2px 12px;margin:0;"
    "font-size:13px}.changes dt{color:var(--muted)}.changes dd{margin:0}"
    /* The chart. A class gives a shape its colour, so that dark mode changes the picture too. */
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 8px;padding:0;"
    "font-size:13px}.legend svg{vertical-align:-2px;margin-right:6px}"
    "svg{display:block;max-width:100%;overflow:visible}.legend svg{display:inline-block}"
    "svg text{font-size:12px;fill:var(--muted)}svg .deny{fill:var(--deny)}"
    "svg .would{fill:var(--would)}svg .allow{fill:var(--fill)}svg .grid{stroke:var(--line)}"
    "svg .base{stroke:var(--muted)}svg .lost{stroke:var(--text);stroke-dasharray:3 3}"
    "svg .mark{fill:var(--text)}"
    ".plain{color:var(--muted);margin:0}.figures b{overflow-wrap:normal}.figures "
    ".long{font-size:.72em}.figures .longer{font-size:.5em}"
    "footer{padding-bottom:32px;color:var(--muted);font-size:13px}"
    ".narrow{display:none}"
    /* A telephone: fewer columns, every second label, smaller figures. */
    "@media (max-width:640px){header,main,footer,nav{padding-left:12px;padding-right:12px}"
    "section{padding:14px 12px}.lists .n,.lists thead "
    "th{padding-right:4px}.minor,.lists "
    "tr>:nth-child(2){display:none}h1{font-size:22px}.narrow{display:inline}"
    ".figures{grid-template-columns:repeat(2,minmax(0,1fr));gap:8px}.figures dd{font-size:22px}"
    ".meta{grid-template-columns:1fr;gap:0}.meta dd{margin-bottom:6px}}"
    /* Paper: black on white, nothing that can be clicked, all details open. */
    "@media print{:root{--page:#fff;--card:#fff;--text:#000;--muted:#444;--line:#bbb}"
    "nav,.skip{display:none}body{font-size:11px}section{border:0;padding:0;break-inside:auto}"
    "tr,svg,.figures div{break-inside:avoid}.scroll{overflow:visible}.wide{min-width:0}"
    "details::details-content{content-visibility:visible;height:auto}}"
    "@media (prefers-reduced-motion:reduce){*{transition:none}}";
