'use strict';
(() => {
  const root = document.documentElement;
  const study = JSON.parse(document.getElementById('study').textContent);
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));
  root.classList.add('scripted');
  all('.js-only').forEach((node) => { node.hidden = false; });

  /* Numbers, written as the page itself writes them (numbers.py). */
  const MINUS = '\u2212', THIN = '\u202f';
  const grouped = (text) => {
    const [whole, part] = text.split('.');
    return whole.replace(/\B(?=(\d{3})+$)/g, THIN) + (part ? '.' + part : '');
  };
  const num = (value, digits = 3, signed = false) => {
    if (value === null || value === undefined || !Number.isFinite(value)) return '–';
    const sign = value < 0 ? MINUS : signed && value > 0 ? '+' : '';
    const v = Number(Math.abs(value).toExponential(digits - 1));
    if (v === 0) return '0';
    const exponent = Math.floor(Math.log10(v) + 1e-12);
    if (exponent >= 6 && exponent < 15) {
      const [size, unit] = v >= 1e12 ? [1e12, 'tn'] : v >= 1e9 ? [1e9, 'bn'] : [1e6, 'M'];
      return sign + num(v / size, digits) + THIN + unit;
    }
    if (exponent < -4 || exponent >= 15) {
      const power = '10' + String(exponent).replace(/./g, (c) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(c)]);
      const mantissa = String(Number((v / 10 ** exponent).toFixed(digits - 1)));
      return sign + (mantissa === '1' ? power : mantissa + THIN + '×' + THIN + power);
    }
    const decimals = Number.isInteger(v) && v >= 10 ? 0 : Math.max(digits - 1 - exponent, 0);
    return sign + grouped(v.toFixed(decimals));
  };

  /* Theme: follows the system until the reader says otherwise. */
  const theme = document.querySelector('.theme');
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : system.matches);
  const showTheme = () => {
    theme.textContent = isDark() ? 'Light mode' : 'Dark mode';
  };
  const stored = (value) => {
    try {
      if (value) window.localStorage.setItem('bridle-theme', value);
      return window.localStorage.getItem('bridle-theme');
    } catch { return null; /* storage is refused in some private windows: the choice lasts for this view */ }
  };
  const before = stored();
  if (before === 'dark' || before === 'light') root.dataset.theme = before;
  theme.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    stored(root.dataset.theme);
    showTheme();
  });
  system.addEventListener('change', showTheme);
  showTheme();

  /* Arrow keys move within a group of which one member is in the tab order. */
  const roving = (items, chosen) => {
    items.forEach((item, k) => item.addEventListener('keydown', (event) => {
      const to = { ArrowRight: k + 1, ArrowDown: k + 1, ArrowLeft: k - 1, ArrowUp: k - 1, Home: 0, End: items.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = items[(to + items.length) % items.length];
      items.forEach((other) => { other.tabIndex = other === next ? 0 : -1; });
      next.focus();
      if (chosen) chosen(next);
    }));
  };

  /* Tabs: one panel a model. */
  const tabs = all('[role="tab"]');
  const panelOf = (tab) => document.getElementById(tab.getAttribute('aria-controls'));
  const select = (tab) => tabs.forEach((other) => {
    const on = other === tab;
    other.setAttribute('aria-selected', String(on));
    other.tabIndex = on ? 0 : -1;
    panelOf(other).hidden = !on;
  });
  tabs.forEach((tab) => {
    const panel = panelOf(tab);
    panel.setAttribute('role', 'tabpanel');
    panel.setAttribute('aria-labelledby', tab.id);
    tab.addEventListener('click', () => select(tab));
  });
  roving(tabs, select);
  if (tabs.length) select(tabs.find((tab) => 'best' in tab.dataset) || tabs[0]);

  /* One panel: a slider that moves the marker, the scores and the coefficients together. */
  const symbolOf = (parameter) => (parameter === 'lambda' ? 'λ' : parameter);
  const setUp = (panel) => {
    const { curve, path } = study.models[Number(panel.dataset.model)];
    const slider = panel.querySelector('input[type="range"]');
    const chart = panel.querySelector('[data-chart="curve"]');
    const read = (name) => Number(chart.dataset[name]);
    const [x0, x1, y0, y1, height] = ['x0', 'x1', 'y0', 'y1', 'h'].map(read);
    const place = chart.dataset.log === '1' ? Math.log : (v) => v;
    const across = (v) => (x0 === x1 ? 0.5 : (place(v) - place(x0)) / (place(x1) - place(x0)));
    const down = (v) => (v === null ? -99 : height * (1 - (v - y0) / (y1 - y0)));
    const reach = Number(panel.dataset.reach) || 1;
    const out = (name) => panel.querySelector(`[data-out="${name}"]`);
    const cursors = all('line.cursor', panel);
    const held = chart.querySelector('.cursor-held'), train = chart.querySelector('.cursor-train');
    const rows = all('.bars tr[data-f]', panel);
    const chips = path ? path.features.map((name, f) => {
      const chip = document.createElement('button');
      chip.type = 'button';
      chip.dataset.f = String(f);
      chip.textContent = name.length > 40 ? `${name.slice(0, 39)}…` : name;
      chip.tabIndex = f === 0 ? 0 : -1;
      return chip;
    }) : [];
    if (chips.length) panel.querySelector('.chips').append(...chips);
    const written = (v) => (curve.parameter === 'dropout rate' ? String(Number(v.toPrecision(3))) : num(v));
    const features = out('nonzero'); /* not there where every value uses the same ones */
    const which = (i) => [['chosen', curve.index_chosen], ['lowest error', curve.index_min], ['1-SE rule', curve.index_1se]]
      .filter(([, at]) => at === i).map(([name]) => name).join(', ');

    const show = (i) => {
      const at = `${(100 * across(curve.values[i])).toFixed(2)}%`;
      cursors.forEach((line) => { line.setAttribute('x1', at); line.setAttribute('x2', at); });
      [[held, curve.mean[i]], [train, curve.train[i]]].forEach(([dot, value]) => {
        dot.setAttribute('x', at);
        dot.setAttribute('y', down(value).toFixed(1));
      });
      out('value').textContent = written(curve.values[i]);
      out('which').textContent = which(i);
      out('mean').textContent = num(curve.mean[i]);
      out('train').textContent = num(curve.train[i]);
      if (features) features.textContent = grouped(String(curve.n_nonzero[i]));
      all('[data-score]', panel).forEach((node) => { node.textContent = num(curve.scores[node.dataset.score][i]); });
      const values = rows.map((row) => path.coefficients[Number(row.dataset.f)][i]);
      const full = Math.max(reach, ...values.map(Math.abs)); /* shared by all bars, so that they stay comparable */
      rows.forEach((row, k) => {
        const value = values[k];
        const half = 50 * Math.abs(value) / full;
        const bar = row.querySelector('rect');
        bar.setAttribute('x', `${value >= 0 ? 50 : 50 - half}%`);
        bar.setAttribute('width', `${half}%`);
        row.querySelector('[data-coef]').textContent = value === 0 ? 'out' : num(value, 2, true);
        row.classList.toggle('out', value === 0);
      });
      chips.forEach((chip) => chip.classList.toggle('out', path.coefficients[Number(chip.dataset.f)][i] === 0));
      slider.setAttribute('aria-valuetext', `${symbolOf(curve.parameter)} ${written(curve.values[i])}, cross-validated error ${num(curve.mean[i])}${features ? `, ${curve.n_nonzero[i]} features` : ''}`);
    };
    const move = (i) => { slider.value = String(i); show(i); };
    slider.addEventListener('input', () => show(Number(slider.value)));
    panel.querySelector('[data-reset]').addEventListener('click', () => move(curve.index_chosen));
    const nearest = (event) => {
      const box = chart.querySelector('.lines').getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width;
      const distance = curve.values.map((v) => Math.abs(across(v) - x));
      move(distance.indexOf(Math.min(...distance)));
    };
    chart.addEventListener('pointerdown', (event) => { chart.setPointerCapture(event.pointerId); nearest(event); });
    chart.addEventListener('pointermove', (event) => { if (chart.hasPointerCapture(event.pointerId)) nearest(event); });
    move(curve.index_chosen);
    if (path) highlight(panel, path, chips, slider);
  };

  /* Point at a path, or go through the names: the feature and its bootstrap bundle stand out. */
  const highlight = (panel, path, chips, slider) => {
    const figure = panel.querySelector('.paths-figure');
    if (!figure) return;
    const name = figure.querySelector('.hover-name'), hint = name.textContent;
    all('.paths .path', figure).forEach((line) => { /* a wider, unseen twin is easier to point at */
      const hit = line.cloneNode();
      hit.setAttribute('class', 'hit');
      line.before(hit);
    });
    const pick = (f) => {
      figure.classList.toggle('picking', f !== null);
      all('[data-f]', figure).forEach((node) => node.classList.toggle('on', node.dataset.f === f));
      if (f === null) { name.textContent = hint; return; }
      const value = path.coefficients[Number(f)][Number(slider.value)];
      name.textContent = `${path.features[Number(f)]}: ${value === 0 ? 'out of the model here' : `${num(value, 3, true)} per standard deviation`}`;
    };
    all('.paths g, .names g', figure).forEach((node) => {
      node.addEventListener('pointerenter', () => pick(node.dataset.f));
      node.addEventListener('pointerleave', () => pick(null));
    });
    chips.forEach((chip) => {
      ['focus', 'pointerenter', 'click'].forEach((kind) => chip.addEventListener(kind, () => pick(chip.dataset.f)));
      ['blur', 'pointerleave'].forEach((kind) => chip.addEventListener(kind, () => pick(null)));
    });
    roving(chips);
  };
  all('.panel').forEach(setUp);

  /* Sortable tables. */
  all('table.sortable').forEach((table) => all('th[data-sort]', table).forEach((head) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    const column = Array.from(head.parentNode.children).indexOf(head);
    const value = (row) => {
      const cell = row.children[column];
      if (head.dataset.sort === 'text') return cell.textContent.trim().toLowerCase();
      return cell.dataset.v === '' ? -Infinity : Math.abs(Number(cell.dataset.v));
    };
    button.addEventListener('click', () => {
      const first = head.dataset.sort === 'text' ? 'ascending' : 'descending';
      const order = head.getAttribute('aria-sort') === first ? (first === 'ascending' ? 'descending' : 'ascending') : first;
      all('th', head.parentNode).forEach((other) => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', order);
      const body = table.tBodies[0], sign = order === 'ascending' ? 1 : -1;
      const rows = Array.from(body.rows).map((row) => [value(row), row]);
      rows.sort(([a], [b]) => sign * (a < b ? -1 : a > b ? 1 : 0));
      body.append(...rows.map(([, row]) => row));
    });
  }));

  /* Copy a command. */
  all('[data-copy]').forEach((button) => button.addEventListener('click', async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = 'Copied';
    } catch { /* no clipboard here: select it, so that one key copies it */
      window.getSelection().selectAllChildren(source);
      button.textContent = 'Selected: press Ctrl+C';
    }
    window.setTimeout(() => { button.textContent = 'Copy'; }, 2500);
  }));

  /* Where the reader is. */
  const links = new Map(all('.contents a').map((link) => [link.hash.slice(1), link]));
  if ('IntersectionObserver' in window) {
    const watch = new IntersectionObserver((entries) => entries.forEach((entry) => {
      if (!entry.isIntersecting) return;
      links.forEach((link, id) => { if (id === entry.target.id) link.setAttribute('aria-current', 'true'); else link.removeAttribute('aria-current'); });
    }), { rootMargin: '-10% 0px -75% 0px' });
    links.forEach((_, id) => watch.observe(document.getElementById(id)));
  }
})();
