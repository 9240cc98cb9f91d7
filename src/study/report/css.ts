/** The report's style sheet. Colours have a contrast of at least 4.5 to 1 against their ground in both themes. */
export const css = `
:root{--ground:#fdfdfc;--card:#ffffff;--ink:#1b1f24;--faint:#5a6370;--rule:#d4d8de;--accent:#005a8d;--mark:#eef3f7}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){--ground:#14171a;--card:#1b1f23;--ink:#e6e8ea;--faint:#a3abb5;--rule:#3a4048;--accent:#7cc4f0;--mark:#232a31;color-scheme:dark}}
:root[data-theme=dark]{--ground:#14171a;--card:#1b1f23;--ink:#e6e8ea;--faint:#a3abb5;--rule:#3a4048;--accent:#7cc4f0;--mark:#232a31;color-scheme:dark}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main,header{max-width:56rem;margin:0 auto;padding:0 1rem}
h1{font-size:1.6rem;line-height:1.2;margin:1.5rem 0 .3rem}
h2{font-size:1.25rem;margin:2.5rem 0 .5rem;border-bottom:1px solid var(--rule);padding-bottom:.2rem}
h3{font-size:1.05rem;margin:0 0 .3rem}
.scroll+h3,p+h3,details+h3{margin-top:1.6rem}
a{color:var(--accent)}
p{margin:.4rem 0}
.small,small{font-size:.86rem;color:var(--faint)}
nav{display:flex;flex-wrap:wrap;gap:.3rem 1rem;margin:.8rem 0}
button,select,input{font:inherit;color:inherit;background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:.3rem .7rem;max-width:100%}
figure{margin:1.2rem 0;padding:1rem;background:var(--card);border:1px solid var(--rule);border-radius:10px}
figure svg{display:block;width:100%;height:auto}
figure .narrow{display:none}
@media (max-width:640px){figure .wide{display:none}figure .narrow{display:block}figure{padding:.7rem .6rem}main,header{padding:0 .7rem}}
figcaption{font-size:.86rem;color:var(--faint);margin-top:.5rem}
figcaption b{color:var(--ink);font-weight:600}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
table{border-collapse:collapse;width:100%;font-size:.88rem}
th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--rule);vertical-align:top}
th{font-weight:600}
td.num,th.num{text-align:right;font-variant-numeric:tabular-nums}
td.num{white-space:nowrap}
@media (min-width:641px){
td.num small{display:block}
tr>:first-child{position:sticky;left:0;background:var(--ground);min-width:8rem}
}
details.finding{border-bottom:1px solid var(--rule);padding:.35rem 0}
details.finding>summary{cursor:pointer;display:grid;grid-template-columns:1fr;gap:.1rem}
details.finding>summary .values{font-size:.88rem;color:var(--faint);overflow-wrap:anywhere}
details.finding>summary .values b{color:var(--ink);font-weight:600;font-variant-numeric:tabular-nums}
details.finding[open]{background:var(--mark);margin:0 -.5rem;padding:.35rem .5rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;margin:.5rem 0;font-size:.9rem}
pre{background:var(--mark);padding:.6rem;border-radius:6px;font-size:.86rem}
ul{margin:.3rem 0;padding-left:1.2rem}
dt{color:var(--faint)}dd{margin:0;overflow-wrap:anywhere}
.controls label{display:flex;gap:.5rem;align-items:center;min-width:0;max-width:100%}
.controls select{min-width:0;flex:1 1 auto}
@media (max-width:640px){
table.cards thead{display:none}
table.cards,table.cards tbody{display:block}
table.cards tr{display:block;padding:.4rem 0;border-bottom:1px solid var(--rule)}
table.cards td{display:flex;justify-content:space-between;gap:1rem;border:0;padding:.08rem 0;text-align:right;white-space:normal;overflow-wrap:anywhere}
table.cards td::before{content:attr(data-label);color:var(--faint);text-align:left;flex:0 0 auto;max-width:45%;white-space:normal}
table.cards td:first-child{display:block;text-align:left;font-weight:600}
table.cards td:first-child::before{content:none}
table.cards td:empty{display:none}
}
#timeline{width:100%;height:26rem}
@media (max-width:640px){#timeline{height:22rem}}
.controls{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:.4rem 0}
.controls input[type=range]{flex:1 1 12rem;padding:0}
.key{display:inline-flex;align-items:center;gap:.3rem;margin-right:.8rem;font-size:.86rem}
.key i{width:1rem;height:.8rem;display:inline-block;border-radius:2px;opacity:.6}
#readout{display:block;min-height:3em;font-size:.9rem;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.more,.less{white-space:nowrap}
@media print{nav,button,.controls{display:none}details.finding{break-inside:avoid}figure{break-inside:avoid}}
`;
