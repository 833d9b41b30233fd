'use strict';

const $ = (id) => document.getElementById(id);

// make builds an element: make('p', {class: 'x', text: 'y'}, child, …). Text is always text, never markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'text') element.textContent = value;
    else if (name === 'on') for (const [event, f] of Object.entries(value)) element.addEventListener(event, f);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter(Boolean));
  return element;
}

const say = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const short = (commit) => (commit ? commit.slice(0, 8) : 'placeholder');
const words = { '': 'waiting', InProgress: 'running', Succeeded: 'done', Failed: 'failed', Abandoned: 'rejected', Stopped: 'stopped', Superseded: 'superseded' };

function duration(seconds) {
  if (!seconds) return '';
  const s = Math.round(seconds);
  return s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${s % 60} s`;
}

let noticeTimer;
function notice(text) {
  $('notice').hidden = false;
  $('notice').textContent = text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => { $('notice').hidden = true; }, 8000);
}

async function post(path, body) {
  try {
    const response = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body ?? {}) });
    if (response.ok) return true;
    notice((await response.json()).error);
  } catch {
    notice('The sandbox does not answer. Is it still running?');
  }
  return false;
}

// confirmed asks before something moves traffic; the harmless answer has the focus. An answer counts for its own question
// alone: the event that tells of it may come when the next question stands already.
let answer = () => {};
function confirmed(title, text, yes) {
  answer(false);
  const dialog = $('confirm');
  say($('confirm-title'), title);
  say($('confirm-text'), text);
  say($('confirm-yes'), yes);
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => { answer = resolve; });
}
$('confirm').addEventListener('close', () => { if (!$('confirm').open) answer($('confirm').returnValue === 'yes'); });

async function showLog(stage, action) {
  say($('log-title'), `${stage} / ${action}`);
  say($('log-text'), 'loading…');
  $('log').showModal();
  const response = await fetch(`api/log/${encodeURIComponent(stage)}/${encodeURIComponent(action)}`);
  say($('log-text'), response.ok ? (await response.text()) || 'Nothing was written yet.' : (await response.json()).error);
}

// keyed keeps one element for each key, in order, so that what has the focus or an open text field is never rebuilt.
function keyed(parent, items, key, create, update) {
  const present = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const k = key(item);
    let element = present.get(k);
    if (element) present.delete(k);
    else { element = create(item); element.dataset.key = k; }
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
    update(element, item);
  });
  for (const gone of present.values()) gone.remove();
}

function drawStatus(element, status, seconds) {
  element.dataset.status = status;
  say(element, [words[status] ?? status, duration(seconds)].filter(Boolean).join(' · '));
}

function drawPipeline(p) {
  say($('execution'), p.execution
    ? `${p.name}: commit ${short(p.commit)} “${p.message}” by ${p.author}, ${words[p.status] ?? p.status}${p.digest ? `, image ${p.digest.slice(0, 19)}…` : ''}`
    : `${p.name}: waiting for a commit`);
  keyed($('stages'), p.stages ?? [], (s) => s.name,
    (s) => make('li', {}, make('h3', {}, make('span', { text: s.name }), make('span', { class: 'status' })), make('div')),
    (element, s) => {
      drawStatus(element.querySelector('h3 .status'), s.status, 0);
      keyed(element.lastChild, s.actions ?? [], (a) => a.name,
        (a) => make('div', {},
          make('div', { class: 'action' },
            make('button', { class: 'plain', text: a.name, 'aria-label': `log of ${s.name} ${a.name}`, on: { click: () => showLog(s.name, a.name) } }),
            make('span', { class: 'status' })),
          make('p', { class: 'summary', hidden: true })),
        (row, a) => {
          drawStatus(row.querySelector('.status'), a.status, a.seconds);
          const summary = row.querySelector('.summary');
          summary.hidden = !a.summary;
          say(summary, a.summary ?? '');
          summary.title = a.summary ?? '';
        });
    });
}

function drawApprovals(p) {
  const waiting = (p.stages ?? []).flatMap((s) => (s.actions ?? []).filter((a) => a.token).map((a) => ({ stage: s.name, ...a })));
  $('approvals').hidden = waiting.length === 0;
  keyed($('approvals'), waiting, (a) => a.token, (a) => {
    const comment = make('input', { type: 'text', maxlength: '512', autocomplete: 'off' });
    const buttons = [];
    const give = (approved) => async () => {
      buttons.forEach((b) => { b.disabled = true; });
      const done = await post('api/approval', { stage: a.stage, action: a.name, token: a.token, approved, comment: comment.value });
      if (!done) buttons.forEach((b) => { b.disabled = false; });
    };
    buttons.push(
      make('button', { class: 'primary', text: `Approve ${a.stage}`, on: { click: give(true) } }),
      make('button', { class: 'danger', text: 'Reject', on: { click: give(false) } }));
    return make('article', { 'aria-label': `Approval of ${a.stage}` },
      make('h2', { text: `${a.stage} waits for you` }),
      make('pre', { text: a.question ?? '' }),
      make('label', {}, 'Comment (kept with the release)', comment),
      make('p', { class: 'buttons' }, ...buttons));
  }, () => {});
}

const lines = [
  { title: 'Traffic share, %', value: (c) => c.weight, range: [0, 100] },
  { title: 'Requests a second', value: (c) => c.requests },
  { title: 'Failed a second', value: (c) => c.errors },
  { title: 'Latency p99, ms', value: (c) => c.p99 },
];
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function chart(figure, line) {
  const axis = { stroke: colour('faint'), grid: { stroke: colour('rim'), width: 1 }, ticks: { show: false }, font: '11px system-ui' };
  return new uPlot({
    width: figure.clientWidth || 160, height: 92, legend: { show: false }, cursor: { show: false }, padding: [6, 4, 0, 0],
    scales: { y: { range: line.range ?? ((_, __, max) => [0, Math.max(1, (max || 0) * 1.1)]) } },
    axes: [{ ...axis, size: 20, space: 60 }, { ...axis, size: 38, space: 24 }],
    series: [{}, ...['blue', 'green'].map((c) => ({ stroke: colour(c), width: 2, points: { show: false } }))],
  }, [[], [], []], figure);
}

function drawCharts(card, e) {
  if (typeof uPlot === 'undefined') return;
  if (!card.charts) {
    card.charts = lines.map((line, i) => chart(card.querySelectorAll('figure')[i], line));
    new ResizeObserver(() => card.charts.forEach((c) => {
      const width = c.root.parentElement.clientWidth;
      if (width && width !== c.width) c.setSize({ width, height: 92 });
    })).observe(card);
  }
  const samples = e.samples ?? [];
  card.charts.forEach((c, i) => {
    c.setData([samples.map((s) => s.unix), samples.map((s) => lines[i].value(s.blue)), samples.map((s) => lines[i].value(s.green))]);
    const last = samples.at(-1);
    if (last) {
      const now = (side) => Math.round(lines[i].value(last[side]) * 10) / 10;
      c.root.parentElement.setAttribute('aria-label', `${lines[i].title}: blue ${now('blue')}, green ${now('green')}`);
    }
  });
}

function health(targets) {
  if (!targets?.length) return 'none';
  const counts = Map.groupBy(targets, (t) => (t.reason ? `${t.state} (${t.reason})` : t.state));
  return [...counts].map(([state, list]) => `${list.length} ${state}`).join(', ');
}

function card(e) {
  const rollback = make('button', {
    class: 'danger', text: 'Roll back', on: {
      click: async () => {
        const other = element.state.live === 'blue' ? 'green' : 'blue';
        const version = short(element.state[other].commit);
        if (await confirmed(`Roll ${e.name} back?`, `All traffic of ${e.name} goes to ${other} (${version}) in one step.`, 'Roll back')) {
          if (await post(`api/environments/${encodeURIComponent(e.name)}/rollback`)) notice(`${e.name} is rolled back to ${other}.`);
        }
      },
    },
  });
  const row = (name) => make('tr', {}, make('th', { scope: 'row', text: name }), make('td'), make('td'));
  const element = make('article', { 'aria-label': e.name },
    make('header', {}, make('h3', { text: e.name }), make('nav', { 'aria-label': `${e.name} pages` },
      make('a', { href: e.url, target: '_blank', rel: 'noopener', text: 'Shop' }),
      e.preview && make('a', { href: e.preview, target: '_blank', rel: 'noopener', text: 'Candidate' }), rollback)),
    make('div', { class: 'weights', role: 'img' }, make('span', { class: 'blue' }), make('span', { class: 'green' })),
    make('p', { class: 'quiet step' }),
    make('table', {},
      make('thead', {}, make('tr', {}, make('td'), make('th', { scope: 'col', class: 'blue', text: 'blue' }), make('th', { scope: 'col', class: 'green', text: 'green' }))),
      make('tbody', {}, row('Version'), row('Running'), row('Targets'))),
    make('div', { class: 'charts' }, ...lines.map((l) => make('figure', { role: 'img', 'aria-label': l.title }, make('figcaption', { text: l.title })))));
  return element;
}

function drawCard(element, e) {
  element.state = e;
  const bar = element.querySelector('.weights');
  bar.setAttribute('aria-label', `traffic: blue ${e.blue.weight} percent, green ${e.green.weight} percent`);
  for (const c of ['blue', 'green']) {
    const span = bar.querySelector(`.${c}`);
    span.style.width = `${e[c].weight}%`;
    say(span, e[c].weight >= 12 ? `${c} ${e[c].weight} %` : '');
  }
  const standby = e.standby ? `the other side stands by until ${new Date(e.standby).toLocaleTimeString()}` : '';
  say(element.querySelector('.step'), [e.step, e.verdict, standby].filter(Boolean).join(' · ') || `${e.live} is live, nothing is moving`);
  const rows = element.querySelectorAll('tbody tr');
  [['blue', 1], ['green', 2]].forEach(([c, column]) => {
    say(rows[0].children[column], e[c].running || e[c].commit ? short(e[c].commit) : '–');
    say(rows[1].children[column], `${e[c].running} of ${e[c].desired}`);
    say(rows[2].children[column], health(e[c].targets));
  });
  drawCharts(element, e);
}

function drawDrills(drills) {
  const busy = drills.some((d) => d.running);
  keyed($('drills'), drills, (d) => d.name,
    (d) => {
      const start = async () => {
        if (await confirmed(`Start the drill ${d.name}?`, `${d.breaks} It is broken in a world of its own, beside this one: what is live here stays as it is.`, 'Break it')) {
          post(`api/drills/${encodeURIComponent(d.name)}`);
        }
      };
      return make('li', {},
        make('div', {}, make('h3', { text: d.name }), make('p', { text: d.breaks }), make('p', { class: 'quiet', text: d.promise }),
          make('p', { class: 'outcome status', role: 'status' })),
        make('button', { text: 'Start', 'aria-label': `start the drill ${d.name}`, on: { click: start } }));
    },
    (li, d) => {
      li.querySelector('button').disabled = busy;
      const outcome = li.querySelector('.outcome');
      outcome.dataset.status = d.running ? 'InProgress' : d.outcome ? (d.passed ? 'Succeeded' : 'Failed') : '';
      say(outcome, d.running ? 'running' : d.outcome);
    });
}

function draw(state) {
  say($('about'), `containers by ${state.runtime}, time runs ${state.scale}×`);
  drawPipeline(state.pipeline);
  drawApprovals(state.pipeline);
  keyed($('cards'), state.environments ?? [], (e) => e.name, card, drawCard);
  drawDrills(state.drills ?? []);
}

const keptEvents = 400;
function addEvent(e) {
  const box = $('events');
  const list = box.firstChild;
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  list.append(make('li', {},
    make('time', { datetime: e.time, text: new Date(e.time).toLocaleTimeString() }),
    make('span', { class: 'who', text: [e.environment, e.service].filter(Boolean).join(' ') }),
    make('span', { text: e.text })));
  while (list.children.length > keptEvents) list.firstChild.remove();
  if (atEnd) box.scrollTop = box.scrollHeight;
}

const source = new EventSource('api/live');
source.addEventListener('state', (event) => draw(JSON.parse(event.data)));
source.addEventListener('entry', (event) => { const e = JSON.parse(event.data); if (e.kind !== 'log') addEvent(e); });
source.addEventListener('open', () => { $('connection').className = ''; say($('connection'), 'live'); });
source.addEventListener('error', () => { $('connection').className = 'lost'; say($('connection'), 'the sandbox does not answer'); });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  // The charts' colours are painted, not styled: draw them anew.
  for (const element of $('cards').children) {
    element.charts?.forEach((c) => c.destroy());
    element.charts = undefined;
    if (element.state) drawCharts(element, element.state);
  }
});
