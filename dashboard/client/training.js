// Training: curves of runs of the trainer, and its labels beside the corpus.
"use strict";

(() => {
  const { data, tables, draw, put, fillTable } = Views;
  const { runs, labels } = data.training;
  const byId = (id) => document.getElementById(id);
  const several = runs.length > 1;
  const DASHES = ["none", "6 3", "2 3", "8 3 2 3"];
  const COLORS = 8;
  const colorOf = (place) => Columns.domainFill(place % COLORS);
  const dashOf = (run) => DASHES[run % DASHES.length];
  const colorOfRun = (number) => (several ? colorOf(number) : "var(--train)");
  const three = (value) => value.toFixed(3);

  // --------------------------------------------------------- curves

  // Points of a curve; places without a value are gaps.
  const points = (tokens, values) => tokens.map((at, place) => ({ tokens: at, value: values[place] ?? null }));

  // Every part of every run, with the curves of its training and its validation.
  function parts(view, measure) {
    const names = [...new Set(runs.flatMap((run) => Object.keys({ ...run.train[view], ...run.validation[view] })))];
    return runs.flatMap((run, number) => names.map((name, place) => ({
      run, number, name,
      // Told apart by colour: runs where there is but one part of each, else parts.
      color: view === "all" ? colorOfRun(number) : colorOf(place),
      dash: view === "all" ? "none" : dashOf(number),
      train: points(run.tokens, run.train[view][name]?.[measure] ?? []),
      validation: points(run.seen, run.validation[view][name]?.[measure] ?? []),
    })));
  }

  const told = (curve) => curve.filter((point) => point.value !== null);
  const called = (part, view) => [several ? part.run.name : "", view === "all" ? "" : part.name].filter(Boolean).join(", ");

  function ends(shown) {
    const training = shown.flatMap((part) => told(part.train).map((point) => point.value)).sort(d3.ascending);
    const others = shown.flatMap((part) => told(part.validation).map((point) => point.value));
    // Spikes are marked at the edge: drawn to scale they would press all else to the ground.
    const [low, high] = d3.extent([...others, ...[0, 0.99].map((share) => d3.quantile(training, share)).filter(Number.isFinite)]);
    const margin = 0.03 * (high - low) || 0.1;
    return low === undefined ? null : [low - margin, high + margin];
  }

  const axis = (width) => ({ label: "tokens seen", grid: true, ticks: Charts.ticks(width), tickFormat: Format.compact });
  const at = (tokens) => `${Format.number(tokens)} tokens`;

  function curves(view, measure, width) {
    const shown = parts(view, measure);
    const domain = ends(shown);
    if (!domain) return document.createTextNode("Nothing was told yet.");
    const title = (part, of) => (point) =>
      `${[called(part, view), of].filter(Boolean).join(": ")} ${three(point.value ?? 0)}\n${at(point.tokens)}`;
    return Charts.plot({
      width,
      height: Math.min(420, Math.max(280, width * 0.4)),
      marginLeft: 52,
      marginBottom: 42,
      ariaLabel: "Training and validation loss over tokens",
      x: axis(width),
      y: { domain, grid: true, label: measure === "loss" ? "nats a token" : "bits per byte" },
      marks: [
        ...shown.map((part) => Plot.line(part.train, {
          x: "tokens", y: "value", stroke: part.color, strokeWidth: 1, strokeOpacity: 0.6,
          strokeDasharray: part.dash, clip: true, tip: true, title: title(part, "training"),
        })),
        ...shown.map((part) => Plot.line(part.validation, {
          x: "tokens", y: "value", stroke: validationColor(part, view), strokeWidth: 2.5, strokeDasharray: part.dash,
        })),
        ...shown.map((part) => Plot.dot(told(part.validation), {
          x: "tokens", y: "value", r: 4, fill: validationColor(part, view), tip: true,
          title: title(part, "validation"),
        })),
        spikes(domain[1], view === "all" && measure === "loss"),
      ],
    });
  }

  // One run of one part has a colour for either curve.
  const validationColor = (part, view) => (!several && view === "all" ? "var(--validation)" : part.color);

  // Where a loss leapt: at its loss, or, where that is off the chart or of no curve, at the top.
  function spikes(top, toScale) {
    const found = runs.flatMap((run) => run.spikes.map(([tokens, step, loss, limit, documents]) =>
      ({ run, tokens, step, loss, limit, documents, y: toScale && loss !== null ? Math.min(loss, top) : top })));
    return Plot.dot(found, {
      x: "tokens", y: "y", symbol: "times", r: 5, stroke: "var(--rejected)", strokeWidth: 2, tip: true,
      title: (spike) => `${several ? `${spike.run.name}, ` : ""}spike at step ${Format.number(spike.step)}: loss ` +
        `${spike.loss === null ? "is no number" : three(spike.loss)}` +
        `${spike.limit === null ? "" : `, limit ${three(spike.limit)}`}\n${Format.number(spike.documents)} documents, in the table of spikes`,
    });
  }

  function forgetting(width) {
    const names = watched();
    const shown = runs.flatMap((run, number) => Object.entries(run.forgetting).map(([name, values]) => ({
      run, name, color: colorOf(names.indexOf(name)), dash: dashOf(number), line: points(run.seen, values),
    })));
    return Charts.plot({
      width,
      height: 260,
      marginLeft: 52,
      marginBottom: 42,
      ariaLabel: "Forgetting by watched category over tokens",
      x: axis(width),
      y: { grid: true, zero: true, label: "nats a token worse than before" },
      marks: [
        Plot.ruleY([0], { stroke: "var(--muted)" }),
        ...shown.map((part) => Plot.line(part.line, {
          x: "tokens", y: "value", stroke: part.color, strokeWidth: 2, strokeDasharray: part.dash,
        })),
        ...shown.map((part) => Plot.dot(told(part.line), {
          x: "tokens", y: "value", r: 3.5, fill: part.color, tip: true,
          title: (point) => `${called(part, "category")}: ${three(point.value)}\n${at(point.tokens)}`,
        })),
      ],
    });
  }

  const watched = () => [...new Set(runs.flatMap((run) => Object.keys(run.forgetting)))];

  // ---------------------------------------------- steps, speed, memory

  const FORMS = {
    learning_rate: (value) => String(Number(value.toPrecision(3))),
    gradient_norm: (value) => String(Number(value.toPrecision(3))),
    tokens_per_second: Format.compact,
    mfu: Format.percent,
    memory_bytes: Format.size,
    waiting_for_data: Format.percent,
  };

  function measure(name, term, width) {
    const tickFormat = FORMS[name];
    return Charts.plot({
      width,
      height: 200,
      marginLeft: 62,
      marginBottom: 40,
      ariaLabel: `${term} over tokens`,
      x: axis(width),
      y: { grid: true, zero: true, label: null, ticks: 5, tickFormat },
      marks: runs.map((run, number) => Plot.line(points(run.tokens, run.measures[name]), {
        x: "tokens", y: "value", stroke: colorOfRun(number), strokeWidth: 1.5, tip: true,
        title: (point) => `${several ? `${run.name}: ` : ""}${tickFormat(point.value ?? 0)}\n${at(point.tokens)}`,
      })),
    });
  }

  function drawMeasures(width) {
    // Two beside each other where there is room; within the edges of both figures.
    const each = width > 1000 ? Math.floor((width - 38) / 2) : width;
    for (const [name, term] of data.training.measures) put(`chart-${name}`, () => measure(name, term, each), each);
  }

  // -------------------------------------------------------- legends

  function stroke(color, dash, width) {
    const svg = d3.create("svg").attr("viewBox", "0 0 27 10").attr("class", "key stroke").attr("aria-hidden", "true");
    svg.append("line").attr("x2", 27).attr("y1", 5).attr("y2", 5)
      .attr("stroke", color).attr("stroke-width", width).attr("stroke-dasharray", dash);
    return svg.node();
  }

  const entry = (name, color, dash = "none", width = 3) =>
    Tables.element("span", {}, stroke(color, dash, width), Tables.element("bdi", {}, name));

  function legend(...entries) {
    const made = document.createDocumentFragment();
    for (const each of entries) made.append(each, " ");
    return made;
  }

  const runsByColor = () => runs.map((run, number) => entry(run.name, colorOfRun(number)));
  const runsByDash = () =>
    (several ? runs.map((run, number) => entry(run.name, "var(--ink)", dashOf(number))) : []);

  function curveLegend(view) {
    if (view === "all" && !several)
      return legend(entry("training", "var(--train)", "none", 1.5), entry("validation", "var(--validation)"));
    const names = [...new Set(parts(view, "loss").map((part) => part.name))];
    const ofParts = names.map((name, place) => entry(name, colorOf(place)));
    return legend(...(view === "all" ? runsByColor() : [...ofParts, ...runsByDash()]),
      Tables.element("span", {}, "thin: training; with dots: validation"));
  }

  const forgettingLegend = () =>
    legend(...watched().map((name, place) => entry(name, colorOf(place))), ...runsByDash());

  // --------------------------------------------------------- labels

  const LABELS = [
    { key: "run", title: "run", definition: "Name of the run's folder." },
    { key: "label", title: "label", term: "label", code: true, beside: "name" },
    { key: "tier", title: "tier", term: "tier" },
    { key: "words", title: "words", term: "available", format: Format.number },
    { key: "available", title: "available", term: "tokens available", format: Format.number },
    { key: "planned", title: "planned", term: "tokens planned", format: Format.number },
    { key: "seen", title: "seen", term: "tokens seen", format: Format.number },
    { key: "of_plan", title: "of plan", term: "seen of plan", format: Format.percent },
    { key: "epochs", title: "epochs", term: "times seen", format: Columns.times },
    { key: "train_loss", title: "training loss", term: "training loss", format: three },
    { key: "before", title: "bits before", term: "before", format: three },
    { key: "after", title: "after", term: "after", format: three },
    { key: "change", title: "change", term: "change", format: Columns.signed },
  ];

  function course(row) {
    const values = labels.course[row];
    if (values.length < 2) return [];
    const [width, height, edge] = [120, 14, 2];
    const x = (place) => edge + (place * (width - 2 * edge)) / (values.length - 1);
    const line = d3.line((_, place) => x(place), courseScale).defined((value) => value !== null);
    const title = `${labels.label[row]}: bits per byte at ${values.length} validations, ` +
      `the last ${Format.percent(values[values.length - 1] ?? 0)} of the first`;
    const svg = d3.create("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("class", "spark")
      .attr("role", "img").attr("aria-label", title);
    svg.append("title").text(title);
    svg.append("path").attr("d", line(values)).attr("fill", "none")
      .attr("stroke", "var(--validation)").attr("stroke-width", 1.5);
    return [svg.node()];
  }

  // Labels of little text leap about; they do not set the scale of all.
  const courses = labels.course.flat().filter((value) => value !== null).sort(d3.ascending);
  const courseEnds = [d3.quantile(courses, 0.02) ?? 0, Math.max(1, d3.quantile(courses, 0.98) ?? 1)];
  const courseScale = d3.scaleLinear(courseEnds, [12, 2]).clamp(true);

  tables.training = {
    make: (table) => new Tables.ColumnTable(table, labels, data.terms, {
      columns: [
        ...LABELS.filter(({ key }) => key !== "run" || several),
        { key: "course-shown", title: "course", definition: data.terms.course, name: "bar", content: course },
      ],
      searched: ["run", "label", "name", "script", "tier"],
      sorting: { key: "seen", descending: true },
      more: ["name", "script", "loss_before", "loss_after"],
    }),
    sort: "-seen",
    name: "training",
  };

  // ----------------------------------------------------------- view

  function chosen(id, settings) {
    const select = byId(id);
    const wanted = settings.get(select.dataset.setting);
    const found = [...select.options].findIndex((option) => option.value === wanted);
    select.selectedIndex = Math.max(found, 0);
    return select.value;
  }

  draw.training = (settings, width) => {
    const [view, unit] = [chosen("training-by", settings), chosen("training-in", settings)];
    put("chart-curves", () => curves(view, unit, width), view, unit, width);
    put("legend-curves", () => curveLegend(view), view);
    fillTable("training", settings);
    put("chart-forgetting", () => forgetting(width), width);
    put("legend-forgetting", forgettingLegend);
    drawMeasures(width);
  };
})();
