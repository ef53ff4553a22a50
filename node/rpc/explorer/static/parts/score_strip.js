import { h } from "../dom.js";
import { plainNats } from "./numbers.js";
import { cutToBand } from "./verdict.js";

const SLACK = 0.08;

/**
 * Return a strip on which an update's scores lie side by side: a mark for each validator, the band
 * around the median, zero and the threshold. The same is in the table beside it, and in its label.
 */
export function scoreStrip({ scores, score, band, threshold }) {
  const given = scores.map((one) => Number(one.alone));
  const low = Number(score) - Number(band);
  const high = Number(score) + Number(band);
  const known = [...given, low, high, 0, ...(threshold === null ? [] : [Number(threshold)])];
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const slack = SLACK * Math.max(1, most - least);
  const at = (value) => `${(100 * (value - least + slack)) / (most - least + 2 * slack)}%`;
  const place = (value) => ({ "inset-inline-start": at(value) });
  const marks = scores.map((one) => {
    const { isCut } = cutToBand(one.alone, { score, band });
    return h("span", {
      class: isCut ? "strip-mark cut" : "strip-mark",
      style: place(Number(one.alone)),
    });
  });
  const width = `calc(${at(high)} - ${at(low)})`;
  const parts = [
    h("span", { class: "strip-band", style: { ...place(low), "inline-size": width } }),
    h("span", { class: "strip-zero", style: place(0) }),
    threshold === null
      ? null
      : h("span", { class: "strip-threshold", style: place(Number(threshold)) }),
    marks,
    h("span", { class: "strip-median", style: place(Number(score)) }),
  ];
  return h("figure", { class: "strip-figure" }, [
    h(
      "div",
      {
        class: "strip",
        role: "img",
        "aria-label": label({ given, score, low, high, threshold }),
      },
      parts,
    ),
    h("div", { class: "row between hint number", "aria-hidden": "true" }, [
      h("span", {}, `${least < 0 ? "← worse, " : ""}${plainNats(least)} nats`),
      h("span", {}, `${plainNats(most)} nats${most > 0 ? ", better →" : ""}`),
    ]),
    legend(threshold !== null),
  ]);
}

function label({ given, score, low, high, threshold }) {
  const all = given.map(plainNats).join(", ");
  const limit = threshold === null ? "" : ` Threshold ${plainNats(threshold)}.`;
  return `Scores in nats: ${all}. Median ${plainNats(score)}, band from ${plainNats(low)} to ${plainNats(high)}.${limit}`;
}

function legend(hasThreshold) {
  const items = [
    ["strip-mark", "a validator's score"],
    ["strip-mark cut", "outside the band, cut to it"],
    ["strip-median", "median"],
    ["strip-zero", "no change"],
    hasThreshold ? ["strip-threshold", "threshold"] : null,
  ];
  const keys = items
    .filter(Boolean)
    .map(([key, text]) => h("li", {}, h("span", { class: `strip-key ${key}` }), text));
  return h("ul", { class: "legend hint", "aria-hidden": "true" }, keys);
}
