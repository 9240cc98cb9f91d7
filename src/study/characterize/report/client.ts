/**
 * What runs in the reader's browser: opening and closing findings, and the time line over the inlined ECharts. Plain script text, no
 * template: data comes from JSON blocks of the page. Commands and task names are set as text, never as markup.
 */
export const client = String.raw`
(() => {
  const root = document.documentElement;
  const all = document.getElementById('open-all');
  all.addEventListener('click', () => {
    const open = all.getAttribute('aria-pressed') !== 'true';
    for (const d of document.querySelectorAll('details.finding')) d.open = open;
    all.setAttribute('aria-pressed', String(open));
    all.textContent = open ? 'Close all' : 'Open all';
  });
  if (location.hash) document.getElementById(location.hash.slice(1))?.setAttribute('open', '');

  const holder = document.getElementById('timeline');
  if (!holder || !window.echarts) return;
  const { sessions, colours } = JSON.parse(document.getElementById('timeline-data').textContent);
  const select = document.getElementById('session');
  const slider = document.getElementById('moment');
  const readout = document.getElementById('readout');
  for (const [i, s] of sessions.entries()) select.add(new Option(s.task + ' (' + s.set + ')', String(i)));
  const chart = echarts.init(holder, null, { renderer: 'canvas' });
  window.agentcgroupTimeline = chart;
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const number = (v, digits) => v === null || v === undefined ? 'not known' : v.toLocaleString('en', { maximumFractionDigits: digits });
  let session = sessions[0];

  const nearest = (t) => {
    let low = 0, high = session.t.length - 1;
    while (low < high) { const m = (low + high) >> 1; if (session.t[m] < t) low = m + 1; else high = m; }
    return low > 0 && t - session.t[low - 1] < session.t[low] - t ? low - 1 : low;
  };
  const say = (i) => {
    const t = session.t[i];
    const inside = session.calls.filter((c) => c.s <= t && t <= c.e);
    readout.textContent = number(t, 1) + ' s: memory ' + number(session.mb[i], 1) + ' MB, CPU ' + number(session.cpu[i], 0) + ' % of one core; ' +
      (inside.length ? 'in ' + inside.map((c) => c.kind + ': ' + c.text).join('; ') : 'no call');
    slider.value = String(i);
    slider.setAttribute('aria-valuetext', readout.textContent);
  };

  const paint = () => {
    const ink = colour('--ink'), faint = colour('--faint'), rule = colour('--rule');
    const axis = (name, extra) => ({ type: 'value', name, nameLocation: 'middle', nameTextStyle: { color: faint }, axisLabel: { color: ink, hideOverlap: true, showMaxLabel: false },
      axisLine: { show: true, lineStyle: { color: faint } }, splitLine: { lineStyle: { color: rule } }, ...extra });
    const hasCpu = session.cpu.some((c) => c !== null);
    const narrow = holder.clientWidth < 600;
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: 'system-ui, sans-serif' },
      aria: { enabled: true },
      legend: { top: 0, textStyle: { color: ink }, data: hasCpu ? ['memory (MB)', 'CPU (% of one core)'] : ['memory (MB)'] },
      grid: { top: 34, left: 14, right: hasCpu ? 14 : 24, bottom: 58, outerBoundsMode: 'same', outerBoundsContain: 'all' },
      tooltip: { trigger: 'axis', showContent: false, axisPointer: { type: 'line', lineStyle: { color: faint } } },
      dataZoom: [
        { type: 'inside', filterMode: 'none' },
        { type: 'slider', filterMode: 'none', bottom: 8, height: 26, textStyle: { color: ink }, borderColor: rule, labelFormatter: (v) => Math.round(v) + ' s' },
      ],
      xAxis: axis('seconds since the first sample', { nameGap: 26, min: 0, max: Math.ceil(session.t[session.t.length - 1]) }),
      yAxis: [
        axis('MB', { nameGap: narrow ? 38 : 44, min: 0, axisLabel: { color: ink } }),
        axis('% of one core', { nameGap: narrow ? 34 : 40, min: 0, splitLine: { show: false }, axisLabel: { color: ink }, show: hasCpu }),
      ],
      series: [
        { type: 'line', name: 'memory (MB)', symbol: 'none', color: ink, lineStyle: { width: 1.6 }, data: session.t.map((t, i) => [t, session.mb[i]]),
          markArea: { silent: true, data: session.calls.map((c) => [{ xAxis: c.s, itemStyle: { color: colours[c.kind], opacity: c.kind === 'sub-agent' ? 0.12 : 0.3 } }, { xAxis: c.e }]) } },
        ...(hasCpu ? [{ type: 'line', name: 'CPU (% of one core)', yAxisIndex: 1, symbol: 'none', color: faint, lineStyle: { width: 1, type: 'dotted' }, data: session.t.map((t, i) => [t, session.cpu[i]]) }] : []),
      ],
    }, true);
  };
  window.repaint.push(paint);

  const choose = () => {
    session = sessions[Number(select.value)];
    slider.max = String(session.t.length - 1);
    paint();
    say(session.mb.indexOf(Math.max(...session.mb)));
  };
  chart.on('updateAxisPointer', (e) => { const x = e.axesInfo?.[0]?.value; if (typeof x === 'number') say(nearest(x)); });
  chart.on('datazoom', () => {
    const { start, end } = chart.getOption().dataZoom[0];
    holder.dataset.zoom = start.toFixed(1) + ' ' + end.toFixed(1);
  });
  select.addEventListener('change', choose);
  slider.addEventListener('input', () => {
    const i = Number(slider.value);
    chart.dispatchAction({ type: 'updateAxisPointer', seriesIndex: 0, dataIndex: i });
    chart.dispatchAction({ type: 'showTip', seriesIndex: 0, dataIndex: i });
    say(i);
  });
  document.getElementById('whole').addEventListener('click', () => chart.dispatchAction({ type: 'dataZoom', start: 0, end: 100 }));
  document.getElementById('save-session').addEventListener('click', () => {
    const rows = ['seconds,memory (MB),CPU (% of one core)', ...session.t.map((t, i) => [t, session.mb[i], session.cpu[i] ?? ''].join(','))];
    const a = document.createElement('a');
    a.href = URL.createObjectURL(new Blob([rows.join('\r\n') + '\r\n'], { type: 'text/csv' }));
    a.download = 'session.csv';
    a.click();
    URL.revokeObjectURL(a.href);
  });
  addEventListener('resize', () => { chart.resize(); paint(); });
  choose();
})();
`;
