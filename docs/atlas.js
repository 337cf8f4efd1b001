(() => {
  const data = JSON.parse(document.getElementById("atlas-data").textContent);
  const root = document.getElementById("atlas-matrix");
  const [form, table, dialog] = ["form", "table", "dialog"].map((name) => root.querySelector(name));
  const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const short = (value) => (value === null ? "–" : Number(value.toPrecision(2)).toString());
  const interval = (value, low, high) => (value === null ? "–" : `${short(value)} [${short(low)}, ${short(high)}]`);

  // 1 is full colour, 1,000 and more is pale.
  const strength = (ratio) => Math.max(1 - Math.log10(Math.max(ratio, 1)) / 3, 0.06);

  function place(problem, estimator, by) {
    const found = data.places[by]?.[problem]?.[estimator];
    return found && found[0];
  }

  // Words of the search have to be in the name of the estimator or of the problem; all of one kind in one of them.
  function matching() {
    const wanted = form.elements.find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (name) => wanted.every((word) => name.toLowerCase().includes(word));
    const estimators = data.estimators.filter(has), problems = data.problems.filter(has);
    return {
      estimators: estimators.length ? estimators : problems.length ? data.estimators : [],
      problems: problems.length ? problems : estimators.length ? data.problems : [],
    };
  }

  // First who is best, or not told apart from the best, on most of the problems that are shown.
  function wins(estimator, problems, by) {
    return problems.filter((problem) => {
      const found = place(problem, estimator, by);
      return found && !found[4] && found[2] !== null && found[2] <= 1;  // 0: no noise
    }).length;
  }

  function cell(problem, estimator, by) {
    const known = data.cells[problem]?.[estimator];
    if (!known) return "<td></td>";
    const found = place(problem, estimator, by);
    const [samples, ratio, low, , aside] = found ?? [null, null, null, null, "no figure"];
    const classes = [aside ? "aside" : "", !aside && low !== null && low <= 1 ? "tied" : ""].join(" ").trim();
    const style = ratio === null ? "" : ` style="--strength: ${strength(ratio).toFixed(2)}"`;
    const mark = /bias/.test(aside) ? " b" : "";
    const told = ratio === null ? "·" : (ratio < 1000 ? short(ratio) : ratio.toExponential(0).replace("+", "")) + mark;
    const label = `${estimator} on ${problem}` + (samples ? `, ${samples} samples` : "") + (aside ? `, ${aside}` : "");
    return `<td class="${classes}"${style}><button data-problem="${escaped(problem)}" data-estimator="${escaped(estimator)}" ` +
      `aria-label="${escaped(label)}">${told}</button></td>`;
  }

  function draw() {
    const by = form.elements.by.value, { estimators, problems } = matching();
    const shown = estimators.filter((one) => problems.some((problem) => data.cells[problem]?.[one]));
    const order = shown.map((one) => [wins(one, problems, by), one]).sort((a, b) => b[0] - a[0] || (a[1] < b[1] ? -1 : 1));
    const head = problems.map((name) => `<th scope="col"><span>${escaped(name)}</span></th>`).join("");
    const rows = order.map(([, one]) =>
      `<tr><th scope="row">${escaped(one)}</th>${problems.map((problem) => cell(problem, one, by)).join("")}</tr>`);
    table.innerHTML = `<thead><tr><th></th>${head}</tr></thead><tbody>${rows.join("")}</tbody>`;
    if (!rows.length) table.innerHTML = "<tbody><tr><td>Nothing is called so.</td></tr></tbody>";
  }

  function open(problem, estimator) {
    const rows = data.cells[problem][estimator].map(([samples, claim, verdict, evaluations, seconds, ...figures]) => {
      const [variance, mse, scale, cosine] = [0, 3, 6, 9].map((start) => interval(...figures.slice(start, start + 3)));
      const time = seconds === null ? "–" : `${short(1e6 * seconds)} µs`;
      const told = [samples, verdict, variance, mse, scale, cosine, evaluations, time];
      return `<tr>${told.map((text) => `<td>${escaped(String(text))}</td>`).join("")}</tr>`;
    });
    const claim = data.cells[problem][estimator][0][1];
    const all = data.cells[problem][estimator].map((row) => row[0]).join(",");
    const heads = ["S", "verdict", "total variance", "MSE", "scale of the mean", "cosine of the mean", "evaluations", "time"];
    const times = data.machine ? `; times are of ${escaped(data.machine)}` : "";
    dialog.innerHTML = `<h3><code>${escaped(estimator)}</code> on <code>${escaped(problem)}</code></h3>` +
      `<p>It claims to be ${claim}. Brackets are 95 % intervals${times}.</p>` +
      `<div class="atlas-scroll"><table><thead><tr>${heads.map((text) => `<th>${text}</th>`).join("")}</tr></thead>` +
      `<tbody>${rows.join("")}</tbody></table></div>` +
      `<p>To measure it again:</p><pre><code>gradmark run atlas -e '${escaped(estimator)}' -p '${escaped(problem)}' -n ${all} ` +
      `--name again</code></pre><form method="dialog"><button>Close</button></form>`;
    dialog.showModal();
  }

  const units = { evaluations: "evaluations of the cost", seconds: `seconds, on ${data.machine}` };
  const known = Object.entries(units).filter(([by]) => data.places[by]);
  form.elements.by.innerHTML = known.map(([by, text]) => `<option value="${by}">${escaped(text)}</option>`).join("");
  form.addEventListener("input", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  table.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) open(button.dataset.problem, button.dataset.estimator);
  });
  draw();
})();
