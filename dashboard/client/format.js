// Numbers as a person reads them; the same forms as formats.py gives.
"use strict";

const Format = (() => {
  const digits = new Intl.NumberFormat("en", { maximumFractionDigits: 6 });
  const number = (value) => digits.format(value);

  function scaled(value, units) {
    let power = 0;
    while (value >= 999.5 && power < units.length - 1) {
      value /= 1000;
      power += 1;
    }
    const whole = power === 0 || value >= 99.5;
    return `${whole ? Math.round(value) : Number(value.toPrecision(3))} ${units[power]}`.trim();
  }

  const size = (bytes) => scaled(bytes, ["B", "kB", "MB", "GB", "TB", "PB"]);
  const compact = (value) => scaled(value, ["", "k", "M", "bn", "tn"]);

  function percent(share) {
    if (!(share > 0)) return "0%";
    return share < 0.0005 ? "<0.1%" : `${(100 * share).toFixed(1)}%`;
  }

  // An amount in a unit: all digits, but bytes in their larger units.
  const amount = (value, unit) => (unit === "bytes" ? size(value) : number(value));
  // The ticks of an axis.
  const tick = (unit) => (unit === "bytes" ? size : compact);

  return { number, size, compact, percent, amount, tick };
})();
